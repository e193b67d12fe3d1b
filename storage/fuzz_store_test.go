package storage_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

// The files of a store that say what its objects are: whatever one of them has become, a store whose catalog is lost
// opens, and what cannot be placed is in quarantine.
func FuzzDescriptions(f *testing.F) {
	store := described(f)
	files := []string{
		filepath.Join("objects", "*", "2", "commit.json"), filepath.Join("objects", "*", "labels", "dataset.json"),
		filepath.Join("objects", "*", "labels", "version-1.0.0.json"), filepath.Join("objects", "*", "labels",
			"deleted.json"),
	}
	for i, pattern := range files {
		f.Add(uint8(i), []byte(`{}`))
		if found, _ := filepath.Glob(filepath.Join(store, pattern)); len(found) == 1 {
			text, err := os.ReadFile(found[0])
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), text)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		dir := storagetest.Copied(t, store)
		storagetest.WithCatalog(t, dir, nil)
		directories, err := filepath.Glob(filepath.Join(dir, "objects", "*"))
		if err != nil || len(directories) != 1 {
			t.Fatal(directories, err)
		}
		parts, _ := filepath.Rel(filepath.Join("objects", "*"), files[int(which)%len(files)])
		if err := os.WriteFile(filepath.Join(directories[0], parts), text, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := storage.Open(context.Background(), dir, storage.Options{Threads: 1, Memory: 2e9})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Check(context.Background(), false); err != nil {
			t.Fatal(err)
		}
	})
}

// described is the directory of a closed store with a dataset, two commits and a version.
func described(f *testing.F) (dir string) {
	dir = f.TempDir()
	ctx := context.Background()
	s, err := storage.Open(ctx, dir, storage.Options{Threads: 1, Memory: 2e9})
	if err != nil {
		f.Fatal(err)
	}
	defer s.Close()
	d, err := s.CreateDataset(ctx, storage.NewDataset{ProjectID: 1, Name: "d", Key: []string{"id"}}, storage.Request{})
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range []string{`[{"id":1,"v":"a"}]`, `[{"id":1,"v":"b"}]`} {
		path := filepath.Join(f.TempDir(), "upload")
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			f.Fatal(err)
		}
		u := intake.Upload{Format: intake.JSON, Path: path, Size: int64(len(body))}
		if _, err := s.Commit(ctx, d.Dataset.ID, storage.Change{Mode: catalog.Upsert, Upload: u}); err != nil {
			f.Fatal(err)
		}
	}
	if _, err := s.Increment(ctx, d.Dataset.ID, storagetest.Forced("patch", ""), storage.Request{}); err != nil {
		f.Fatal(err)
	}
	return dir
}
