package storage_test

import (
	"context"
	"testing"

	"github.com/rowback/rowback/storage"
)

// Whatever others commit meanwhile, an edit that changes nothing does not return their commit.
func TestAnEditOfAVariableThatChangesNothingReturnsNoCommit(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", items)
	price := b.ColumnID(d, "price")
	b.JSON(d, "delete", `[{"id":1}]`)
	before := stateOf(b, d)
	name := "price"
	k, c, err := b.EditVariable(context.Background(), d, price, storage.VariableEdit{Name: &name}, storage.Request{})
	if err != nil || k.ID != 0 || c.Name != name {
		t.Errorf("commit %d, %q, %v", k.ID, c.Name, err)
	}
	if after := stateOf(b, d); after != before {
		t.Errorf("got %s\nwant %s", after, before)
	}
}
