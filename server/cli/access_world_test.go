package cli

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/api"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/crunch"
	"github.com/rowback/rowback/server/facetest"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/iceberg"
	"github.com/rowback/rowback/server/quartzbio"
	"github.com/rowback/rowback/server/quotas"
	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/server/web"
	"github.com/rowback/rowback/server/webhooks"
	"github.com/rowback/rowback/storage"
)

// The projects of the tests of access: one in which the callers have roles, one in which they have none, and one that
// does not exist.
const own, other, unknown int64 = 1, 2, 99

// accessCaller is someone who sends requests.
type accessCaller struct {
	name, token string
	known       bool
	role        access.Role // in the own project; Admin: everywhere
}

// accessWorld is a server with all HTTP faces, users of each role, and a dataset d with a fork in each project.
type accessWorld struct {
	audited  *audit.Log // of HTTP
	store    *storage.Store
	accounts *accounts.Accounts
	quotas   *quotas.Quotas
	settings *settings.DB
	hooks    *webhooks.Hooks
	gate     *access.Gate
	app      *fiber.App
	flight   flightClient // where a test has started it
	callers  []accessCaller
	ids      map[int64]string // of d
	forks    map[int64]string
	secret   string // a value in the other project
	now      *time.Time
	log      logged // of HTTP
}

// logged is a log that a test reads.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write adds a line.
func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// count returns how often a text is in the log.
func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

const rootToken = "root-token"

func newAccessWorld(t *testing.T) *accessWorld {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	store, err := storage.Open(ctx, dir, storage.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	set, err := settings.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	start := time.Now()
	w := &accessWorld{store: store, ids: map[int64]string{}, forks: map[int64]string{}, secret: "topsecret", now: &start, settings: set}
	clock := func() time.Time { return *w.now }
	if w.accounts, err = accounts.Open(ctx, set, clock, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.accounts.Close)
	if w.quotas, err = quotas.Open(ctx, set, store.Quotas); err != nil {
		t.Fatal(err)
	}
	w.hooks = webhooks.New(webhooks.Options{Store: store, DB: set})
	w.gate = access.New(access.Options{
		Fixed: access.Tokens{rootToken: "root"}.Fixed(), Directory: w.accounts, Sessions: w.accounts, Now: clock,
	})
	if w.audited, err = audit.Open(ctx, audit.Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.audited.Close() })
	w.serve(t)
	w.fill(t)
	return w
}

// serve makes the application, as the program does.
func (w *accessWorld) serve(t *testing.T) {
	t.Helper()
	h := host.New(host.Options{
		Gate: w.gate, Fact: api.ViewFact, Audit: w.audited, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	})
	native, err := api.New(w.store, h, api.Options{
		Accounts: w.accounts, Quotas: w.quotas, Webhooks: w.hooks, Audit: w.audited,
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := web.New()
	if err != nil {
		t.Fatal(err)
	}
	lake := iceberg.New(w.store, h, iceberg.Options{Projects: w.accounts})
	edp := quartzbio.New(w.store, h, quartzbio.Options{Projects: w.accounts, Settings: w.settings, SyncTimeout: time.Minute})
	w.app = h.App(crunch.New(w.store, h, crunch.Options{SyncTimeout: time.Minute}), lake, edp, pages, native)
	t.Cleanup(func() { h.Wait(context.Background()) })
}

// fill makes the datasets and the users.
func (w *accessWorld) fill(t *testing.T) {
	t.Helper()
	for _, project := range []int64{own, other} {
		value := "open"
		if project == other {
			value = w.secret
		}
		made := w.root(t, 201, "POST", "/api/v1/datasets",
			fmt.Sprintf(`{"name":"d","project_id":%d,"key":["id"],"description":%q}`, project, value))
		w.ids[project] = made["id"].(string)
		at := "/api/v1/datasets/" + w.ids[project]
		w.root(t, 201, "POST", at+"/commits?mode=append", fmt.Sprintf(`[{"id":1,"v":%q}]`, value))
		w.root(t, 200, "POST", "/api/v1/datasets/versions/increment",
			fmt.Sprintf(`{"project_id":%d,"dataset_name":"d","version_type":"major"}`, project))
		w.forks[project] = w.root(t, 201, "POST", at+"/forks", `{"name":"fork"}`)["id"].(string)
		w.root(t, 201, "POST", "/api/v1/datasets/"+w.forks[project]+"/commits?mode=append", `[{"id":2,"v":"forked"}]`)
		w.root(t, 201, "POST", at+"/proposals", fmt.Sprintf(`{"source":%q,"title":%q}`, w.forks[project], value))
	}
	w.ids[unknown], w.forks[unknown] = w.store.NewID(), w.store.NewID()
	w.callers = []accessCaller{
		{name: "no one"}, {name: "wrong token", token: access.NewToken()},
		{name: "root", token: rootToken, known: true, role: access.Admin},
	}
	for _, role := range []access.Role{access.None, access.Reader, access.Writer, access.Maintainer, access.Admin} {
		roles := access.Roles{}
		switch role {
		case access.None:
		case access.Admin:
			roles[0] = role
		default:
			roles[own] = role
		}
		w.callers = append(w.callers, accessCaller{
			name: role.String(), token: w.user(t, "the "+role.String(), roles), known: true, role: role,
		})
	}
}

// user adds a user, and returns a token of theirs.
func (w *accessWorld) user(t *testing.T, name string, roles access.Roles) (token string) {
	t.Helper()
	ctx := context.Background()
	_, err := w.accounts.CreateUser(ctx, accounts.User{Name: name, Roles: roles})
	if err == nil && !isClosed(w.accounts) {
		_, err = w.accounts.CreateUser(ctx, accounts.User{Name: "first", Roles: access.Everywhere(access.Admin)})
		if err == nil {
			_, _, err = w.accounts.CreateToken(ctx, accounts.Token{User: "first", Role: access.Admin})
		}
	}
	if err == nil {
		_, token, err = w.accounts.CreateToken(ctx, accounts.Token{User: name, Role: access.Admin})
	}
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// webhook makes a webhook of a project, which sends nothing, and returns its id.
func (w *accessWorld) webhook(t *testing.T, project int64) string {
	t.Helper()
	if project == unknown {
		return "whk_0"
	}
	made, err := w.hooks.Create(t.Context(), webhooks.Hook{URL: "https://10.0.0.1/", Project: project})
	if err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// root asks as an admin.
func (w *accessWorld) root(t *testing.T, status int, method, target, body string) map[string]any {
	t.Helper()
	return w.as(t, rootToken, status, method, target, body).Body
}

// as asks with a token.
func (w *accessWorld) as(t *testing.T, token string, status int, method, target, body string) facetest.Answer {
	t.Helper()
	got, err := facetest.Exchange(w.app, method, target, body, "Content-Type", "application/json",
		"Authorization", "Bearer "+token)
	if err != nil || got.Status != status {
		t.Fatalf("%s %s: %d %s, %v; want %d", method, target, got.Status, got.Text, err, status)
	}
	return got
}

// unchanged makes sure that what was refused, and what was only tried, changed nothing.
func (w *accessWorld) unchanged(t *testing.T) {
	t.Helper()
	for _, project := range []int64{own, other} {
		list := w.root(t, 200, "GET", "/api/v1/datasets/"+w.ids[project]+"/commits", "")["commits"].([]any)
		if len(list) != 1 {
			t.Errorf("project %d has %d commits", project, len(list))
		}
	}
}

// openSettings opens an empty database of settings.
func openSettings(t *testing.T) *settings.DB {
	t.Helper()
	set, err := settings.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}
