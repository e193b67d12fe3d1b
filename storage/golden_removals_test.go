package storage_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// removalStore is a store that rows were removed from, with compacted files and digests, and ledger.txt: what it showed
// when the program made it whose catalog had version 12.
const removalStore = "store-of-removals.tar.gz"

// makeRemovals makes the commits of removalStore.
func makeRemovals(t *testing.T, dir string) {
	ctx := context.Background()
	now := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	b := reopen(t, dir, storage.Options{Deleted: time.Hour, Now: func() time.Time { now = now.Add(time.Second); return now }})
	d := b.Create("people", "id")
	for i := range 20 {
		b.JSON(d, catalog.Append, fmt.Sprintf(`[{"id":%d,"x":"a%d"}]`, i, i))
	}
	if _, err := b.Increment(ctx, d, storagetest.Forced("minor", ""), storage.Request{}); err != nil {
		t.Fatal(err)
	}
	f, err := b.Fork(ctx, d, storage.NewFork{Name: "fork"}, storage.Request{})
	b.Must(err)
	b.JSON(f.Dataset.ID, catalog.Upsert, `[{"id":1,"x":"B"},{"id":40,"x":"c"}]`)
	b.JSON(d, catalog.Upsert, `[{"id":1,"x":"b"},{"id":2,"x":"c"}]`)
	b.JSON(d, catalog.Delete, `[{"id":3}]`)
	b.EraseKeys(d, "4")
	other := b.Create("thinned", "id")
	for i := range 4 {
		b.JSON(other, catalog.Replace, fmt.Sprintf(`[{"id":1,"x":%d}]`, i))
	}
	commits := int64(1)
	b.Retains(other, catalog.Retention{Commits: &commits, Versions: true})
	gone := b.Create("gone", "id")
	b.JSON(gone, catalog.Append, `[{"id":1}]`)
	b.Must(b.DeleteDataset(ctx, gone, storage.Request{}))
	now = now.Add(2 * time.Hour)
	b.Must(b.Vacuums.RunAll(ctx))
	if _, err := b.Upkeep.Compact(ctx, d); err != nil {
		t.Fatal(err)
	}
	b.ClosedDir()
}

// shown is what a store shows of its records: by dataset and commit, or why not.
func (b *bench) shown() string {
	b.Helper()
	ctx := context.Background()
	states, err := b.Datasets(ctx, catalog.DatasetFilter{Limit: 1000})
	b.Must(err)
	var out []string
	for _, s := range states {
		commits, err := b.Commits(ctx, s.Dataset.ID, 1<<62, 1000)
		b.Must(err)
		for _, c := range commits {
			line := fmt.Sprintf("%s %d %s +%d -%d =%d", s.Dataset.Name, c.ID, c.Mode, c.Added, c.Removed, c.Total)
			if _, err := b.Snapshot(ctx, s.Dataset.ID, fmt.Sprint(c.ID)); err != nil {
				out = append(out, line+" "+storage.Explain(err).Code)
				continue
			}
			out = append(out, line, storagetest.ToJSON(b.Rows(s.Dataset.ID, fmt.Sprint(c.ID), true)))
		}
	}
	return strings.Join(out, "\n")
}

// A store that rows were removed from opens, is sound and shows what it did, with its catalog and without. A new one is
// written with ROWBACK_GOLDEN=removals.
func TestTheStoreOfRemovalsReadsAsItDid(t *testing.T) {
	if os.Getenv("ROWBACK_GOLDEN") == "removals" {
		writeRemovals(t)
	}
	for _, lost := range []bool{false, true} {
		dir, want := unpackStore(t, removalStore)
		if lost {
			storagetest.WithCatalog(t, dir, nil)
		}
		b := reopen(t, dir, storage.Options{})
		b.Sound()
		if got := b.shown(); got != want {
			t.Errorf("lost catalog: %v: %s", lost, firstDifference(got, want))
		}
		b.ClosedDir()
	}
}

func writeRemovals(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	makeRemovals(t, dir)
	b := reopen(t, storagetest.Copied(t, dir), storage.Options{})
	b.Must(os.WriteFile(filepath.Join(dir, "ledger.txt"), []byte(b.shown()), 0o600))
	out, err := os.Create(filepath.Join("testdata", removalStore))
	b.Must(err)
	zipped := gzip.NewWriter(out)
	files := tar.NewWriter(zipped)
	b.Must(files.AddFS(os.DirFS(dir)))
	b.Must(errors.Join(files.Close(), zipped.Close(), out.Close()))
}
