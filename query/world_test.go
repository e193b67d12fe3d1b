package query_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/schema"
)

// world is a store with the datasets that the statements of testdata use. Its clock stands still between the
// steps, and its ids are numbers, so that both can be written there.
type world struct {
	testing.TB
	*storage.Store
	dir   string
	clock atomic.Pointer[time.Time]
	ids   atomic.Int64
}

func empty(t testing.TB, o storage.Options) *world {
	t.Helper()
	w := &world{TB: t, dir: t.TempDir()}
	w.at("2026-01-01T00:00:00Z")
	o.Threads = 2
	o.Now = func() time.Time { return *w.clock.Load() }
	o.NewID = func() string { return fmt.Sprintf("%032x", w.ids.Add(1)) }
	s, err := storage.Open(context.Background(), w.dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w.Store = s
	return w
}

func open(t testing.TB) *world {
	t.Helper()
	w := empty(t, storage.Options{})
	employees := w.create(1, "employees", "id")
	w.at("2026-01-31T10:00:00Z")
	w.commit(employees, catalog.Append,
		`[{"id":1,"name":"Ada","city":"Bergen","pay":10.5},{"id":2,"name":"Ben","city":"Turin","pay":20.25},`+
			`{"id":3,"name":"Chitra","city":"Nara","pay":null}]`)
	w.version(employees, "major")
	w.at("2026-02-28T10:00:00Z")
	w.commit(employees, catalog.Upsert, `[{"id":2,"city":"Milan"},{"id":4,"name":"Dario","city":"Oslo","pay":40}]`)
	w.version(employees, "patch")
	_, err := w.CreateSavepoint(context.Background(), employees, storage.NewSavepoint{Description: "before the survey"},
		storage.Request{User: "eva"})
	w.done(err)
	w.at("2026-03-31T10:00:00Z")
	w.commit(employees, catalog.Delete, `[{"id":1}]`)
	_, _, err = w.CreateVariable(context.Background(), employees,
		storage.NewVariable{Name: "shout", Derivation: "upper(name)"}, storage.Request{})
	w.done(err)
	plain := w.create(1, "team members")
	w.commit(plain, catalog.Append, `[{"tags":["a","b"],"home":{"city":"Oslo","floors":[1,2]}},{"tags":[],"home":null}]`)
	w.commit(w.create(1, "sqlite_master", "a"), catalog.Append, `[{"a":1}]`)
	w.create(1, "nothing", "id")
	w.create(1, "Nothing", "id")
	w.commit(w.create(2, "salaries", "id"), catalog.Append, `[{"id":1,"salary":"a secret"}]`)
	return w
}

func (w *world) at(moment string) {
	t, err := time.Parse(time.RFC3339, moment)
	if err != nil {
		w.Fatal(err)
	}
	w.clock.Store(&t)
}

// done fails the test if a step failed.
func (w *world) done(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) create(project int64, name string, key ...string) string {
	w.Helper()
	made, err := w.CreateDataset(context.Background(), storage.NewDataset{ProjectID: project, Name: name, Key: key},
		storage.Request{})
	w.done(err)
	return made.Dataset.ID
}

func (w *world) commit(dataset string, mode catalog.Mode, body string) {
	w.Helper()
	w.done(w.try(dataset, mode, intake.JSON, body))
}

func (w *world) try(dataset string, mode catalog.Mode, format intake.Format, body string) error {
	path := filepath.Join(w.TempDir(), "upload")
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		return err
	}
	_, err := w.Commit(context.Background(), dataset, storage.Change{
		Mode: mode, Upload: intake.Upload{
			Format: format, Path: path, Size: int64(len(body)),
		}, Request: storage.Request{User: "eva"},
	})
	return err
}

func (w *world) version(dataset, part string) {
	w.Helper()
	n, by := storage.NewVersion{Part: part, Force: true}, storage.Request{User: "eva"}
	_, err := w.Increment(context.Background(), dataset, n, by)
	w.done(err)
}

// ask runs a statement and returns its result as lines of JSON.
func (w *world) ask(ctx context.Context, s query.Statement) (string, output.Cut, error) {
	var out bytes.Buffer
	s.Project = 1
	cut, err := query.Write(ctx, w.Store, s, intake.NDJSON, &out, w.Scratch("result"))
	return strings.TrimSpace(out.String()), cut, err
}

// told returns an error as clients see it, in one line.
func told(err error) string {
	e := storage.Explain(err)
	out := e.Code + " " + e.Detail
	for _, fact := range []string{"line", "column", "nearest"} {
		if v, ok := e.Fields[fact]; ok {
			out += fmt.Sprintf(" %s=%v", fact, v)
		}
	}
	return out
}

func (w *world) find(name string) string {
	w.Helper()
	d, err := w.FindDataset(context.Background(), 1, name)
	w.done(err)
	return d.ID
}

// undo rolls the newest commit of a dataset back.
func (w *world) undo(name string) {
	w.Helper()
	d, err := w.FindDataset(context.Background(), 1, name)
	w.done(err)
	_, err = w.Rollback(context.Background(), d.ID, d.Head, storage.Stack, storage.Request{})
	w.done(err)
}

func tablesOf(columns ...[]schema.Column) [][]schema.Column { return columns }
