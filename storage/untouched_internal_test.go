package storage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
)

// Undoing a commit whose records nobody touched since reads none of the commits after it, however many there are. As
// soon as one of them was touched, even if that was undone or restored, the commits after it are looked at.
func TestCommitsAfterAnUntouchedOneAreNotRead(t *testing.T) {
	ctx := context.Background()
	store, err := Open(ctx, t.TempDir(), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	u := undoer{t, store, filepath.Join(t.TempDir(), "upload"), ""}

	u.begun(`[{"id":1,"a":1},{"id":2,"a":2}]`)
	first := u.commit(catalog.Upsert, `[{"id":1,"a":3},{"id":3,"a":1}]`)
	for _, body := range []string{`[{"id":4,"a":1}]`, `[{"id":4,"a":2}]`, `[{"id":2,"a":2.5}]`} {
		u.commit(catalog.Upsert, body)
	}
	u.want(first, 0, 0)

	u.begun(`[{"id":9,"a":9}]`)
	second := u.commit(catalog.Upsert, `[{"id":1,"a":3},{"id":5,"a":5}]`)
	later := u.commit(catalog.Upsert, `[{"id":6,"a":6}]`)
	undone, err := store.Rollback(ctx, u.dataset, later, Records, Request{})
	if err != nil {
		t.Fatal(err)
	}
	u.want(second, 0, 0)
	u.commit(catalog.Delete, `[{"id":5}]`)
	u.want(second, 3, 1)

	u.begun(`[{"id":1,"a":1}]`)
	third := u.commit(catalog.Append, `[{"id":2,"a":2}]`)
	touching := u.commit(catalog.Upsert, `[{"id":2,"a":3}]`)
	if undone, err = store.Rollback(ctx, u.dataset, touching, Records, Request{}); err != nil {
		t.Fatal(err)
	}
	u.want(third, 2, 0) // it is looked at, and what was undone does not block

	u.begun(`[{"id":1,"a":1}]`)
	fourth := u.commit(catalog.Append, `[{"id":2,"a":2}]`)
	u.commit(catalog.Upsert, `[{"id":2,"a":3}]`)
	if _, err = store.Restore(ctx, u.dataset, fmt.Sprint(fourth), Request{}); err != nil {
		t.Fatal(err)
	}
	u.want(fourth, 2, 2) // who restores did touch the record

	u.begun(`[{"id":1,"a":1}]`)
	removed := u.commit(catalog.Delete, `[{"id":1}]`)
	u.commit(catalog.Append, `[{"id":2,"a":2}]`)
	u.want(removed, 1, 0) // a delete leaves no row to look at

	u.begun(`[{"id":1,"a":1}]`)
	redone := u.commit(catalog.Append, `[{"id":2,"a":2}]`)
	if undone, err = store.Rollback(ctx, u.dataset, redone, Records, Request{}); err != nil {
		t.Fatal(err)
	}
	if _, err = store.Rollback(ctx, u.dataset, undone.ID, Records, Request{}); err != nil {
		t.Fatal(err)
	}
	u.want(redone, 2, 0)
}

// undoer makes commits in a store, and asks whether they can be undone.
type undoer struct {
	*testing.T
	store   *Store
	path    string // of uploads
	dataset string
}

// begun creates a dataset, with records, and returns the commit that they came with.
func (u *undoer) begun(records string) int64 {
	u.Helper()
	about := NewDataset{ProjectID: 1, Name: u.dataset + "x", Key: []string{"id"}}
	d, err := u.store.CreateDataset(u.Context(), about, Request{})
	if err != nil {
		u.Fatal(err)
	}
	u.dataset = d.Dataset.ID
	return u.commit(catalog.Append, records)
}

func (u *undoer) commit(mode catalog.Mode, records string) int64 {
	u.Helper()
	if err := os.WriteFile(u.path, []byte(records), 0o600); err != nil {
		u.Fatal(err)
	}
	upload := intake.Upload{Format: intake.JSON, Path: u.path}
	c, err := u.store.Commit(u.Context(), u.dataset, Change{Mode: mode, Upload: upload})
	if err != nil {
		u.Fatal(err)
	}
	return c.ID
}

// want checks how many commits are read to tell whether one can be undone, and how many block it.
func (u *undoer) want(commit int64, read, blocking int) {
	u.Helper()
	head, err := u.store.Snapshot(u.Context(), u.dataset, "head")
	if err != nil {
		u.Fatal(err)
	}
	found, err := u.store.blockers(u.Context(), head, commit, Records)
	if err != nil {
		u.Fatal(err)
	}
	if len(found.after) != read || len(found.answer.Blockers) != blocking {
		u.Errorf("%d commits are read, and %d block; not %d and %d",
			len(found.after), len(found.answer.Blockers), read, blocking)
	}
}
