package api

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/facetest"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/storage"
)

// served is the application that the tests of handlers ask, over one store with the dataset employees. Tests that write
// make a dataset of their own.
var served *fiber.App

func TestMain(m *testing.M) {
	facetest.Main(m, func(store *storage.Store) (close func(), err error) {
		dir, err := os.MkdirTemp("", "rowback-settings-")
		if err != nil {
			return nil, err
		}
		if served, err = application(store, dir, host.Options{}); err == nil {
			fill()
		}
		return func() { os.RemoveAll(dir) }, err
	})
}

func application(store *storage.Store, dir string, o host.Options) (*fiber.App, error) {
	o.Fact = ViewFact
	set, err := settings.Open(context.Background(), dir)
	if err != nil {
		return nil, err
	}
	known, err := accounts.Open(context.Background(), set, nil, nil)
	if err != nil {
		return nil, err
	}
	h := host.New(o)
	face, err := New(store, h, Options{Version: "1.2.3", Accounts: known})
	if err != nil {
		return nil, err
	}
	return h.App(face), nil
}

// fill makes employees: commit 1 is version 1.0.0, commit 2 is version 1.0.1, commit 3 is the head.
func fill() {
	for _, step := range []struct{ path, body string }{
		{"/api/v1/datasets", `{"name":"employees","key":["id"]}`},
		{employees + "/commits?mode=append",
			`[{"id":1,"name":"Ada","pay":10.5},{"id":2,"name":"Ben","pay":20.25},{"id":3,"name":"Chitra","pay":null}]`},
		{versions + "/increment", `{"project_id":1,"dataset_name":"employees","version_type":"major"}`},
		{employees + "/commits?mode=upsert", `[{"id":2,"pay":21},{"id":4,"name":"Dario","pay":40}]`},
		{versions + "/increment", `{"project_id":1,"dataset_name":"employees"}`},
		{employees + "/commits?mode=delete", `[{"id":1}]`},
	} {
		if got, err := exchange(served, "POST", step.path, step.body); err != nil || got.status >= 300 {
			panic(fmt.Sprint(step.path, got.status, got.text, err))
		}
	}
}

const employees = "/api/v1/datasets/employees"

// answer is what the server says.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any // where it is a JSON object
}

// code is the stable code of an error.
func (a answer) code() string { return fmt.Sprint(a.body["code"]) }

// field is the name of the field that an error is about.
func (a answer) field() string { return fmt.Sprint(a.body["field"]) }

// exchange sends a request with JSON, or with what the headers say; they are names and values in turn.
func exchange(app *fiber.App, method, target, body string, headers ...string) (answer, error) {
	headers = append([]string{"Content-Type", "application/json"}, headers...)
	got, err := facetest.Exchange(app, method, target, body, headers...)
	return answer{got.Status, got.Header, got.Text, got.Body}, err
}

// ask asks the served application.
func ask(t *testing.T, method, target, body string, headers ...string) answer {
	t.Helper()
	got, err := exchange(served, method, target, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return got
}

// must asks, and fails the test where the status is another.
func must(t *testing.T, status int, method, target, body string, headers ...string) answer {
	t.Helper()
	got := ask(t, method, target, body, headers...)
	if got.status != status {
		t.Fatalf("%s %s: %d %s, want %d", method, target, got.status, got.text, status)
	}
	return got
}

// dataset makes a dataset with the key id and one record, and returns its path.
func dataset(t *testing.T, name string) string {
	t.Helper()
	path := datasets + "/" + name
	must(t, 201, "POST", datasets, fmt.Sprintf(`{"name":%q,"key":["id"]}`, name))
	must(t, 201, "POST", path+"/commits?mode=append", `[{"id":1,"name":"Ada"}]`)
	return path
}

// gated is an application with an empty store, and with the token t0, which is eva's.
func gated(t *testing.T) *fiber.App {
	t.Helper()
	store, err := storage.Open(context.Background(), t.TempDir(), storage.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	app, err := application(store, t.TempDir(), host.Options{Gate: access.NewGate(access.Tokens{"t0": "eva"}, nil)})
	if err != nil {
		t.Fatal(err)
	}
	return app
}
