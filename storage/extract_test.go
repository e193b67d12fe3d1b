package storage_test

import (
	"context"
	"os"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// What is said of columns comes with the records that bring them, and goes with them.
func TestColumnsAreDescribedWithTheirRecords(t *testing.T) {
	b := open(t)
	from, to := b.Create("from", "id"), b.Create("to", "id")
	b.JSON(from, "append", `[{"id":3,"kind":"x","n":1},{"id":4,"kind":"y","n":2}]`)
	b.JSON(to, "append", `[{"id":1}]`)
	before := stateOf(b, to)
	snap, err := b.Snapshot(context.Background(), from, "head")
	if err != nil {
		t.Fatal(err)
	}
	kinds := []schema.Category{{ID: 1, Name: "x"}, {ID: 2, Name: "y"}}
	kind := schema.Column{Name: "kind", Title: "Kind", Description: "of it", Categories: kinds}
	u, rows, err := b.Extract(context.Background(), snap, snap.Schema.Columns, nil, func(from string) string {
		return "SELECT id, kind FROM " + from + " WHERE n > 1"
	})
	if err != nil || rows != 1 {
		t.Fatal(rows, err)
	}
	defer os.Remove(u.Path)
	change := storage.Change{Mode: catalog.Append, Upload: u, Columns: []schema.Column{kind}}
	c, err := b.Commit(context.Background(), to, change)
	if err != nil {
		t.Fatal(err)
	}
	b.Want(to, "head", `{"id":1,"kind":null}`, `{"id":4,"kind":"y"}`)
	b.LoseCatalog()
	got, _ := b.SchemaAt(to, "head").ByName("kind")
	if got.Title != "Kind" || got.Description != "of it" || len(got.Categories) != 2 {
		t.Errorf("%+v", got)
	}
	b.Undo(to, c.ID)
	if after := stateOf(b, to); after != before {
		t.Errorf("undone\n got %s\nwant %s", after, before)
	}
	b.Sound()
}
