package storage_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// A catalog from before an erasure, a vacuum and the end of a deleted dataset learns of all of them at the start.
func TestAnOlderCatalogLearnsOfRemovals(t *testing.T) {
	options := storage.Options{Deleted: 1}
	b := reopen(t, t.TempDir(), options)
	ctx := t.Context()
	d, _ := b.Overwritten("d", 4)
	b.JSON(d, catalog.Append, `[{"id":3,"n":1,"s":"secret"},{"id":4,"n":1,"s":"d"}]`)
	fork, err := b.Fork(ctx, d, storage.NewFork{Name: "f"}, storage.Request{})
	storagetest.Must(t, err)
	f := fork.Dataset.ID
	gone, _ := b.Overwritten("gone", 3)
	b.CompactAll(d)
	b.ClosedDir()
	saved := map[string][]byte{}
	for _, name := range []string{"catalog.db", "catalog.db-wal", "catalog.db-shm"} {
		if text, err := os.ReadFile(filepath.Join(b.Dir, name)); err == nil {
			saved[name] = text
		}
	}
	b = reopen(t, b.Dir, options)
	b.JSON(d, catalog.Upsert, `[{"id":3,"n":2},{"id":4,"n":2}]`)
	b.JSON(f, catalog.Delete, `[{"id":3}]`)
	b.EraseKeys(d, "3")
	b.JSON(d, catalog.Upsert, `[{"id":4,"n":3}]`)
	storagetest.Must(t, b.DeleteDataset(ctx, gone, storage.Request{}))
	storagetest.Must(t, b.Vacuums.RunAll(ctx))
	b.Keeps(d, 1)
	b.Keeps(f, 1)
	b.VacuumAll(d)
	b.JSON(f, catalog.Upsert, `[{"id":4,"n":4}]`)
	b.Sound()
	want := map[string][]string{d: b.Rows(d, "head", true), f: b.Rows(f, "head", true)}
	b.ClosedDir()
	for _, name := range []string{"catalog.db", "catalog.db-wal", "catalog.db-shm"} {
		os.Remove(filepath.Join(b.Dir, name))
	}
	for name, text := range saved {
		storagetest.Must(t, os.WriteFile(filepath.Join(b.Dir, name), text, 0o600))
	}
	same := func() {
		t.Helper()
		b.Sound()
		for id, rows := range want {
			if got := b.Rows(id, "head", true); !slices.Equal(got, rows) {
				t.Errorf("got %q, not %q", got, rows)
			}
		}
		if _, err := b.UndeleteDataset(ctx, gone, storage.Request{}); storage.Explain(err).Code != "dataset_vacuumed" {
			t.Errorf("undeleting: %v", err)
		}
	}
	b = reopen(t, b.Dir, options)
	same()
	storagetest.Must(t, b.Vacuums.RunAll(ctx))
	same()
	b.ClosedDir()
	b = reopen(t, b.Dir, options)
	same()
}
