package storage_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
)

// A label that is damaged is not written again without the receipts that it had.
func TestADamagedLabelIsNotReplaced(t *testing.T) {
	ctx, b := context.Background(), open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1}]`)
	p, err := b.CreateSavepoint(ctx, d, storage.NewSavepoint{Description: "kept"}, storage.Request{})
	b.Must(err)
	b.Must(b.DeleteDataset(ctx, d, storage.Request{}))
	labels := filepath.Join(b.Dir, "objects", d, "labels")
	damaged := func(file string, change func() error) {
		t.Helper()
		path := filepath.Join(labels, file+".json")
		was, err := os.ReadFile(path)
		b.Must(err)
		b.Must(os.WriteFile(path, []byte("{ damaged"), 0o600))
		if e := storage.Explain(change()); e == nil || e.Kind != fault.Corrupt {
			t.Errorf("%s: %v", file, e)
		}
		if now, _ := os.ReadFile(path); string(now) != "{ damaged" {
			t.Errorf("%s was replaced by %s", file, now)
		}
		b.Must(os.WriteFile(path, was, 0o600))
		b.Must(change())
	}
	damaged("deleted", func() error { _, err := b.UndeleteDataset(ctx, d, storage.Request{}); return err })
	name := storage.SavepointName(p.Number)
	damaged(name, func() error { _, err := b.DescribeSavepoint(ctx, d, name, "described", storage.Request{}); return err })
	damaged("deleted", func() error { return b.DeleteDataset(ctx, d, storage.Request{}) })
}
