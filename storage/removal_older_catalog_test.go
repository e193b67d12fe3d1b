package storage_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// A catalog from before an erasure, a vacuum and the end of a deleted dataset learns of all of them at the start.
func TestAnOlderCatalogLearnsOfRemovals(t *testing.T) {
	options := storage.Options{Deleted: 1}
	b := reopen(t, t.TempDir(), options)
	ctx := t.Context()
	d, _ := b.overwritten("d", 4)
	b.json(d, catalog.Append, `[{"id":3,"n":1,"s":"secret"},{"id":4,"n":1,"s":"d"}]`)
	fork, err := b.Fork(ctx, d, storage.NewFork{Name: "f"}, storage.Request{})
	must(t, err)
	f := fork.Dataset.ID
	gone, _ := b.overwritten("gone", 3)
	b.compact(d)
	b.dir2()
	saved := map[string][]byte{}
	for _, name := range []string{"catalog.db", "catalog.db-wal", "catalog.db-shm"} {
		if text, err := os.ReadFile(filepath.Join(b.dir, name)); err == nil {
			saved[name] = text
		}
	}
	b = reopen(t, b.dir, options)
	b.json(d, catalog.Upsert, `[{"id":3,"n":2},{"id":4,"n":2}]`)
	b.json(f, catalog.Delete, `[{"id":3}]`)
	b.erase(d, "3")
	b.json(d, catalog.Upsert, `[{"id":4,"n":3}]`)
	must(t, b.DeleteDataset(ctx, gone, storage.Request{}))
	must(t, b.Vacuums.RunAll(ctx))
	b.keeps(d, 1)
	b.keeps(f, 1)
	b.vacuum(d)
	b.json(f, catalog.Upsert, `[{"id":4,"n":4}]`)
	b.sound()
	want := map[string][]string{d: b.rows(d, "head", true), f: b.rows(f, "head", true)}
	b.dir2()
	for _, name := range []string{"catalog.db", "catalog.db-wal", "catalog.db-shm"} {
		os.Remove(filepath.Join(b.dir, name))
	}
	for name, text := range saved {
		must(t, os.WriteFile(filepath.Join(b.dir, name), text, 0o600))
	}
	same := func() {
		t.Helper()
		b.sound()
		for id, rows := range want {
			if got := b.rows(id, "head", true); !slices.Equal(got, rows) {
				t.Errorf("got %q, not %q", got, rows)
			}
		}
		if _, err := b.UndeleteDataset(ctx, gone, storage.Request{}); storage.Explain(err).Code != "dataset_vacuumed" {
			t.Errorf("undeleting: %v", err)
		}
	}
	b = reopen(t, b.dir, options)
	same()
	must(t, b.Vacuums.RunAll(ctx))
	same()
	b.dir2()
	b = reopen(t, b.dir, options)
	same()
}
