package access_test

import (
	"encoding/base64"
	"net/netip"
	"testing"

	"github.com/rowback/rowback/server/access"
)

func basic(pair string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

var (
	home  = netip.MustParseAddr("127.0.0.1")
	users = access.Tokens{"t0": "eva", "t1": "max"}
)

func TestWhoAsks(t *testing.T) {
	locked, open := access.NewGate(users, nil), access.NewGate(nil, nil)
	login := func(g *access.Gate, name, password string) string {
		session, err := g.Login(home, name, password)
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	ida, max := login(open, "ida@example.com", "anything"), login(locked, "whoever", "t1")
	for _, c := range []struct {
		gate                  *access.Gate
		authorization, cookie string
		user                  string
		known                 bool
	}{
		{locked, "Bearer t0", "", "eva", true},
		{locked, "bearer  t0 ", "", "eva", true},
		{locked, "", "t1", "max", true},
		{locked, "Bearer t0", "t1", "eva", true},
		{locked, "", max, "max", true},
		{locked, "Bearer " + max, "", "max", true},
		{locked, "Bearer wrong", "t1", "", false},
		{locked, "Bearer wrong", max, "", false},
		{locked, "Bearer ", "", "", false},
		{locked, "", "", "", false},
		{locked, "Bearer " + ida, "", "", false},
		{locked, basic("eva:t0"), "", "", false},
		{open, "", "", "anonymous", false},
		{open, "Bearer anything", "", "anonymous", true},
		{open, "Bearer anything", ida, "ida@example.com", true},
		{open, "Bearer " + ida, "", "ida@example.com", true},
		{open, "", ida, "ida@example.com", true},
		{open, "", "something", "anonymous", true},
		{open, "", max, "", false}, // it may have been someone's, and is not any more
	} {
		asks, known := c.gate.Identify(home, c.authorization, c.cookie)
		if asks.User != c.user || known != c.known || asks.Address != home || asks.IsAdmin() != (c.user != "") {
			t.Errorf("%q, cookie %q: %+v, %v; want %q, %v", c.authorization, c.cookie, asks, known, c.user, c.known)
		}
	}
}

func TestBasicWantsTheUsersOwnToken(t *testing.T) {
	for _, c := range []struct {
		tokens        access.Tokens
		authorization string
		isBasic, ok   bool
	}{
		{users, basic("eva:t0"), true, true},
		{users, basic("eva:t1"), true, false},
		{users, basic("eva:"), true, false},
		{users, basic("eva"), true, false},
		{users, basic(":"), true, false},
		{users, "Basic %%%", true, false},
		{users, "Bearer t0", false, true},
		{nil, basic("ida:anything"), true, true},
		{nil, basic(":anything"), true, false},
		{nil, basic("a\nb:"), true, false},
	} {
		gate := access.NewGate(c.tokens, nil)
		asks, password, isBasic, err := gate.Basic(home, c.authorization)
		if isBasic != c.isBasic || (err == nil) != c.ok {
			t.Errorf("%q: %+v, %v, %v; want %v, %v", c.authorization, asks, isBasic, err, c.isBasic, c.ok)
		}
		if !isBasic || err != nil {
			continue
		}
		shown, err := gate.Shown(asks.User, password, home)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := gate.Identify(home, "Bearer "+shown, ""); again.User != asks.User {
			t.Errorf("%q: what is shown for it is %q's", c.authorization, again.User)
		}
	}
}

func TestOnlyAnEncryptedServerListensToOtherMachines(t *testing.T) {
	for _, c := range []struct {
		addr                string
		encrypted, insecure bool
		ok                  bool
	}{
		{"127.0.0.1:0", false, false, true},
		{"[::1]:0", false, false, true},
		{"localhost:1", false, false, true},
		{":8000", false, false, false},
		{"0.0.0.0:8000", false, false, false},
		{"0.0.0.0:8000", true, false, true},
		{"192.0.2.1:8000", false, true, true},
		{"127.0.0.1", false, true, false},
	} {
		if err := access.CheckAddress("--addr", c.addr, c.encrypted, c.insecure); (err == nil) != c.ok {
			t.Errorf("%s, encrypted %v, insecure %v: %v", c.addr, c.encrypted, c.insecure, err)
		}
	}
}
