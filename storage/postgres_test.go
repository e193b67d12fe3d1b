package storage_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/catalog/postgrestest"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

// A store keeps its catalog in PostgreSQL as it does in its directory: it is opened again with it, checked, made anew
// from the objects where it is lost, and moved from either place to the other.
func TestACatalogInPostgreSQL(t *testing.T) {
	server := postgrestest.Start(t)
	dir, there := t.TempDir(), storage.Options{Catalog: server.URL("postgres", "")}
	b := reopen(t, dir, there)
	d := b.Create("people", "id")
	b.JSON(d, catalog.Append, `[{"id": 1, "name": "Ada"}, {"id": 2, "name": "Ben"}]`)
	second := b.JSON(d, catalog.Upsert, `[{"id": 2, "name": "Eve\u0000"}]`)
	if _, err := b.TryRollback(d, second.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	// One that is made with its records has no family in the catalog before.
	withRecords := storage.Change{Mode: catalog.Append, Upload: b.Upload(intake.JSON, `[{"name": "Ada"}]`)}
	made, err := b.CreateWithRecords(t.Context(), storage.NewDataset{ProjectID: 1, Name: "unkeyed"}, withRecords)
	if err != nil || made.Commit.Total != 1 {
		t.Errorf("made with its records: %+v, %v", made.Commit, err)
	}
	if err := b.Ready(t.Context()); err != nil {
		t.Errorf("it is not ready: %v", err)
	}
	if u := b.Usage(); u.CatalogBytes < 1e5 || u.LogBytes != 0 {
		t.Errorf("usage: %+v", u)
	}
	_, err = storage.Open(t.Context(), t.TempDir(), there)
	if err == nil || !strings.Contains(err.Error(), "belongs to another store") {
		t.Errorf("another store opens the same catalog meanwhile: %v", err)
	}
	if _, err := storage.Open(t.Context(), dir, there); !errors.Is(err, storage.ErrInUse) {
		t.Errorf("another server opens the same directory: %v", err)
	}
	b.Close()
	if _, err := os.Stat(filepath.Join(dir, "catalog.db")); err == nil {
		t.Error("there is a catalog in the directory as well")
	}
	for what, c := range map[string]struct {
		dir, catalog, says string
	}{
		"no catalog":               {dir, "", "--catalog"},
		"a word":                   {dir, "postgres", "takes the URL of a PostgreSQL database"},
		"another store's catalog":  {t.TempDir(), there.Catalog, "belongs to another store"},
		"a database that is away":  {dir, "postgres://nobody@127.0.0.1:1/none", "can't be reached"},
		"a password that is shown": {dir, "postgres://x:secret word@127.0.0.1:1/none", "not one of a PostgreSQL database"},
	} {
		_, err := storage.Open(t.Context(), c.dir, storage.Options{Catalog: c.catalog})
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", what, err)
		}
	}
	refusesAnotherPlace(t, server, dir)
	found, err := storage.Inspect(t.Context(), dir, true, there)
	if err != nil || len(found.Problems)+len(found.Forward) > 0 {
		t.Errorf("it is checked: %+v, %v", found, err)
	}
	want := []string{`{"id":1,"name":"Ada"}`, `{"id":2,"name":"Ben"}`}
	for i, place := range []storage.Options{
		there,
		{Catalog: server.URL("lost", "")}, // empty: it is made anew
		{Catalog: storage.EmbeddedCatalog},
		{}, // where it was
		there,
	} {
		if i == 1 {
			server.Create(t, "lost")
		}
		b := reopen(t, dir, place)
		b.Want(d, "head", want...)
		more := fmt.Sprintf(`{"id":%d,"name":"of %d"}`, 10+i, i)
		b.JSON(d, catalog.Append, "["+more+"]")
		want = append(want, more)
		if commits, err := b.History.Commits(t.Context(), d, catalog.Forever, 99); err != nil || len(commits) != 4+i {
			t.Errorf("in place %d there are %d commits, %v", i, len(commits), err)
		}
		b.Close()
	}
}

// refusesAnotherPlace makes sure that who only reads a store, such as a backup, does not fill an empty database that was
// named by mistake, nor move the catalog.
func refusesAnotherPlace(t *testing.T, server *postgrestest.Server, dir string) {
	t.Helper()
	server.Create(t, "empty")
	empty := server.URL("empty", "")
	embedded := storagetest.Open(t).ClosedDir()
	for what, c := range map[string]struct {
		dir, catalog, says string
	}{
		"an empty database":                   {dir, empty, "no catalog in the database"},
		"a store with its own catalog":        {embedded, empty, "leave out --catalog"},
		"a catalog in PostgreSQL, and no URL": {dir, storage.EmbeddedCatalog, "name the database"},
	} {
		s, err := storage.Open(t.Context(), c.dir, storage.Options{Catalog: c.catalog, CatalogThere: true})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := catalog.OpenPostgres(t.Context(), empty, catalog.PostgresOptions{Existing: true})
	if !errors.Is(err, catalog.ErrNoCatalog) {
		t.Errorf("the empty database was filled: %v", err)
	}
}

// PostgreSQL is restarted again and again while clients commit. What was answered stands once; what was refused does
// not stand; nothing has to be restarted.
func TestPostgreSQLRestartsWhileClientsCommit(t *testing.T) {
	server := postgrestest.Start(t)
	b := reopen(t, t.TempDir(), storage.Options{Catalog: server.URL("postgres", "")})
	const writers = 3
	datasets := []string{b.Create("one", "id"), b.Create("two", "id")}
	var stood, unknown [writers][]int
	stop := make(chan struct{})
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				id := w*100000 + n
				_, err := b.Try(datasets[w%2], catalog.Append, "json", fmt.Sprintf(`[{"id": %d}]`, id))
				var e *fault.Error
				switch {
				case err == nil:
					stood[w] = append(stood[w], id)
				case errors.As(storage.Explain(err), &e) && e.Code == "catalog_unavailable":
				default:
					t.Errorf("commit %d: %v", id, err)
					unknown[w] = append(unknown[w], id)
					return
				}
			}
		})
	}
	for range 3 {
		server.Stop(t)
		server.Start(t)
	}
	close(stop)
	work.Wait()
	for i, d := range datasets {
		want := map[string]bool{}
		for w := i; w < writers; w += 2 {
			for _, id := range stood[w] {
				want[fmt.Sprintf(`{"id":%d}`, id)] = true
			}
		}
		rows := b.Rows(d, "head", false)
		for _, row := range rows {
			if !want[row] {
				t.Errorf("%s was refused and is there", row)
			}
			delete(want, row)
		}
		if len(want) > 0 || len(rows) == 0 {
			t.Errorf("%d records are lost, of %d: %v", len(want), len(rows), want)
		}
	}
	if found, err := b.Check(context.Background(), false); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
}
