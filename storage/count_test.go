package storage_test

import (
	"context"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

func TestARollbackDoesNotCountValuesThatAreDropped(t *testing.T) {
	b := open(t)
	d := b.create("d", "id")
	b.json(d, catalog.Append, `[{"id":1,"x":"a","y":"one"},{"id":2,"x":"b","y":"2"}]`)
	c := b.json(d, catalog.Upsert, `[{"id":1,"y":"uno"},{"id":2,"x":"B"},{"id":3,"y":"3"}]`)
	b.drop(d, "y")
	var dry storage.Preview
	told, err := b.Store.Rollback(context.Background(), d, c.ID, storage.Records, storage.Request{Preview: &dry})
	if err != nil || counts(told) != "+0 -1 ~1 =2" || len(dry.Modified) != 1 {
		t.Errorf("dry: %s, %v, %v", counts(told), dry.Modified, err)
	}
	if r := b.undo(d, c.ID); counts(r) != "+0 -1 ~1 =2" {
		t.Error(counts(r))
	}
	b.sound()
}

func TestAMergeDoesNotCountValuesThatTheTargetDropped(t *testing.T) {
	b := open(t)
	d, f := b.sides("")
	b.json(f, catalog.Upsert, `[{"id":1,"y":10},{"id":2,"y":20,"x":"B"}]`)
	b.drop(d, "y")
	m := b.merge(f, d)
	if counts(m.Commit) != "+0 -0 ~1 =3" || counts(m.Played[0]) != "+0 -0 ~1 =3" {
		t.Errorf("%s, played %s", counts(m.Commit), counts(m.Played[0]))
	}
	b.sound()
}
