package storagetest

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// MergeWith merges as asked, and fails the test where that is refused.
func (b *Bench) MergeWith(from, into string, m storage.Merge) storage.Merged {
	b.Helper()
	m.Source, m.Autorollback = from, true
	out, err := b.Merge(context.Background(), into, m, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// MakeFork forks a dataset at a ref and returns the id of the fork.
func (b *Bench) MakeFork(of, name, ref string) string {
	b.Helper()
	s, err := b.Fork(context.Background(), of, storage.NewFork{Name: name, Ref: ref}, storage.Request{User: "f"})
	if err != nil {
		b.Fatal(err)
	}
	return s.Dataset.ID
}

// MakeMerge merges all of a dataset into another one, without conflicts.
func (b *Bench) MakeMerge(from, into string) storage.Merged {
	b.Helper()
	m, err := b.Merge(context.Background(), into, storage.Merge{Source: from, Autorollback: true}, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// DiskBytes is how many bytes of Parquet there are.
func (b *Bench) DiskBytes() (n int64) {
	filepath.Walk(b.Dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && strings.HasSuffix(path, ".parquet") {
			n += info.Size()
		}
		return nil
	})
	return n
}

// LoseCatalog closes the store, removes the catalog, and opens it again.
func (b *Bench) LoseCatalog() {
	b.Helper()
	b.Store.Close()
	for _, f := range []string{"catalog.db", "catalog.db-wal", "catalog.db-shm"} {
		os.Remove(filepath.Join(b.Dir, f))
	}
	s, err := storage.Open(context.Background(), b.Dir, storage.Options{Threads: 2})
	if err != nil {
		b.Fatal(err)
	}
	b.Store = s
	b.Cleanup(func() { s.Close() })
}

// Pair is a dataset with three records and a fork of it.
func (b *Bench) Pair(key ...string) (d, f string) {
	b.Helper()
	d = b.Create("up", key...)
	b.JSON(d, catalog.Append, `[{"id":1,"x":"a"},{"id":2,"x":"b"},{"id":3,"x":"c"}]`)
	return d, b.MakeFork(d, "fork", "head")
}
