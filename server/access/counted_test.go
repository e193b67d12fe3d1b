package access_test

import (
	"context"
	"testing"
	"time"

	"github.com/rowback/rowback/server/access"
)

// signer is a provider that vouches for ben with any token.
type signer struct{ now func() time.Time }

func (s signer) Verify(context.Context, string) (access.Identity, error) {
	return access.Identity{Issuer: "i", Subject: "s", User: "ben", ExpiresAt: s.now().Add(time.Hour)}, nil
}

func (s signer) Roles(context.Context, access.Identity) (access.Roles, error) {
	return access.Everywhere(access.Reader), nil
}

func (s signer) Admit(access.Identity) (access.Roles, error) { return nil, nil }

// Requests are counted by token: a session is the token that it was started with, one of single sign-on is its own, and
// so is each token of the provider. What a token is counted by does not open anything.
func TestWhatATokenIsCountedBy(t *testing.T) {
	clock := newClock()
	vouches := signer{clock.now}
	gate := access.New(access.Options{
		Fixed: access.Tokens{"t1": "ada", "t2": "ada"}.Fixed(), Provider: vouches, Members: vouches, Now: clock.now,
	})
	login := func(password string) string {
		session, err := gate.Login(home, "ada", password)
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	vouched := func() string {
		session, _, err := gate.Vouched(access.Identity{User: "ben"}, "")
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	counted := map[string][]string{}
	for _, shown := range []string{
		"t1", login("t1"), login("t1"), "t2", login("t2"), vouched(), vouched(), "eyJ1.e30.x", "eyJ2.e30.x",
	} {
		c, _ := gate.Identify(home, "Bearer "+shown, "")
		again, _ := gate.Identify(home, "Bearer "+shown, "")
		if !c.IsKnown() || c.Counted == "" || c.Counted != again.Counted || c.Counted != c.Again().Counted {
			t.Errorf("%s: %+v", shown, c)
		}
		if opened, _ := gate.Identify(home, "Bearer "+c.Counted, ""); opened.IsKnown() {
			t.Errorf("%s is counted by what opens it", shown)
		}
		counted[c.Counted] = append(counted[c.Counted], shown)
	}
	sizes := map[int]int{}
	for _, of := range counted {
		sizes[len(of)]++
	}
	if sizes[3] != 1 || sizes[2] != 1 || sizes[1] != 4 {
		t.Errorf("counted together: %v", counted)
	}
	if c, _ := gate.Identify(home, "Bearer made-up", ""); c.Counted != "" {
		t.Errorf("a token that was made up is counted by %s", c.Counted)
	}
}
