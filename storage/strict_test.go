package storage_test

import (
	"context"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
)

// Records need not have _id, which the server assigns, to have all columns of a dataset.
func TestAStrictAppendWithoutRowIDs(t *testing.T) {
	b := open(t)
	d := b.Create("d")
	b.JSON(d, catalog.Append, `[{"x":1}]`)
	strict := func(mode catalog.Mode, body string) error {
		_, err := b.Commit(context.Background(), d, storage.Change{
			Mode: mode, Upload: b.Upload(intake.JSON, body), Strict: true,
		})
		return err
	}
	b.Must(strict(catalog.Append, `[{"x":2}]`))
	b.Must(strict(catalog.Append, `[{"_id":7,"x":3}]`))
	b.Want(d, "head", `{"_id":1,"x":1}`, `{"_id":2,"x":2}`, `{"_id":7,"x":3}`)
	for body, code := range map[string]string{
		`[{"_id":9}]`: "schema_mismatch", `[{"x":1,"y":2}]`: "schema_mismatch",
	} {
		if e := storage.Explain(strict(catalog.Append, body)); e.Code != code {
			t.Errorf("%s: %s", body, e.Code)
		}
	}
	if strict(catalog.Overwrite, `[{"x":1}]`) == nil {
		t.Error("an overwrite without _id")
	}
}
