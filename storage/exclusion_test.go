package storage_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

func (b *bench) exclude(d, condition string) (catalog.Commit, error) {
	b.Helper()
	e := catalog.Exclusion{}
	if condition != "" {
		e = catalog.Exclusion{Expression: `{"of":"` + condition + `"}`, Condition: condition}
	}
	return b.EditDataset(context.Background(), d, storage.Edit{Exclusion: &e}, storage.Request{})
}

// excluded is the condition of a dataset's exclusion, with names.
func (b *bench) excluded(d string) string {
	b.Helper()
	s, err := b.State(context.Background(), d, "head")
	if err != nil {
		b.Fatal(err)
	}
	if s.Properties.Exclusion == nil {
		return ""
	}
	return s.Schema.WithNames(s.Properties.Exclusion.Condition)
}

func (b *bench) wantExcluded(d, want string) {
	b.Helper()
	if got := b.excluded(d); got != want {
		b.Errorf("%s excludes %s, not %s", d, got, want)
	}
}

func TestAnExclusionIsAProperty(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"n":1,"id":1},{"n":2,"id":2}]`)
	first, err := b.exclude(d, "n > 1")
	if err != nil {
		t.Fatal(err)
	}
	b.Want(d, "head", `{"id":1,"n":1}`, `{"id":2,"n":2}`)
	b.rename(d, "n", "m")
	b.wantExcluded(d, `"m" > 1`)
	b.LoseCatalog()
	b.wantExcluded(d, `"m" > 1`)
	b.wantExcluded(b.MakeFork(d, "fork", "head"), `"m" > 1`)
	_, err = b.DropVariable(context.Background(), d, b.ColumnID(d, "m"), storage.Request{})
	wantRefusal(t, err, "variable_used")

	undone := b.Undo(d, first.ID)
	b.wantExcluded(d, "")
	b.Undo(d, undone.ID)
	b.wantExcluded(d, `"m" > 1`)
	if c, err := b.exclude(d, ""); err != nil || c.Mode != catalog.Edit {
		t.Error(c.Mode, err)
	}
	b.wantExcluded(d, "")
	b.Sound()
}

func TestTheExclusionAndTheNotesComeWithABackup(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"n":1,"id":1},{"n":2,"id":2}]`)
	if _, err := b.exclude(d, "n > 1"); err != nil {
		t.Fatal(err)
	}
	notes := "counted by hand"
	if _, err := b.EditDataset(context.Background(), d, storage.Edit{Notes: &notes}, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	_, archive := b.Archive(d, "head")
	made, err := b.CreateFromBackup(context.Background(), bytes.NewReader(archive), "again", 1, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	b.wantExcluded(made.Dataset.ID, `"n" > 1`)
	if made.Properties.Notes != notes {
		t.Errorf("the notes are %q", made.Properties.Notes)
	}
	other := b.Create("other", "id")
	b.JSON(other, "append", `[{"id":1,"x":0}]`)
	if _, err := b.RestoreBackup(context.Background(), other, bytes.NewReader(archive), storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.wantExcluded(other, `"n" > 1`)
}

func TestAnExclusionIsACondition(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	created := b.JSON(d, "append", `[{"n":1,"id":1}]`)
	for condition, code := range map[string]string{
		"n": "invalid_condition", "n + [1] > [2]": "invalid_condition",
		"nothing > 1": "invalid_derivation", "random() > 1": "invalid_derivation",
	} {
		_, err := b.exclude(d, condition)
		wantRefusal(t, err, code)
	}
	b.JSON(d, "append", `[{"id":2,"late":true}]`)
	if _, err := b.exclude(d, "late"); err != nil {
		t.Fatal(err)
	}
	restored, err := b.Restore(context.Background(), d, ref(created), storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.State(context.Background(), d, ref(restored))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := storage.Excluded(s); s.Properties.Exclusion != nil && err == nil {
		t.Error("an exclusion is computed of a column that is gone")
	}
	b.Sound()
}
