package storage_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/storagetest"
)

// unpackStore unpacks a store that an older version made, and returns what it held, as that version told it.
func unpackStore(t *testing.T, name string) (dir, ledger string) {
	t.Helper()
	dir = t.TempDir()
	in, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	unzipped, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, h.Name)
		if h.FileInfo().IsDir() {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = write(path, r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "ledger.txt"))
	if err := errors.Join(err, os.Remove(filepath.Join(dir, "ledger.txt"))); err != nil {
		t.Fatal(err)
	}
	return dir, strings.TrimSpace(string(text))
}

func write(path string, r io.Reader) error {
	text, err := io.ReadAll(r)
	return errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o644))
}

// A store that was made before there was a store.json opens, with and without its catalog, and holds what it held; then
// it goes on, and holds that too without its catalog.
func TestStoresOfOlderVersions(t *testing.T) {
	for _, lost := range []bool{false, true} {
		dir, want := unpackStore(t, "store-before-store-json.tar.gz")
		found, err := storage.Inspect(context.Background(), dir, true, storage.Options{})
		if err != nil || len(found.Problems) > 0 || len(found.Forward) > 0 {
			t.Errorf("before it was opened: %+v, %v", found, err)
		}
		if lost {
			storagetest.WithCatalog(t, dir, nil)
		}
		b := reopen(t, dir, storage.Options{})
		b.Sound()
		if got := b.ledger(); got != want {
			t.Errorf("lost catalog: %v: got\n%s\nwant\n%s", lost, got, want)
		}
		if _, ok, _, err := b.Requests.Once(context.Background(), "ann", "k", "p"); ok == lost || err != nil {
			t.Errorf("lost catalog: %v: the receipt is there: %v, %v", lost, ok, err) // it is in no object of that version
		}
		b.goesOn()
	}
}

// goesOn uses a store in every way that writes labels, and shows the same with its catalog lost.
func (b *bench) goesOn() {
	b.Helper()
	ctx := context.Background()
	people, err := b.FindDataset(ctx, 1, "persons")
	if err != nil {
		b.Fatal(err)
	}
	list, err := b.Backups.List(ctx, people.ID)
	if err != nil {
		b.Fatal(err)
	}
	_, errVersion := b.RollbackVersion(ctx, people.ID, "1.1.0", storage.Request{})
	_, errIncrement := b.Increment(ctx, people.ID, storage.NewVersion{Part: "patch", Force: true}, storage.Request{})
	_, errDescribe := b.DescribeSavepoint(ctx, people.ID, "master__000000", "described", storage.Request{})
	_, errBackup := b.Backups.Make(ctx, people.ID, storage.NewBackup{Ref: "head"}, storage.Request{})
	errRemove := b.Backups.Remove(ctx, list[1], storage.Request{})
	if err := errors.Join(errVersion, errIncrement, errDescribe, errBackup, errRemove); err != nil {
		b.Fatal(err)
	}
	want := b.ledger()
	b.LoseCatalog()
	b.Sound()
	if got := b.ledger(); got != want {
		b.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
