package storage_test

import (
	"context"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// A commit that changes nothing would only stand in the way of rollbacks.
func TestAnEditOfPropertiesThatChangesNothingMakesNoCommit(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x", "id")
	head := b.JSON(d, "append", `[{"id":1}]`)
	name, none, granularity := "x", []string{}, catalog.ByColumn
	for what, e := range map[string]storage.Edit{
		"nothing": {}, "the same name": {Name: &name}, "no required columns": {Required: &none},
		"metadata that is not there": {Metadata: catalog.Metadata{"k": nil}},
		"the same granularity":       {MergeGranularity: &granularity},
		"no exclusion":               {Exclusion: &catalog.Exclusion{}},
	} {
		if c, err := b.EditDataset(ctx, d, e, storage.Request{}); err != nil || c.ID != head.ID {
			t.Errorf("%s: commit %d, %v; want %d", what, c.ID, err, head.ID)
		}
	}
}
