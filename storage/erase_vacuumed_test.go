package storage_test

import (
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// A record is erased also where vacuum has removed the state after a rollback, a restore or a merge, which then can't
// be compared with the one before.
func TestARecordIsErasedAfterAVacuum(t *testing.T) {
	b := open(t)
	d := b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id":1,"v":"a"},{"id":2,"v":"a"}]`)
	changed := b.JSON(d, catalog.Upsert, `[{"id":1,"v":"b"},{"id":2,"v":"b"}]`)
	_, err := b.CreateTag(t.Context(), d, storage.NewTag{Name: "kept"}, storage.Request{})
	storagetest.Must(t, err)
	undone, err := b.TryRollback(d, changed.ID, storage.Stack)
	storagetest.Must(t, err)
	b.JSON(d, catalog.Append, `[{"id":3,"v":"a"}]`)
	none := int64(0)
	b.Retains(d, catalog.Retention{Commits: &none, Tags: true})
	b.VacuumAll(d)
	if c := b.commitAt(d, undone.ID); c.VacuumedAt.IsZero() {
		t.Fatal("the state after the rollback is there")
	}
	b.EraseKeys(d, "1")
	b.Want(d, "head", `{"id":2,"v":"a"}`, `{"id":3,"v":"a"}`)
	b.Want(d, "kept", `{"id":2,"v":"b"}`)
	b.Sound()
	b.Reopened(t, true)
}
