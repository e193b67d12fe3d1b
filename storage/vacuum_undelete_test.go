package storage_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/storagetest"
)

// A dataset that is about to be removed for good can't be brought back meanwhile: whoever was told that it is back has
// it.
func TestADatasetIsNotBroughtBackWhileItIsRemoved(t *testing.T) {
	var meanwhile func()
	b := reopen(t, t.TempDir(), storage.Options{Deleted: 1, Hook: func(op, path string) error {
		if ask := meanwhile; ask != nil && op == "write" && strings.HasSuffix(path, "removal.json") {
			meanwhile = nil
			ask()
		}
		return nil
	}})
	id, _ := b.Overwritten("d", 3)
	storagetest.Must(t, b.DeleteDataset(t.Context(), id, storage.Request{}))
	asked, isBack := false, false
	meanwhile = func() {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := b.UndeleteDataset(ctx, id, storage.Request{})
		asked, isBack = true, err == nil
	}
	storagetest.Must(t, b.Vacuums.RunAll(t.Context()))
	_, err := b.Snapshot(t.Context(), id, "head")
	if code := storage.Explain(err).Code; !asked || isBack || code != "dataset_vacuumed" {
		t.Errorf("asked: %v; it was brought back: %v; then reading it: %v", asked, isBack, err)
	}
	b.Sound()
}
