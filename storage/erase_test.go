package storage_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// An erased record is in no state any more, and what commits say of records is what is left.
func TestARecordIsErasedFromAllHistory(t *testing.T) {
	b := open(t)
	d := b.Create("people", "id")
	first := b.JSON(d, catalog.Append, `[{"id":1,"x":"a"},{"id":2,"x":"b"},{"id":3,"x":"c"}]`)
	second := b.JSON(d, catalog.Upsert, `[{"id":2,"x":"B"},{"id":4,"x":"d"}]`)
	third := b.JSON(d, catalog.Delete, `[{"id":2},{"id":1}]`)
	fourth := b.JSON(d, catalog.Append, `[{"id":2,"x":"again"}]`)
	out := b.EraseKeys(d, "2")
	if out.ID == 0 || out.Records != 1 || out.Rows != 3 {
		t.Errorf("erased %+v", out)
	}
	b.Want(d, "head", `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	b.Want(d, fmt.Sprint(first.ID), `{"id":1,"x":"a"}`, `{"id":3,"x":"c"}`)
	b.Want(d, fmt.Sprint(second.ID), `{"id":1,"x":"a"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	b.Want(d, fmt.Sprint(third.ID), `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	for id, want := range map[int64]string{
		first.ID: "+2 -0 ~0 =2", second.ID: "+1 -0 ~0 =3", third.ID: "+0 -1 ~0 =2", fourth.ID: "+0 -0 ~0 =2",
	} {
		c := b.commitAt(d, id)
		if storagetest.Counts(c) != want || c.ErasedAt.IsZero() {
			t.Errorf("commit %d is %s, erased at %v; want %s", id, storagetest.Counts(c), c.ErasedAt, want)
		}
	}
	b.Sound()
	if _, err := b.TryRollback(d, fourth.ID, storage.Stack); err != nil {
		t.Error("a commit whose records are gone:", err)
	}
	if _, err := b.TryRollback(d, third.ID, storage.Records); err != nil {
		t.Error(err)
	}
	b.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	b.Sound()
	b.Reopened(t, true).Want(d, "head", `{"id":1,"x":"a"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
}

func (b *bench) commitAt(d string, id int64) (c catalog.Commit) {
	b.Helper()
	c, err := b.CommitByID(context.Background(), d, id)
	if err != nil {
		b.Fatal(err)
	}
	return c
}
