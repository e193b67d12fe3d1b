package storage_test

import (
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
)

// The first records are appended, whatever the mode; a delete makes no dataset.
func TestFirstRecordsAreAppended(t *testing.T) {
	b := open(t)
	for _, mode := range []catalog.Mode{catalog.Append, catalog.Overwrite, catalog.Upsert, catalog.Replace,
		catalog.Delete} {
		n := storage.NewDataset{ProjectID: 1, Name: string(mode), Key: []string{"id"}}
		c := storage.Change{Mode: mode, Upload: b.Upload(intake.JSON, `[{"id":1}]`)}
		made, err := b.CreateWithRecords(t.Context(), n, c)
		if mode == catalog.Delete {
			wantRefusal(t, err, "dataset_not_found")
			continue
		}
		if err != nil || made.Commit.Mode != catalog.Append || made.Commit.Added != 1 {
			t.Errorf("%s: %+v, %v", mode, made.Commit, err)
		}
	}
	_, err := b.FindDataset(t.Context(), 1, "delete")
	wantRefusal(t, err, "dataset_not_found")
	b.Sound()
}
