package accounts_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/settings/settingstest"
)

// beside opens the accounts of another server that shares the settings.
func (w *world) beside(t *testing.T) *world {
	t.Helper()
	other := &world{dir: w.dir, now: w.now}
	var err error
	if other.db, err = settingstest.Open(t.Context(), t, w.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.db.Close() })
	other.Accounts, err = accounts.Open(t.Context(), other.db, func() time.Time { return other.now }, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	return other
}

// What one server gives and takes, another one knows at its next request.
func serversShareUsers(t *testing.T) {
	one := open(t)
	other := one.beside(t)
	noted := 0
	other.Closed = func() { noted++ }
	gate := access.New(access.Options{Directory: other, Sessions: other})
	if closed, err := other.IsClosed(); err != nil || closed || !gate.IsOpen() {
		t.Fatal("a server without tokens refused a request")
	}
	made, secret, err := one.CreateToken(t.Context(), accounts.Token{User: userOf(t, one, "ada"), Role: access.Admin})
	if err != nil {
		t.Fatal(err)
	}
	if closed, err := other.IsClosed(); err != nil || !closed || gate.IsOpen() || noted != 1 {
		t.Errorf("another server has made the first token: open %v, noted %d times", gate.IsOpen(), noted)
	}
	if c, known := gate.Identify(here, "Bearer "+secret, ""); !known || c.User != "ada" {
		t.Errorf("another server's token: %+v", c)
	}
	session := login(t, gate, "ada", secret)
	if err := one.RevokeToken(t.Context(), made.ID, ""); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]string{"token": secret, "session": session} {
		if c, known := gate.Identify(here, "Bearer "+c, ""); known {
			t.Errorf("a %s that another server has revoked: %+v", what, c)
		}
	}
}

// userOf makes a user who is an admin.
func userOf(t *testing.T, w *world, name string) string {
	t.Helper()
	if _, err := w.CreateUser(t.Context(), accounts.User{Name: name, Roles: access.Everywhere(access.Admin)}); err != nil {
		t.Fatal(err)
	}
	return name
}

// Logins that fail are counted together: whoever tries at one server after another has no more attempts.
func serversCountFailedLogins(t *testing.T) {
	one := open(t)
	_, secret, err := one.CreateToken(t.Context(), accounts.Token{User: userOf(t, one, "ada"), Role: access.Admin})
	if err != nil {
		t.Fatal(err)
	}
	var gates []*access.Gate
	for _, w := range []*world{one, one.beside(t), one.beside(t)} {
		gates = append(gates, access.New(access.Options{Directory: w, Sessions: w, Failures: w.Failures()}))
	}
	from := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}) }
	for n := range 10 {
		if _, err := gates[n%3].Login(from(n), "ada", secret); err != nil {
			t.Fatalf("a right one: %v", err)
		}
	}
	rows := 0
	if err := one.db.QueryRow(`SELECT count(*) FROM failed_logins`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("logins that succeed have written %d rows, %v", rows, err)
	}
	for n := range 10 {
		if _, err := gates[n%3].Login(from(n), "ada", "wrong"); !errors.Is(err, access.ErrWrong) {
			t.Fatalf("wrong one %d: %v", n, err)
		}
	}
	for i, g := range gates {
		var often *access.TooManyError
		if _, err := g.Login(here, "ada", secret); !errors.As(err, &often) || often.Wait > 6*time.Second {
			t.Errorf("server %d, after ten wrong ones at three: %v", i, err)
		}
		if _, err := g.Login(here, "ben", "wrong"); !errors.Is(err, access.ErrWrong) {
			t.Errorf("server %d, another name: %v", i, err)
		}
	}
}

// While the settings can't be read, it is not known whether a token is needed: that is said, and no one is let in.
func serversWithoutSettings(t *testing.T) {
	w := open(t)
	gate := access.New(access.Options{Directory: w, Sessions: w})
	w.db.Close()
	c, known := gate.Identify(here, "", "")
	if known || c.Refused == nil || c.Refused.Code != "users_unavailable" {
		t.Errorf("%+v, known %v", c, known)
	}
}
