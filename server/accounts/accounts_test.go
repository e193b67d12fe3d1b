package accounts_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/server/settings/settingstest"
	"github.com/rowback/rowback/storage/fault"
)

// world is the accounts of a server, at a time that the test moves.
type world struct {
	*accounts.Accounts
	dir string
	db  *settings.DB
	now time.Time
}

func open(t *testing.T) *world {
	t.Helper()
	ctx := context.Background()
	w := &world{dir: t.TempDir(), now: time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)}
	var err error
	if w.db, err = settingstest.Open(ctx, t, w.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	if w.Accounts, err = accounts.Open(ctx, w.db, func() time.Time { return w.now }, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// files are those of the settings, if they are in files.
func (w *world) files(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, "*"))
	if err != nil || len(files) == 0 && !settingstest.IsOn(t) {
		t.Fatal(files, err)
	}
	return files
}

// token makes a user with a token.
func (w *world) token(t *testing.T, user string, role access.Role, lasts time.Duration) (accounts.Token, access.Hash) {
	t.Helper()
	ctx := context.Background()
	if _, err := w.CreateUser(ctx, accounts.User{Name: user, Roles: access.Everywhere(role)}); err != nil {
		t.Fatal(err)
	}
	n := accounts.Token{User: user, Role: access.Admin, CreatedBy: user}
	if lasts > 0 {
		n.ExpiresAt = w.now.Add(lasts)
	}
	made, secret, err := w.CreateToken(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	return made, access.HashOf(secret)
}

// A token is not in the files, and its last use is recorded at most once a minute, also when the clock goes back.
func TestATokenIsKeptAsItsHash(t *testing.T) {
	w, ctx := open(t), context.Background()
	if _, err := w.CreateUser(ctx, accounts.User{Name: "eva", Roles: access.Everywhere(access.Admin)}); err != nil {
		t.Fatal(err)
	}
	made, secret, err := w.CreateToken(ctx, accounts.Token{User: "eva", Role: access.Admin, CreatedBy: "eva"})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range w.files(t) {
		if text, err := os.ReadFile(path); err != nil || bytes.Contains(text, []byte(secret)) {
			t.Errorf("%s has the token, %v", path, err)
		}
	}
	used := func() time.Time {
		w.Close()
		got, err := w.Token(ctx, made.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got.UsedAt
	}
	if at := used(); !at.IsZero() {
		t.Errorf("used at %s before its first use", at)
	}
	first := w.now
	for _, step := range []struct {
		wait time.Duration
		want time.Time
	}{
		{0, first}, {59 * time.Second, first}, {2 * time.Second, first.Add(61 * time.Second)},
		{-time.Hour, first.Add(61 * time.Second)},
	} {
		w.now = w.now.Add(step.wait)
		w.Used(made.ID)
		if at := used(); !at.Equal(step.want) {
			t.Errorf("after %s: used at %s, not %s", step.wait, at, step.want)
		}
	}
}

// Tokens end in time, by the clock of the server, and with their users.
func TestATokenEnds(t *testing.T) {
	w, ctx := open(t), context.Background()
	w.token(t, "root", access.Admin, 0)
	made, hash := w.token(t, "eva", access.Writer, time.Hour)
	held, err := w.ByHash(hash)
	if err != nil || held.ID != made.ID || held.User != "eva" || held.Roles.In(7) != access.Writer {
		t.Errorf("%+v, %v", held, err)
	}
	w.now = w.now.Add(time.Hour)
	if _, err := w.ByHash(hash); !errors.Is(err, access.ErrUnknown) {
		t.Errorf("after its end: %v", err)
	}
	w.now = w.now.Add(-time.Hour)
	disabled := true
	if _, err := w.EditUser(ctx, "eva", accounts.UserEdit{IsDisabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ByID(made.ID); !errors.Is(err, access.ErrUnknown) {
		t.Errorf("of a disabled user: %v", err)
	}
	if err := w.RemoveUser(ctx, "eva"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Token(ctx, made.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("of a removed user: %v", err)
	}
	ended := accounts.Token{User: "root", Role: access.Admin, ExpiresAt: w.now}
	if _, _, err := w.CreateToken(ctx, ended); fault.KindOf(err) != fault.Invalid {
		t.Errorf("one that has ended already: %v", err)
	}
}

// Names that are taken or can't be names are refused, and leave nothing behind.
func TestWhatUsersAndProjectsCanNotBe(t *testing.T) {
	w, ctx := open(t), context.Background()
	for _, c := range []struct {
		user accounts.User
		want fault.Kind
	}{
		{accounts.User{Name: "eva"}, fault.Internal},
		{accounts.User{Name: "eva"}, fault.Exists},
		{accounts.User{Name: "a:b"}, fault.Invalid},
		{accounts.User{Name: "max", Roles: access.Roles{1: access.Admin}}, fault.Invalid},
		{accounts.User{Name: "max", Roles: access.Roles{-1: access.Reader}}, fault.Invalid},
		{accounts.User{Name: "max", Roles: access.Roles{1: access.Known}}, fault.Invalid},
	} {
		if _, err := w.CreateUser(ctx, c.user); fault.KindOf(err) != c.want || (err == nil) != (c.want == fault.Internal) {
			t.Errorf("%+v: %v", c.user, err)
		}
	}
	for name, want := range map[string]fault.Kind{
		"sales": fault.Internal, "17": fault.Invalid, "*": fault.Invalid, "": fault.Invalid, " x": fault.Invalid,
		"a\tb": fault.Invalid, "\xff": fault.Invalid, "9223372036854775808": fault.Invalid, "1e3": fault.Internal,
	} {
		_, err := w.CreateProject(ctx, accounts.Project{Name: name}, 4)
		if fault.KindOf(err) != want || (err == nil) != (want == fault.Internal) {
			t.Errorf("project %q: %v", name, err)
		}
	}
	users, err := w.Users(ctx, "", 10)
	if err != nil || len(users) != 1 {
		t.Errorf("%v, %v", users, err)
	}
	id, err := w.ProjectID(ctx, "sales")
	if err != nil || id < 5 {
		t.Errorf("sales is %d, %v", id, err)
	}
	if _, err := w.ProjectID(ctx, "none"); !errors.Is(err, accounts.ErrNoProject) {
		t.Errorf("%v", err)
	}
}

// A database that can't be read lets no one in.
func TestNoOneIsLetInWithoutTheDatabase(t *testing.T) {
	w := open(t)
	_, hash := w.token(t, "root", access.Admin, 0)
	gate := access.New(access.Options{Directory: w})
	if err := w.db.Write(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`ALTER TABLE tokens RENAME TO gone`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ByHash(hash); err == nil || errors.Is(err, access.ErrUnknown) {
		t.Errorf("%v", err)
	}
	if gate.IsOpen() {
		t.Error("it is open")
	}
}

// What is kept of users, tokens and sessions is kept in PostgreSQL as it is in a file.
func TestOnPostgreSQL(t *testing.T) {
	settingstest.OnPostgreSQL(t, map[string]func(*testing.T){
		"TestATokenIsKeptAsItsHash":              TestATokenIsKeptAsItsHash,
		"TestATokenEnds":                         TestATokenEnds,
		"TestWhatUsersAndProjectsCanNotBe":       TestWhatUsersAndProjectsCanNotBe,
		"TestNoOneIsLetInWithoutTheDatabase":     TestNoOneIsLetInWithoutTheDatabase,
		"TestAnIdentityIsOneUser":                TestAnIdentityIsOneUser,
		"TestAUserOfThisServerIsNotGivenAway":    TestAUserOfThisServerIsNotGivenAway,
		"TestWhatWasTakenFromAUserIsTold":        TestWhatWasTakenFromAUserIsTold,
		"TestASessionSurvivesARestart":           TestASessionSurvivesARestart,
		"TestASessionEnds":                       TestASessionEnds,
		"TestSessionsOfAnOperatorsTokenAreApart": TestSessionsOfAnOperatorsTokenAreApart,
		"TestSessionsOfOthersAndTooMany":         TestSessionsOfOthersAndTooMany,
		"servers share users":                    serversShareUsers,
		"servers count failed logins":            serversCountFailedLogins,
		"servers without settings":               serversWithoutSettings,
	})
}
