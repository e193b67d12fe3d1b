package storage_test

import (
	"context"
	"testing"

	"rowback/storage"
	"rowback/storage/catalog"
)

func TestSavepointBeforeTheFirstCommit(t *testing.T) {
	b := open(t)
	d := b.create("d")
	p, made, err := b.CreateSavepoint(context.Background(), d, "empty", storage.Request{})
	if err != nil || !made {
		t.Fatal(made, err)
	}
	b.json(d, catalog.Append, `[{"x":1}]`)
	if _, err := b.Revert(context.Background(), d, p.ID, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.want(d, "head")
	b.sound()
}

func TestARevertThatIsMergedLeavesSavepointsOnTheList(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	b.json(d, catalog.Append, `[{"id":9,"x":"z"}]`)
	if _, _, err := b.CreateSavepoint(context.Background(), d, "mine", storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.json(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	b.json(f, catalog.Delete, `[{"id":2}]`)
	if _, err := b.Revert(context.Background(), f, "master__000000", storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.merge(f, d)
	if list, err := b.Savepoints(context.Background(), d); err != nil || len(list) != 2 {
		t.Errorf("%+v %v", list, err)
	}
}
