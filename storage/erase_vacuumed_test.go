package storage_test

import (
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// A record is erased also where vacuum has removed the state after a rollback, a restore or a merge, which then can't
// be compared with the one before.
func TestARecordIsErasedAfterAVacuum(t *testing.T) {
	b := open(t)
	d := b.create("d", "id")
	b.json(d, catalog.Append, `[{"id":1,"v":"a"},{"id":2,"v":"a"}]`)
	changed := b.json(d, catalog.Upsert, `[{"id":1,"v":"b"},{"id":2,"v":"b"}]`)
	_, err := b.CreateTag(t.Context(), d, storage.NewTag{Name: "kept"}, storage.Request{})
	must(t, err)
	undone, err := b.rollback(d, changed.ID, storage.Stack)
	must(t, err)
	b.json(d, catalog.Append, `[{"id":3,"v":"a"}]`)
	none := int64(0)
	b.retains(d, catalog.Retention{Commits: &none, Tags: true})
	b.vacuum(d)
	if c := b.commitAt(d, undone.ID); c.VacuumedAt.IsZero() {
		t.Fatal("the state after the rollback is there")
	}
	b.erase(d, "1")
	b.want(d, "head", `{"id":2,"v":"a"}`, `{"id":3,"v":"a"}`)
	b.want(d, "kept", `{"id":2,"v":"b"}`)
	b.sound()
	b.reopened(t, true)
}
