package access_test

import (
	"encoding/base64"
	"testing"

	"rowback/server/access"
)

func basic(pair string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

func TestWhoAsks(t *testing.T) {
	locked, open := access.Tokens{"t0": "eva", "t1": "max"}, access.Tokens{}
	login, _ := open.Login("ida@example.com", "anything")
	for _, c := range []struct {
		tokens                access.Tokens
		authorization, cookie string
		user                  string
		known                 bool
	}{
		{locked, "Bearer t0", "", "eva", true},
		{locked, "bearer  t0 ", "", "eva", true},
		{locked, "", "t1", "max", true},
		{locked, "Bearer t0", "t1", "eva", true},
		{locked, "Bearer wrong", "t1", "", false},
		{locked, "Bearer ", "", "", false},
		{locked, "", "", "", false},
		{locked, "Bearer " + login, "", "", false},
		{locked, basic("eva:t0"), "", "", false},
		{open, "", "", "anonymous", false},
		{open, "Bearer anything", "", "anonymous", true},
		{open, "Bearer " + login, "", "ida@example.com", true},
		{open, "", login, "ida@example.com", true},
		{open, "", "login.%%%", "anonymous", true},
	} {
		user, known := c.tokens.Identify(c.authorization, c.cookie)
		if user != c.user || known != c.known {
			t.Errorf("%q, cookie %q: %q, %v; want %q, %v", c.authorization, c.cookie, user, known, c.user, c.known)
		}
	}
}

func TestBasicWantsTheUsersOwnToken(t *testing.T) {
	locked, open := access.Tokens{"t0": "eva", "t1": "max"}, access.Tokens{}
	for _, c := range []struct {
		tokens        access.Tokens
		authorization string
		user          string
		ok            bool
	}{
		{locked, basic("eva:t0"), "eva", true},
		{locked, basic("eva:t1"), "", true},
		{locked, basic("eva:"), "", true},
		{locked, basic("eva"), "", true},
		{locked, "Basic %%%", "", true},
		{locked, "Bearer t0", "", false},
		{open, basic("ida:anything"), "ida", true},
		{open, basic(":anything"), "", true},
		{open, basic("a\nb:"), "", true},
	} {
		user, token, ok := c.tokens.Basic(c.authorization)
		if user != c.user || ok != c.ok {
			t.Errorf("%q: %q, %v; want %q, %v", c.authorization, user, ok, c.user, c.ok)
		}
		if again, _ := c.tokens.Identify("Bearer "+token, ""); user != "" && again != user {
			t.Errorf("%q: its token is %q's", c.authorization, again)
		}
	}
}

func TestAServerWithoutTokensListensToItsOwnMachine(t *testing.T) {
	for _, c := range []struct {
		tokens access.Tokens
		addr   string
		open   bool
		ok     bool
	}{
		{nil, "127.0.0.1:0", false, true},
		{nil, "[::1]:0", false, true},
		{nil, "localhost:1", false, true},
		{nil, ":8000", false, false},
		{nil, "0.0.0.0:8000", false, false},
		{nil, "0.0.0.0:8000", true, true},
		{access.Tokens{"t": "eva"}, "0.0.0.0:8000", false, true},
		{nil, "127.0.0.1", true, false},
	} {
		if err := c.tokens.CheckAddress("--addr", c.addr, c.open); (err == nil) != c.ok {
			t.Errorf("%s, open %v: %v", c.addr, c.open, err)
		}
	}
}
