package storage_test

import (
	"context"
	"testing"

	"rowback/storage"
	"rowback/storage/catalog"
)

func TestAVersionBeforeTheFirstCommitIsGoneBackTo(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d := b.create("d")
	for range 2 {
		if _, err := b.Increment(ctx, d, "patch", "", storage.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.RollbackVersion(ctx, d, "1.0.0", storage.Request{}); err != nil {
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
