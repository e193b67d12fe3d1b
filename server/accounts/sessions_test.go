package accounts_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/storage/fault"
)

var here = netip.MustParseAddr("192.0.2.7")

// gate returns a gate whose sessions are kept.
func (w *world) gate() *access.Gate {
	return access.New(access.Options{Directory: w, Sessions: w, Now: func() time.Time { return w.now }})
}

// login logs in, and returns what opens the session.
func login(t *testing.T, g *access.Gate, user, password string) string {
	t.Helper()
	session, err := g.Login(here, user, password)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// who returns whose session that is; empty: it has ended.
func who(g *access.Gate, session string) string {
	c, _ := g.Identify(here, "", session)
	return c.User
}

// A session is there after a restart, and what opens it is not in the files.
func TestASessionSurvivesARestart(t *testing.T) {
	w := open(t)
	session := login(t, w.gate(), "ada", "any")
	again, err := accounts.Open(context.Background(), w.db, func() time.Time { return w.now }, nil)
	if err != nil {
		t.Fatal(err)
	}
	gate := access.New(access.Options{Directory: again, Sessions: again, Now: func() time.Time { return w.now }})
	if who(gate, session) != "ada" {
		t.Error("the session has ended")
	}
	for _, path := range w.files(t) {
		if text, err := os.ReadFile(path); err != nil || bytes.Contains(text, []byte(session)) {
			t.Errorf("%s has what opens the session, %v", path, err)
		}
	}
}

// A session ends with its logout, its token, its user, in time, and by being revoked.
func TestASessionEnds(t *testing.T) {
	ctx := context.Background()
	for name, end := range map[string]func(w *world, g *access.Gate, session, id, token string) error{
		"logout": func(_ *world, g *access.Gate, session, _, _ string) error { g.Logout(session); return nil },
		"revoked": func(w *world, _ *access.Gate, _, id, _ string) error {
			return w.RevokeSession(ctx, id, accounts.Whose{Name: "eva"})
		},
		"all revoked": func(w *world, _ *access.Gate, _, _, _ string) error {
			n, err := w.RevokeSessions(ctx, accounts.Whose{Name: "eva"})
			if err == nil && n != 1 {
				err = fmt.Errorf("%d have ended", n)
			}
			return err
		},
		"token revoked": func(w *world, _ *access.Gate, _, _, token string) error {
			return w.RevokeToken(ctx, token, "")
		},
		"user removed": func(w *world, _ *access.Gate, _, _, _ string) error { return w.RemoveUser(ctx, "eva") },
		"user disabled": func(w *world, _ *access.Gate, _, _, _ string) error {
			disabled := true
			_, err := w.EditUser(ctx, "eva", accounts.UserEdit{IsDisabled: &disabled})
			return err
		},
		"idle": func(w *world, _ *access.Gate, _, _, _ string) error { w.now = w.now.Add(24 * time.Hour); return nil },
		"old": func(w *world, g *access.Gate, session, _, _ string) error {
			for range 13 {
				w.now = w.now.Add(13 * time.Hour)
				who(g, session)
				w.Close()
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			w.token(t, "root", access.Admin, 0)
			if _, err := w.CreateUser(ctx, accounts.User{Name: "eva", Roles: access.Everywhere(access.Writer)}); err != nil {
				t.Fatal(err)
			}
			token, secret, err := w.CreateToken(ctx, accounts.Token{User: "eva", Role: access.Writer})
			if err != nil {
				t.Fatal(err)
			}
			gate := w.gate()
			session := login(t, gate, "eva", secret)
			c, _ := gate.Identify(here, "", session)
			listed, err := w.ListSessions(ctx, accounts.Whose{Name: "eva"}, "", 10)
			if err != nil || len(listed) != 1 || listed[0].ID != c.Session || listed[0].Token != token.ID || c.User != "eva" {
				t.Fatalf("%+v, %+v, %v", listed, c, err)
			}
			if err := end(w, gate, session, c.Session, token.ID); err != nil {
				t.Fatal(err)
			}
			if user := who(gate, session); user != "" || c.Again().IsKnown() {
				t.Errorf("it is still %s's", user)
			}
			if listed, err := w.ListSessions(ctx, accounts.Whose{}, "", 10); err != nil || len(listed) != 0 {
				t.Errorf("it is still listed: %+v, %v", listed, err)
			}
		})
	}
}

// A user who is kept here has no part in the sessions of an operator's token by the same name, and does not take them
// along when removed.
func TestSessionsOfAnOperatorsTokenAreApart(t *testing.T) {
	w, ctx := open(t), context.Background()
	gate := access.New(access.Options{
		Fixed: access.Tokens{"secret": "eva"}.Fixed(), Directory: w, Sessions: w, Now: func() time.Time { return w.now },
	})
	w.token(t, "eva", access.Admin, 0)
	session := login(t, gate, "eva", "secret")
	kept := false
	own := accounts.Whose{Name: "eva", Operators: &kept}
	if listed, err := w.ListSessions(ctx, own, "", 10); err != nil || len(listed) != 0 {
		t.Errorf("they are listed: %+v, %v", listed, err)
	}
	c, _ := gate.Identify(here, "", session)
	if err := w.RevokeSession(ctx, c.Session, own); fault.KindOf(err) != fault.NotFound {
		t.Errorf("one is ended: %v", err)
	}
	if n, err := w.RevokeSessions(ctx, own); n != 0 || err != nil {
		t.Errorf("%d are ended, %v", n, err)
	}
	if err := w.RemoveUser(ctx, "eva"); err != nil || who(gate, session) != "eva" {
		t.Errorf("the operator's session ended with the user, %v", err)
	}
	if _, caller, err := gate.Vouched(access.Identity{User: "eva"}, ""); err == nil {
		t.Errorf("the provider gives the name away: %+v", caller)
	}
}

// Another user's session is not found, and there are no more than so many of one user.
func TestSessionsOfOthersAndTooMany(t *testing.T) {
	w, ctx := open(t), context.Background()
	gate := w.gate()
	first := login(t, gate, "ada", "any")
	c, _ := gate.Identify(here, "", first)
	if err := w.RevokeSession(ctx, c.Session, accounts.Whose{Name: "ben"}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("ben ends ada's session: %v", err)
	}
	for range access.MaxUserSessions {
		w.now = w.now.Add(time.Millisecond)
		login(t, gate, "ada", "any")
	}
	if who(gate, first) != "" {
		t.Error("the oldest session has not ended")
	}
	if all, err := w.ListSessions(ctx, accounts.Whose{Name: "ada"}, "", 1000); err != nil || len(all) != access.MaxUserSessions {
		t.Errorf("%d sessions, %v", len(all), err)
	}
}
