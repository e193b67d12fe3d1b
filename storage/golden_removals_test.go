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
)

// removalStore is a store that rows were removed from, with compacted files and digests, and ledger.txt: what it showed
// when the program made it whose catalog had version 12.
const removalStore = "store-of-removals.tar.gz"

// makeRemovals makes the commits of removalStore.
func makeRemovals(t *testing.T, dir string) {
	ctx := context.Background()
	now := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	b := reopen(t, dir, storage.Options{Deleted: time.Hour, Now: func() time.Time { now = now.Add(time.Second); return now }})
	d := b.create("people", "id")
	for i := range 20 {
		b.json(d, catalog.Append, fmt.Sprintf(`[{"id":%d,"x":"a%d"}]`, i, i))
	}
	if _, err := b.Increment(ctx, d, forced("minor", ""), storage.Request{}); err != nil {
		t.Fatal(err)
	}
	f, err := b.Fork(ctx, d, storage.NewFork{Name: "fork"}, storage.Request{})
	b.must(err)
	b.json(f.Dataset.ID, catalog.Upsert, `[{"id":1,"x":"B"},{"id":40,"x":"c"}]`)
	b.json(d, catalog.Upsert, `[{"id":1,"x":"b"},{"id":2,"x":"c"}]`)
	b.json(d, catalog.Delete, `[{"id":3}]`)
	b.erase(d, "4")
	other := b.create("thinned", "id")
	for i := range 4 {
		b.json(other, catalog.Replace, fmt.Sprintf(`[{"id":1,"x":%d}]`, i))
	}
	commits := int64(1)
	b.retains(other, catalog.Retention{Commits: &commits, Versions: true})
	gone := b.create("gone", "id")
	b.json(gone, catalog.Append, `[{"id":1}]`)
	b.must(b.DeleteDataset(ctx, gone, storage.Request{}))
	now = now.Add(2 * time.Hour)
	b.must(b.Vacuums.RunAll(ctx))
	if _, err := b.Upkeep.Compact(ctx, d); err != nil {
		t.Fatal(err)
	}
	b.dir2()
}

// shown is what a store shows of its records: by dataset and commit, or why not.
func (b *bench) shown() string {
	b.Helper()
	ctx := context.Background()
	states, err := b.Datasets(ctx, catalog.DatasetFilter{Limit: 1000})
	b.must(err)
	var out []string
	for _, s := range states {
		commits, err := b.Commits(ctx, s.Dataset.ID, 1<<62, 1000)
		b.must(err)
		for _, c := range commits {
			line := fmt.Sprintf("%s %d %s +%d -%d =%d", s.Dataset.Name, c.ID, c.Mode, c.Added, c.Removed, c.Total)
			if _, err := b.Snapshot(ctx, s.Dataset.ID, fmt.Sprint(c.ID)); err != nil {
				out = append(out, line+" "+storage.Explain(err).Code)
				continue
			}
			out = append(out, line, toJSON(b.rows(s.Dataset.ID, fmt.Sprint(c.ID), true)))
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
			withCatalog(t, dir, nil)
		}
		b := reopen(t, dir, storage.Options{})
		b.sound()
		if got := b.shown(); got != want {
			t.Errorf("lost catalog: %v: %s", lost, firstDifference(got, want))
		}
		b.dir2()
	}
}

func writeRemovals(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	makeRemovals(t, dir)
	b := reopen(t, copied(t, dir), storage.Options{})
	b.must(os.WriteFile(filepath.Join(dir, "ledger.txt"), []byte(b.shown()), 0o600))
	out, err := os.Create(filepath.Join("testdata", removalStore))
	b.must(err)
	zipped := gzip.NewWriter(out)
	files := tar.NewWriter(zipped)
	b.must(files.AddFS(os.DirFS(dir)))
	b.must(errors.Join(files.Close(), zipped.Close(), out.Close()))
}
