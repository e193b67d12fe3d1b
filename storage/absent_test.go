package storage_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
)

// away moves the largest object away until back is called: whoever opens it meanwhile fails.
func (b *bench) away() (back func()) {
	b.Helper()
	var largest string
	var size int64
	err := filepath.WalkDir(filepath.Join(b.Dir, "objects"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			if info, _ := e.Info(); info.Size() > size {
				largest, size = path, info.Size()
			}
		}
		return err
	})
	if err == nil {
		err = os.Rename(largest, largest+".away")
	}
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		b.Helper()
		if err := os.Rename(largest+".away", largest); err != nil {
			b.Fatal(err)
		}
	}
}

// many appends n records of random keys from the first on, and has their key filter made.
func (b *bench) many(id string, first, n int) catalog.Commit {
	b.Helper()
	made := b.Put(id, catalog.Append, intake.Parquet, b.parquetOf(fmt.Sprintf(
		"SELECT md5(i::VARCHAR) AS id, i AS n FROM range(%d, %d) t(i)", first, first+n)))
	if done := b.CompactAll(id); done.Filters != 1 {
		b.Fatalf("upkeep: %+v", done)
	}
	return made
}

// What blocks the rollback of a small commit is found without opening a large later one that has none of its keys, and
// the other way round. One that has a key still blocks.
func TestBlockersAreLookedUpInLargeFiles(t *testing.T) {
	b := open(t)
	id := b.Create("d", "id")
	small := b.JSON(id, catalog.Append,
		fmt.Sprintf(`[{"id": %q, "n": 1}, {"id": %q, "n": 2}]`, randomKey(0), randomKey(1)))
	gone := b.JSON(id, catalog.Delete, fmt.Sprintf(`[{"id": %q}]`, randomKey(1)))
	large := b.many(id, 2, 20_000)
	later := b.JSON(id, catalog.Append, fmt.Sprintf(`[{"id": %q, "n": 3}]`, randomKey(1)))
	changed := b.JSON(id, catalog.Delete, fmt.Sprintf(`[{"id": %q}]`, randomKey(77)))
	inTheWay := func(commit int64, p storage.Policy) string {
		t.Helper()
		asked, err := b.CanRollback(b.Context(), id, commit, p)
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for _, by := range asked.Blockers {
			out += fmt.Sprint(by.ID, ":", by.Overlapping, " ")
		}
		return out
	}
	back := b.away()
	for _, p := range []storage.Policy{storage.Stack, storage.Records} {
		if got, want := inTheWay(gone.ID, p), fmt.Sprint(later.ID, ":1 "); got != want {
			t.Errorf("%s: the delete is blocked by %q, not %q", p, got, want)
		}
	}
	if got, want := inTheWay(small.ID, storage.Records), fmt.Sprint(later.ID, ":1 ", gone.ID, ":1 "); got != want {
		t.Errorf("the small append is blocked by %q, not %q", got, want)
	}
	back()
	if got, want := inTheWay(large.ID, storage.Records), fmt.Sprint(changed.ID, ":1 "); got != want {
		t.Errorf("the large append is blocked by %q, not %q", got, want)
	}
	b.Sound()
}

// A small action is merged without opening a large file that the target has got since and that has none of its keys.
// One that has a key is compared.
func TestMergesLookUpFewKeysInLargeFiles(t *testing.T) {
	b := open(t)
	id := b.Create("d", "id")
	b.JSON(id, catalog.Append, fmt.Sprintf(`[{"id": %q, "n": 1}]`, randomKey(0)))
	fork := b.MakeFork(id, "fork", "head")
	b.many(id, 2, 20_000)
	b.JSON(fork, catalog.Upsert, fmt.Sprintf(`[{"id": %q, "n": 5}, {"id": %q, "n": 6}]`, randomKey(0), randomKey(1)))
	back := b.away()
	b.MakeMerge(fork, id)
	back()
	for i, n := range map[int]int{0: 5, 1: 6, 2: 2} {
		if got, want := b.record(id, "head", randomKey(i)), fmt.Sprintf(`"n":%d,`, n); !strings.Contains(got, want) {
			t.Errorf("record %d is %s", i, got)
		}
	}
	b.JSON(fork, catalog.Append, fmt.Sprintf(`[{"id": %q, "n": -1}]`, randomKey(77)))
	if out, _ := b.conflicts(fork, id, storage.Merge{}); len(out.Conflicts) != 1 {
		t.Errorf("a record that both sides added: %+v", out)
	}
	b.Sound()
}
