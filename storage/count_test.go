package storage_test

import (
	"context"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

func TestARollbackDoesNotCountValuesThatAreDropped(t *testing.T) {
	b := open(t)
	d := b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id":1,"x":"a","y":"one"},{"id":2,"x":"b","y":"2"}]`)
	c := b.JSON(d, catalog.Upsert, `[{"id":1,"y":"uno"},{"id":2,"x":"B"},{"id":3,"y":"3"}]`)
	b.drop(d, "y")
	var dry storage.Preview
	told, err := b.Store.Rollback(context.Background(), d, c.ID, storage.Records, storage.Request{Preview: &dry})
	if err != nil || storagetest.Counts(told) != "+0 -1 ~1 =2" || len(dry.Modified) != 1 {
		t.Errorf("dry: %s, %v, %v", storagetest.Counts(told), dry.Modified, err)
	}
	if r := b.Undo(d, c.ID); storagetest.Counts(r) != "+0 -1 ~1 =2" {
		t.Error(storagetest.Counts(r))
	}
	b.Sound()
}

func TestAMergeDoesNotCountValuesThatTheTargetDropped(t *testing.T) {
	b := open(t)
	d, f := b.sides("")
	b.JSON(f, catalog.Upsert, `[{"id":1,"y":10},{"id":2,"y":20,"x":"B"}]`)
	b.drop(d, "y")
	m := b.MakeMerge(f, d)
	if storagetest.Counts(m.Commit) != "+0 -0 ~1 =3" || storagetest.Counts(m.Played[0]) != "+0 -0 ~1 =3" {
		t.Errorf("%s, played %s", storagetest.Counts(m.Commit), storagetest.Counts(m.Played[0]))
	}
	b.Sound()
}
