package storage_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// alike fails unless states have the same digest.
func (b *bench) alike(what, first, second string) {
	b.Helper()
	if first != second {
		b.Errorf("%s: %s and %s", what, first, second)
	}
}

// Equal states have equal digests, whichever way they came about.
func TestEqualStatesHaveEqualDigests(t *testing.T) {
	t.Parallel()
	for _, key := range [][]string{{"id"}, nil} {
		t.Run(fmt.Sprint("key ", key), func(t *testing.T) {
			b := open(t)
			ctx := context.Background()
			d := b.Create("d", key...)
			b.alike("nothing", b.DigestAt(d, "head"), storagetest.DigestOf(nil))
			first := b.JSON(d, "append", `[{"id":1,"x":"a","s":{"n":1}},{"id":2,"x":null},{"id":3,"x":"c"}]`)
			start := b.DigestAt(d, "head")
			b.alike("the records", start, storagetest.DigestOf([]map[string]any{
				{"id": 1.0, "x": "a", "s": map[string]any{"n": 1.0}}, {"id": 2.0}, {"id": 3.0, "x": "c"},
			}))
			fork := b.MakeFork(d, "fork", "head")
			deleted, err := b.Commit(ctx, fork, storage.Change{Mode: catalog.Delete, Where: "id = 2"})
			b.Must(err)
			more := b.JSON(fork, "append", `[{"id":4,"x":"d"}]`)
			ahead := b.DigestAt(fork, "head")
			b.alike("a fork as it was", b.DigestAt(fork, fmt.Sprint(first.ID)), start)
			b.MakeMerge(fork, d)
			b.alike("a merge", b.DigestAt(d, "head"), ahead)

			for _, c := range []catalog.Commit{more, deleted} {
				_, err := b.TryRollback(fork, c.ID, storage.Stack)
				b.Must(err)
			}
			b.alike("rollbacks", b.DigestAt(fork, "head"), start)
			_, err = b.Restore(ctx, d, fmt.Sprint(first.ID), storage.Request{})
			b.Must(err)
			b.alike("a restore", b.DigestAt(d, "head"), start)

			_, archive := b.Archive(fork, fmt.Sprint(more.ID))
			made, err := b.CreateFromBackup(ctx, bytes.NewReader(archive), "copy", 1, storage.Request{})
			b.Must(err)
			b.alike("a backup", b.DigestAt(made.Dataset.ID, "head"), ahead)
			again := b.Create("again", key...)
			b.JSON(again, "append", `[{"id":4,"x":"d"},{"id":1,"x":"a","s":{"n":1}}]`)
			b.JSON(again, "append", `[{"x":"c","id":3}]`)
			b.alike("the same records in another order and other files", b.DigestAt(again, "head"), ahead)
			b.LoseCatalog()
			b.alike("without the catalog", b.DigestAt(d, "head"), start)
			b.Sound()
		})
	}
}

// What is said of columns does not change the digest, and neither do columns without values or wider types. Names do.
func TestADigestIsOfNamesAndValues(t *testing.T) {
	t.Parallel()
	b := open(t)
	d := b.Create("d", "id")
	b.JSON(d, "append", `[{"id":1,"x":1},{"id":2,"x":2}]`)
	start := b.DigestAt(d, "head")
	title, wider, name, other := "An x", "DECIMAL(12,2)", "y", "x"
	b.edit(d, "x", storage.VariableEdit{Title: &title})
	b.variable(d, storage.NewVariable{Name: "new", Type: "VARCHAR"})
	b.variable(d, storage.NewVariable{Name: "twice", Derivation: "id * 2"})
	b.edit(d, "x", storage.VariableEdit{Type: &wider})
	b.JSON(d, "upsert", `[{"id":2,"x":2.00}]`)
	b.alike("the same values", b.DigestAt(d, "head"), start)

	b.edit(d, "x", storage.VariableEdit{Name: &name})
	renamed := b.DigestAt(d, "head")
	b.alike("another name", renamed, storagetest.DigestOf([]map[string]any{{"id": 1.0, "y": 1.0}, {"id": 2.0, "y": 2.0}}))
	b.edit(d, "y", storage.VariableEdit{Name: &other})
	b.alike("the old name", b.DigestAt(d, "head"), start)
	drop, err := b.DropVariable(context.Background(), d, b.ColumnID(d, "x"), storage.Request{})
	b.Must(err)
	left := storagetest.DigestOf([]map[string]any{{"id": 1.0}, {"id": 2.0}})
	b.alike("a column that is gone", b.DigestAt(d, "head"), left)
	_, err = b.TryRollback(d, drop.ID, storage.Stack)
	b.Must(err)
	b.alike("one that is back", b.DigestAt(d, "head"), start)
	b.Sound()
}

// Displaced rows are taken away as the state sees them, although their copies were made while a column was gone or had
// another type.
func TestADigestOfRowsThatWereDisplacedUnderAnotherSchema(t *testing.T) {
	b := open(t)
	d := b.Create("d", "id")
	ctx := context.Background()
	b.JSON(d, "append", `[{"id":1,"x":"1.50"},{"id":2,"x":"2.50"},{"id":3,"x":"3.50"}]`)
	left := storagetest.DigestOf([]map[string]any{{"id": 1.0, "x": "1.50"}, {"id": 3.0, "x": "3.50"}})
	for what, change := range map[string]func() catalog.Commit{
		"a column that was gone": func() catalog.Commit {
			c, err := b.DropVariable(ctx, d, b.ColumnID(d, "x"), storage.Request{})
			b.Must(err)
			return c
		},
		"a column of another type": func() catalog.Commit {
			double := "DOUBLE"
			c, _ := b.edit(d, "x", storage.VariableEdit{Type: &double})
			return c
		},
	} {
		before := b.Head(d)
		c := change()
		b.JSON(d, "delete", `[{"id":2}]`)
		_, err := b.TryRollback(d, c.ID, storage.Records)
		b.Must(err)
		b.Want(d, "head", `{"id":1,"x":"1.50"}`, `{"id":3,"x":"3.50"}`)
		b.alike(what, b.DigestAt(d, "head"), left)
		b.Sound()
		_, err = b.Restore(ctx, d, before, storage.Request{})
		b.Must(err)
	}
}

// The digest of the next state opens the files of its commit, and no others.
func TestADigestCostsWhatChanged(t *testing.T) {
	b := open(t)
	d := b.Create("d", "id")
	var files []string
	for i := range 5 {
		b.JSON(d, "append", fmt.Sprintf(`[{"id":%d,"x":"a"},{"id":%d,"x":"b"}]`, i*10, i*10+1))
		files = append(files, b.DataFiles(d)...)
		b.DigestAt(d, "head")
	}
	c := b.JSON(d, "upsert", `[{"id":30,"x":"c","new":1},{"id":41,"x":"c"}]`)
	for _, path := range files {
		b.Must(os.Rename(path, path+".away"))
	}
	want := b.DigestAt(d, "head")
	b.alike("a state that is known", b.DigestAt(d, fmt.Sprint(c.ID)), want)
	for _, path := range files {
		b.Must(os.Rename(path+".away", path))
	}
	b.LoseCatalog()
	b.alike("computed from all files", b.DigestAt(d, "head"), want)
}

// Fill computes what is missing, a bounded number at a time, the head first. Then all of them are known.
func TestDigestsAreFilledIn(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d := b.Create("d", "id")
	var commits []int64
	for i := range 5 {
		commits = append(commits, b.JSON(d, "append", fmt.Sprintf(`[{"id":%d}]`, i)).ID)
	}
	for i, want := range []struct{ done, known int }{{2, 2}, {2, 4}, {1, 5}, {0, 5}} {
		done, err := b.Digests.Fill(ctx, d, 2, func(time.Duration) error { return nil })
		b.Must(err)
		known, err := b.Digests.Known(ctx, commits)
		b.Must(err)
		if done != want.done || len(known) != want.known || known[commits[4]] == "" {
			t.Errorf("run %d computed %d; known are %v", i, done, known)
		}
	}
}

// Upkeep computes the digests of all states, a few at a time: lists show them without having computed any.
func TestUpkeepComputesDigests(t *testing.T) {
	b := open(t)
	d := b.Create("d", "id")
	var commits []int64
	for i := range 40 {
		commits = append(commits, b.JSON(d, "append", fmt.Sprintf(`[{"id":%d}]`, i)).ID)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	b.Upkeep.DigestSoon()
	running.Go(func() { b.Upkeep.Keep(ctx) })
	defer running.Wait()
	defer stop()
	var known map[int64]string
	for len(known) < len(commits) {
		var err error
		known, err = b.Digests.Known(ctx, commits)
		b.Must(err)
		time.Sleep(10 * time.Millisecond)
	}
	for _, i := range []int{0, 17, 39} {
		records := []map[string]any{}
		for k := range i + 1 {
			records = append(records, map[string]any{"id": float64(k)})
		}
		b.alike(fmt.Sprint("state ", i), known[commits[i]], storagetest.DigestOf(records))
	}
}

// A deep check finds digests that are not those of the records, of states and of files.
func TestCheckComputesDigestsAgain(t *testing.T) {
	for table, says := range map[string]string{"commit_digests": "its records have the digest", "file_digests": ") has the digest"} {
		t.Run(table, func(t *testing.T) {
			b := open(t)
			d := b.Create("d", "id")
			b.JSON(d, "append", `[{"id":1}]`)
			c := b.JSON(d, "append", `[{"id":2}]`)
			b.DigestAt(d, "head")
			b.Sound()
			b.Store.Close()
			db, err := sql.Open("sqlite3", filepath.Join(b.Dir, "catalog.db"))
			b.Must(err)
			_, err = db.Exec("UPDATE " + table + " SET digest = 'v1:" + strings.Repeat("0", 64) + "'")
			b.Must(err)
			b.Must(db.Close())
			found, err := storage.Inspect(context.Background(), b.Dir, true, storage.Options{})
			b.Must(err)
			if len(found.Problems) == 0 || !strings.Contains(fmt.Sprint(found.Problems), says) ||
				table == "commit_digests" && (len(found.Problems) != 1 || found.Problems[0].Commit != c.ID) {
				t.Errorf("found %v", found.Problems)
			}
		})
	}
}

// A digest that can't be recorded, as on a full disk, is told all the same, and computed again the next time.
func TestADigestThatCanNotBeKept(t *testing.T) {
	full := false
	b := reopen(t, t.TempDir(), storage.Options{Hook: func(op, path string) error {
		if full && op == "commit" {
			return syscall.ENOSPC
		}
		return nil
	}})
	d := b.Create("d", "id")
	c := b.JSON(d, "append", `[{"id":1}]`)
	full = true
	want := storagetest.DigestOf([]map[string]any{{"id": 1.0}})
	b.alike("not kept", b.DigestAt(d, "head"), want)
	known, err := b.Digests.Known(context.Background(), []int64{c.ID})
	b.Must(err)
	if len(known) > 0 {
		t.Errorf("known are %v", known)
	}
	full = false
	b.alike("kept", b.DigestAt(d, "head"), want)
	if known, err = b.Digests.Known(context.Background(), []int64{c.ID}); err != nil || known[c.ID] != want {
		t.Errorf("known are %v, %v", known, err)
	}
}
