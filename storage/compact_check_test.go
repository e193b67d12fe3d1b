package storage_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// check compares a compacted file with what the catalog says that it is made of.
func TestCheckFindsACompactedFileThatDiffers(t *testing.T) {
	b := reopen(t, t.TempDir(), storagetest.Eager)
	id := b.Create("d", "id")
	for i := range 4 {
		b.JSON(id, catalog.Append, fmt.Sprintf(`[{"id":%d}]`, i))
	}
	b.CompactAll(id)
	b.Sound()
	b.Store.Close()

	db, err := sql.Open("sqlite3", filepath.Join(b.Dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	// The files of the commits are 1 to 4: the compacted file now claims to have the first of them twice.
	if _, err := db.Exec(`UPDATE compacted SET sources = '[1,1,3,4]'`); err != nil {
		t.Fatal(err)
	}
	db.Close()

	b = reopen(t, b.Dir, storage.Options{Threads: 2})
	problems, err := b.Check(t.Context(), true)
	if err != nil || len(problems) != 1 || !strings.Contains(fmt.Sprint(problems), "differs from what it was made of") {
		t.Errorf("check: %+v, %v", problems, err)
	}
}

// Backups of a state before and after it is compacted restore the same records.
func TestBackupsAcrossCompaction(t *testing.T) {
	b := reopen(t, t.TempDir(), storagetest.Eager)
	id := b.withRecords("d")
	b.smallCommits(id, 0, 9)
	want := b.Rows(id, "head", false)
	_, before := b.Archive(id, "head")
	if done := b.CompactAll(id); done.Made == 0 {
		t.Fatal("nothing was compacted")
	}
	_, after := b.Archive(id, "head")
	other := open(t)
	for i, archive := range [][]byte{before, after} {
		name := fmt.Sprint("copy ", i)
		made, err := other.CreateFromBackup(t.Context(), bytes.NewReader(archive), name, 0, storage.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if got := other.Rows(made.Dataset.ID, "head", false); !slices.Equal(got, want) {
			t.Errorf("%s: %d records, not %d", name, len(got), len(want))
		}
	}
	b.Sound()
}

// A rollback file that is damaged keeps what is made without its rows as it is, and nothing else from being compacted.
func TestCompactionNextToADamagedRollbackFile(t *testing.T) {
	b := reopen(t, t.TempDir(), storagetest.Eager)
	id := b.Create("d", "id")
	b.JSON(id, catalog.Append, idsAsJSON(0, 40))
	c := b.JSON(id, catalog.Delete, idsAsJSON(0, 30))
	b.CompactAll(id) // the live rows of the first file, without the deleted ones
	files, _ := filepath.Glob(filepath.Join(b.Dir, "objects", id, fmt.Sprint(c.ID), "rollback-*"))
	if len(files) != 1 {
		t.Fatalf("rollback files: %v", files)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(files[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	b.Store.Close()

	b = reopen(t, b.Dir, storagetest.Eager)
	problems, err := b.Check(t.Context(), true)
	if err != nil || len(problems) == 0 {
		t.Fatalf("check: %v, %v", problems, err)
	}
	for i := range 16 {
		b.JSON(id, catalog.Append, fmt.Sprintf(`[{"id":%d}]`, 100+i))
		if i == 7 {
			b.CompactAll(id)
		}
	}
	b.CompactAll(id)
	now, err := b.Snapshot(t.Context(), id, "head")
	if err != nil {
		t.Fatal(err)
	}
	if parts := now.DataParts(); len(parts) != 2 || parts[1].Rows != 16 {
		t.Errorf("the state is read from %d files", len(parts))
	}
}

// idsAsJSON are records with the ids from one until just before another, as JSON.
func idsAsJSON(from, until int) string {
	var ids []string
	for i := from; i < until; i++ {
		ids = append(ids, fmt.Sprintf(`{"id":%d}`, i))
	}
	return "[" + strings.Join(ids, ",") + "]"
}
