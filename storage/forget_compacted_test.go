package storage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// A compacted file is not read any more once rows of its sources are gone: not while the former files are removed, nor
// where that fails. Its rows have the places that they had before.
func TestACompactedFileIsNotReadAfterAnErasure(t *testing.T) {
	o := storagetest.Eager
	var during func()
	o.Hook = func(op, path string) error {
		if op == "remove" && during != nil && strings.HasSuffix(path, ".parquet") {
			during()
			return syscall.EIO
		}
		return nil
	}
	b := reopen(t, t.TempDir(), o)
	d := b.Create("d", "id")
	for i := range 6 {
		b.JSON(d, catalog.Append, fmt.Sprintf(`[{"id":%d},{"id":%d},{"id":%d}]`, 3*i, 3*i+1, 3*i+2))
	}
	b.CompactAll(d)
	b.JSON(d, catalog.Upsert, `[{"id":1,"v":"new"}]`)
	isErased := func(row string) bool { return strings.HasPrefix(row, `{"id":0,`) }
	want := slices.DeleteFunc(b.Rows(d, "head", false), isErased)
	reads := 0
	same := func() {
		reads++
		if rows := b.Rows(d, "head", false); !slices.Equal(rows, want) {
			t.Errorf("read %d: %q, not %q", reads, rows, want)
		}
	}
	during = same
	_, err := b.Removals.Erase(context.Background(), d, storage.Erasure{Keys: []json.RawMessage{[]byte("0")}},
		storage.Request{})
	if code := storage.Explain(err).Code; code != "removal_unfinished" {
		t.Errorf("answered with %v", err)
	}
	during = nil
	same()
	if reads < 2 {
		t.Errorf("%d reads", reads)
	}
	b.JSON(d, catalog.Upsert, `[{"id":2,"v":"new"}]`)
	b.Sound()
	b.Reopened(t, false).Sound()
}
