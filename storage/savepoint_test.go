package storage_test

import (
	"context"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

func TestTheFirstSavepointTakesADescription(t *testing.T) {
	b := open(t)
	d, _ := b.Pair("id")
	first := b.MakeSavepoint(d, storage.NewSavepoint{Description: "before cleaning"}, false)
	if first.Number != 0 || first.Description != "before cleaning" {
		t.Errorf("%+v", first)
	}
	if again := b.MakeSavepoint(d, storage.NewSavepoint{Description: "other"}, false); again.Description != "before cleaning" {
		t.Errorf("%+v", again)
	}
}

func TestSavepointBeforeTheFirstCommit(t *testing.T) {
	b := open(t)
	d := b.Create("d")
	p := b.MakeSavepoint(d, storage.NewSavepoint{Description: "empty"}, true)
	b.JSON(d, catalog.Append, `[{"x":1}]`)
	if _, err := b.Revert(context.Background(), d, p.ID, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.Want(d, "head")
	b.Sound()
}

func TestAVersionBeforeTheFirstCommitIsGoneBackTo(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d := b.Create("d")
	for range 2 {
		if _, err := b.Increment(ctx, d, storage.NewVersion{Part: "patch", Force: true}, storage.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.RollbackVersion(ctx, d, "1.0.0", storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.Want(d, "head")
	b.Sound()
}

func TestARevertThatIsMergedLeavesSavepointsOnTheList(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	b.JSON(d, catalog.Append, `[{"id":9,"x":"z"}]`)
	b.MakeSavepoint(d, storage.NewSavepoint{Description: "mine"}, true)
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	b.JSON(f, catalog.Delete, `[{"id":2}]`)
	if _, err := b.Revert(context.Background(), f, "master__000000", storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.MakeMerge(f, d)
	if list, err := b.Savepoints(context.Background(), d); err != nil || len(list) != 2 {
		t.Errorf("%+v %v", list, err)
	}
}
