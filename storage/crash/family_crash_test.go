package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// A fork of a long history and merges of records that nobody else touched open no file but those that they play, which
// they verify: the others are taken away first.
func TestForksAndMergesWithoutOverlapOpenOnlyWhatTheyPlay(t *testing.T) {
	b := open(t)
	d := b.Create("d", "id")
	for i := range 80 {
		b.JSON(d, catalog.Append, fmt.Sprintf(`[{"id":%d,"x":"a"},{"id":%d,"x":"b"}]`, 10*i, 10*i+9))
	}
	shared := b.parquet()
	f := b.MakeFork(d, "f", "head")
	for i := range 20 {
		b.JSON(f, catalog.Upsert, fmt.Sprintf(`[{"id":%d,"x":"f"},{"id":%d,"y":1}]`, 20*i, 20*i+1))
	}
	b.JSON(f, catalog.Delete, `[{"id":9}]`)
	b.JSON(d, catalog.Append, `[{"id":5000,"x":"d"}]`)
	b.JSON(d, catalog.Upsert, `[{"id":799,"x":"d"}]`)
	all := b.parquet()
	for _, path := range shared {
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
	}
	g := b.MakeFork(d, "g", "head")
	b.MakeFork(g, "h", "50")
	up := b.MakeMerge(f, d)
	b.MakeMerge(d, f)
	if _, err := b.TryRollback(d, up.Commit.ID, storage.Stack); err != nil {
		t.Error(err)
	}
	b.MakeMerge(f, d)
	b.MakeMerge(f, g)
	if made := len(b.parquet()) - (len(all) - len(shared)); made != 0 {
		t.Errorf("%d files were made", made)
	}
	for _, path := range shared {
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
	}
	if a, c := b.Rows(d, "head", false), b.Rows(f, "head", false); !slices.Equal(a, c) || len(a) != 180 {
		t.Errorf("%d and %d records", len(a), len(c))
	}
	b.Sound()
}

// parquet lists the Parquet files of all commits.
func (b *bench) parquet() []string {
	b.Helper()
	list, err := filepath.Glob(filepath.Join(b.Dir, "objects", "*", "*", "*.parquet"))
	if err != nil {
		b.Fatal(err)
	}
	return list
}
