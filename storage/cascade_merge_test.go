package storage_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

func (b *bench) cascade(d string, commit int64) catalog.Commit {
	b.Helper()
	c, err := b.Cascade(context.Background(), d, commit, storage.Stack, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// A cascade undoes commits of variables and of records alike. Where the files can't be linked, its records are compared
// in all columns, not only in those whose variables it changed.
func TestAMergedCascadeUndoesRecordsToo(t *testing.T) {
	for _, g := range []catalog.Granularity{catalog.ByColumn, catalog.ByRow} {
		b := open(t)
		d, f := b.sides(g)
		first := b.JSON(f, catalog.Upsert, `[{"id":1,"y":10},{"id":2,"y":20}]`)
		values := []json.RawMessage{json.RawMessage("7"), json.RawMessage("8"), json.RawMessage("9")}
		v := storage.NewVariable{Name: "v", Values: values}
		_, _, err := b.CreateVariable(context.Background(), f, v, storage.Request{})
		if err != nil {
			t.Fatal(err)
		}
		b.MakeMerge(f, d)
		b.JSON(d, catalog.Upsert, `[{"id":3,"x":"here"}]`)
		want := []string{`{"id":1,"x":"a","y":1}`, `{"id":2,"x":"b","y":2}`, `{"id":3,"x":"here","y":3}`}
		if g == catalog.ByColumn {
			b.JSON(d, catalog.Upsert, `[{"id":1,"x":"too"}]`)
			want[0] = `{"id":1,"x":"too","y":1}`
		}
		b.cascade(f, first.ID)
		b.Want(f, "head", `{"id":1,"x":"a","y":1}`, `{"id":2,"x":"b","y":2}`, `{"id":3,"x":"c","y":3}`)
		b.MakeMerge(f, d)
		b.Want(d, "head", want...)
		b.since(f)
		b.Sound()
	}
}

// Where all that a cascade undid is about variables, records that the target changed or removed since are no conflict:
// only the values of those variables are compared.
func TestAMergedCascadeOfVariablesLeavesRecordsAlone(t *testing.T) {
	b := open(t)
	d, f := b.sides(catalog.ByRow)
	values := []json.RawMessage{json.RawMessage("7"), json.RawMessage("8"), json.RawMessage("9")}
	v := storage.NewVariable{Name: "v", Values: values}
	made, _, err := b.CreateVariable(context.Background(), f, v, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	b.rename(f, "v", "w")
	b.MakeMerge(f, d)
	b.JSON(d, catalog.Delete, `[{"id":2}]`)
	b.JSON(d, catalog.Upsert, `[{"id":3,"x":"here"}]`)
	b.cascade(f, made.ID)
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"x":"a","y":1}`, `{"id":3,"x":"here","y":3}`)
	b.Sound()
}

// What is said of a dataset stays where it was said, but not the records of a restore that a cascade undid with it.
func TestACascadeOfAnEditIsMergedForItsRecords(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d, f := b.sides("")
	one, two := "one", "two"
	b.JSON(f, catalog.Upsert, `[{"id":1,"y":10}]`)
	edit, err := b.EditDataset(ctx, f, storage.Edit{Description: &one}, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Restore(ctx, f, "head~2", storage.Request{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.EditDataset(ctx, f, storage.Edit{Description: &two}, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"x":"a","y":1}`, `{"id":2,"x":"b","y":2}`, `{"id":3,"x":"c","y":3}`)
	b.cascade(f, edit.ID)
	b.MakeMerge(f, d)
	b.Want(d, "head", b.Rows(f, "head", false)...)
	b.Want(d, "head", `{"id":1,"x":"a","y":10}`, `{"id":2,"x":"b","y":2}`, `{"id":3,"x":"c","y":3}`)
	b.since(f, "Dataset.edit", "Dataset.edit")
	b.Sound()
}
