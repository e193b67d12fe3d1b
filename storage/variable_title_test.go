package storage_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/schema"
)

func (b *bench) title(d, name, title string) int64 {
	b.Helper()
	c, _ := b.edit(d, name, storage.VariableEdit{Title: &title})
	return c.ID
}

func (b *bench) titleOf(d, name string) string {
	b.Helper()
	c, _ := b.SchemaAt(d, "head").ByName(name)
	return c.Title
}

func TestATitleIsApartFromTheName(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"id":1,"price":2}]`)
	b.title(d, "price", "Price, in euros")
	b.JSON(d, "append", `[{"id":2,"price":3}]`)
	b.rename(d, "price", "cost")
	if got := b.titleOf(d, "cost"); got != "Price, in euros" {
		t.Errorf("after a rename the title is %q", got)
	}
	b.LoseCatalog()
	if got := b.titleOf(d, "cost"); got != "Price, in euros" {
		t.Errorf("rebuilt, the title is %q", got)
	}
	if b.title(d, "cost", "cost"); b.titleOf(d, "cost") != "" {
		t.Error("a title that is the name is kept")
	}

	d = b.Create("others", "id")
	b.JSON(d, "append", `[{"id":1,"price":2}]`)
	before := stateOf(b, d)
	made := b.title(d, "price", "Price, in euros")
	after := stateOf(b, d)
	undone := b.Undo(d, made)
	if got := stateOf(b, d); got != before {
		t.Errorf("undone\n got %s\nwant %s", got, before)
	}
	b.Undo(d, undone.ID)
	if got := stateOf(b, d); got != after {
		t.Errorf("redone\n got %s\nwant %s", got, after)
	}
	b.Sound()
}

func TestTitlesAreMergedAndRestored(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	b.title(f, "x", "Letter")
	b.MakeMerge(f, d)
	if got := b.titleOf(d, "x"); got != "Letter" {
		t.Errorf("merged, the title is %q", got)
	}
	_, archive := b.Archive(d, "head")
	made, err := b.CreateFromBackup(context.Background(), bytes.NewReader(archive), "again", 1, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.titleOf(made.Dataset.ID, "x"); got != "Letter" {
		t.Errorf("from a backup, the title is %q", got)
	}
	b.title(f, "x", "Sign")
	b.title(d, "x", "Character")
	b.refusedMerge("merge_conflict", d, storage.Merge{Source: f, Autorollback: true})
	for _, title := range []string{" ", "a\nb", strings.Repeat("x", 1001)} {
		_, _, err := b.TryEdit(d, "x", storage.VariableEdit{Title: &title})
		wantRefusal(t, err, "invalid_title")
	}
	b.Sound()
}

// What an expression was written as is kept beside the SQL that it became, and refers to columns as that does.
func TestAnExpressionStaysWithItsDerivation(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"x":1,"id":1,"n":2}]`)
	n := schema.Reference(b.ColumnID(d, "n"))
	b.variable(d, storage.NewVariable{Name: "twice", Derivation: "n * 2", Expression: `{"var":` + n + `}`})
	_, archive := b.Archive(d, "head")
	b.LoseCatalog()
	expression := func(d string) string {
		c, _ := b.SchemaAt(d, "head").ByName("twice")
		return c.Expression
	}
	if got := expression(d); got != `{"var":`+n+`}` {
		t.Errorf("rebuilt, it is %s", got)
	}
	other := b.Create("other", "id")
	b.JSON(other, "append", `[{"id":1,"m":0},{"id":2,"n":3}]`)
	_, err := b.RestoreBackup(context.Background(), other, bytes.NewReader(archive), storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := expression(other), `{"var":`+schema.Reference(b.ColumnID(other, "n"))+`}`; got != want {
		t.Errorf("in another dataset it is %s, not %s", got, want)
	}
	sql := "n * 3"
	b.edit(d, "twice", storage.VariableEdit{Derivation: &sql})
	if got := expression(d); got != "" {
		t.Errorf("derived by SQL, it is %s", got)
	}
	b.Sound()
}
