package storage_test

import (
	"context"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// savepoint makes a savepoint, or finds that the last one is still good.
func (b *bench) savepoint(dataset string, n storage.NewSavepoint, made bool) catalog.Savepoint {
	b.Helper()
	p, err := b.CreateSavepoint(context.Background(), dataset, n, storage.Request{})
	if err != nil || p.Made != made {
		b.Fatalf("made %v, want %v: %+v %v", p.Made, made, p, err)
	}
	return p.Savepoint
}

func TestTheFirstSavepointTakesADescription(t *testing.T) {
	b := open(t)
	d, _ := b.pair("id")
	first := b.savepoint(d, storage.NewSavepoint{Description: "before cleaning"}, false)
	if first.Number != 0 || first.Description != "before cleaning" {
		t.Errorf("%+v", first)
	}
	if again := b.savepoint(d, storage.NewSavepoint{Description: "other"}, false); again.Description != "before cleaning" {
		t.Errorf("%+v", again)
	}
}

func TestSavepointBeforeTheFirstCommit(t *testing.T) {
	b := open(t)
	d := b.create("d")
	p := b.savepoint(d, storage.NewSavepoint{Description: "empty"}, true)
	b.json(d, catalog.Append, `[{"x":1}]`)
	if _, err := b.Revert(context.Background(), d, p.ID, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.want(d, "head")
	b.sound()
}

func TestAVersionBeforeTheFirstCommitIsGoneBackTo(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d := b.create("d")
	for range 2 {
		if _, err := b.Increment(ctx, d, storage.NewVersion{Part: "patch", Force: true}, storage.Request{}); err != nil {
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
	b.savepoint(d, storage.NewSavepoint{Description: "mine"}, true)
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
