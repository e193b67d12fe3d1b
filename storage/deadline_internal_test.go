package storage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
)

// They hold the dataset, so they must not outlast the request.
func TestTheChecksAndThePreviewOfACommitEndWithItsRequest(t *testing.T) {
	ctx := context.Background()
	store, err := Open(ctx, t.TempDir(), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	d, err := store.CreateDataset(ctx, NewDataset{ProjectID: 1, Name: "x", Key: []string{"id"}}, Request{})
	if err != nil {
		t.Fatal(err)
	}
	upload := intake.Upload{Format: intake.JSON, Path: filepath.Join(t.TempDir(), "upload")}
	if err := os.WriteFile(upload.Path, []byte(`[{"id":1}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Commit(ctx, d.Dataset.ID, Change{Mode: catalog.Append, Upload: upload}); err != nil {
		t.Fatal(err)
	}
	for name, ready := range map[string]func(*work){
		"required": func(w *work) { w.properties.Required = []string{"id"} },
		"preview": func(w *work) {
			w.request.Preview = &Preview{}
			w.closed, w.commit.Removed = w.head.Files(), 1
		},
	} {
		ended, end := context.WithCancel(ctx)
		w, err := store.begin(ended, d.Dataset.ID, Request{}, catalog.Edit)
		if err != nil {
			t.Fatal(err)
		}
		w.properties.Description = "new"
		ready(w)
		end()
		if _, err := publish(ended, w, asCommit); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		w.end()
	}
}
