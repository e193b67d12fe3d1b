package accounts_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
)

// vouched is someone whom a provider vouches for.
func vouched(subject, user string) access.Identity {
	return access.Identity{Issuer: "https://sso", Subject: subject, User: user}
}

// refusal returns why an identity is refused; empty: it is not.
func refusal(t *testing.T, w *world, of access.Identity) string {
	t.Helper()
	_, err := w.Admit(of)
	var refused *access.RefusedError
	if err != nil && !errors.As(err, &refused) {
		t.Fatalf("%+v: %v", of, err)
	}
	if refused == nil {
		return ""
	}
	return refused.Why
}

// A user whom a provider vouches for is that identity's from then on, under that name.
func TestAnIdentityIsOneUser(t *testing.T) {
	w, ctx := open(t), context.Background()
	eva := accounts.User{Name: "eva", Roles: access.Roles{3: access.Writer}, SingleSignOn: true}
	if _, err := w.CreateUser(ctx, eva); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if roles, err := w.Admit(vouched("1", "eva")); err != nil || roles.In(3) != access.Writer {
			t.Errorf("%v, %v", roles, err)
		}
	}
	if roles, err := w.Admit(vouched("2", "max")); err != nil || len(roles) != 0 {
		t.Errorf("a new user has roles: %v, %v", roles, err)
	}
	for _, c := range []struct {
		of  access.Identity
		why string
	}{
		{vouched("3", "eva"), "is another identity's"},
		{access.Identity{Issuer: "https://other", Subject: "1", User: "eva"}, "is another identity's"},
		{vouched("1", "max"), "did call it 'eva'"}, {vouched("1", "ida"), "did call it 'eva'"},
		{vouched("4", "a:b"), "can't be a user's name"},
	} {
		if why := refusal(t, w, c.of); !strings.Contains(why, c.why) {
			t.Errorf("%+v: %q, want %q", c.of, why, c.why)
		}
	}
	disabled := true
	if _, err := w.EditUser(ctx, "eva", accounts.UserEdit{IsDisabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	if why := refusal(t, w, vouched("1", "eva")); !strings.Contains(why, "is disabled") {
		t.Errorf("a disabled user: %q", why)
	}
}

// A user who was made here is not given to whoever has that name at the provider, until an admin says that they are
// one.
func TestAUserOfThisServerIsNotGivenAway(t *testing.T) {
	w, ctx := open(t), context.Background()
	if _, err := w.CreateUser(ctx, accounts.User{Name: "ada", Roles: access.Everywhere(access.Admin)}); err != nil {
		t.Fatal(err)
	}
	if why := refusal(t, w, vouched("1", "ada")); !strings.Contains(why, "rowback user link ada") {
		t.Fatalf("an admin's name: %q", why)
	}
	link := func(is bool) {
		if _, err := w.EditUser(ctx, "ada", accounts.UserEdit{SingleSignOn: &is}); err != nil {
			t.Fatal(err)
		}
	}
	link(true)
	if roles, err := w.Admit(vouched("1", "ada")); err != nil || roles[0] != access.Admin {
		t.Errorf("linked: %v, %v", roles, err)
	}
	gate := access.New(access.Options{
		Directory: w, Sessions: w, Members: w, Provider: granting{}, Now: func() time.Time { return w.now },
	})
	session, _, err := gate.Vouched(vouched("1", "ada"), "")
	if err != nil || who(gate, session) != "ada" {
		t.Fatalf("%q, %v", who(gate, session), err)
	}
	link(false)
	if who(gate, session) != "" || refusal(t, w, vouched("1", "ada")) == "" {
		t.Error("parted, the identity is let in")
	}
	link(true)
	if why := refusal(t, w, vouched("2", "ada")); why != "" {
		t.Errorf("linked again, to a new identity: %q", why)
	}
}

// granting is a provider whose groups give no roles.
type granting struct{}

func (granting) Verify(context.Context, string) (access.Identity, error) {
	return access.Identity{}, access.ErrUnknown
}

func (granting) Roles(context.Context, access.Identity) (access.Roles, error) {
	return access.Roles{}, nil
}

// What was taken from a user is told in the transaction, and groups are those that were told last, not those of a token
// or session from before.
func TestWhatWasTakenFromAUserIsTold(t *testing.T) {
	w, ctx := open(t), context.Background()
	var told []accounts.Standing
	w.Changed = func(_ *sql.Tx, s accounts.Standing) error { told = append(told, s); return nil }
	at := func(groups string, minutes int) {
		of := vouched("1", "ada")
		of.Groups, of.ExpiresAt = strings.Fields(groups), w.now.Add(time.Duration(minutes)*time.Minute)
		if _, err := w.Admit(of); err != nil {
			t.Fatal(err)
		}
	}
	at("admins team", 1)
	at("team", 2)
	at("admins team", 1) // an older token, or a session that began with it
	if len(told) != 1 || !slices.Equal(told[0].Identity.Groups, []string{"team"}) || !told[0].Exists {
		t.Errorf("told: %+v", told)
	}
	if _, err := w.SetRoles(ctx, "ada", access.Roles{3: access.Reader}); err != nil {
		t.Fatal(err)
	}
	if err := w.RemoveUser(ctx, "ada"); err != nil {
		t.Fatal(err)
	}
	if len(told) != 3 || told[1].Roles[3] != access.Reader || told[2].Exists || told[2].User != "ada" {
		t.Errorf("told: %+v", told)
	}
	failing := errors.New("no")
	w.Changed = func(*sql.Tx, accounts.Standing) error { return failing }
	if _, err := w.CreateUser(ctx, accounts.User{Name: "ben"}); err != nil {
		t.Fatal(err)
	}
	if err := w.RemoveUser(ctx, "ben"); !errors.Is(err, failing) {
		t.Error("the removal stands, though what follows from it failed")
	}
	if _, err := w.User(ctx, "ben"); err != nil {
		t.Errorf("removed: %v", err)
	}
}
