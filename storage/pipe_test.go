//go:build unix

package storage_test

import (
	"context"
	"os"
	"syscall"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// A pipe in place of a file is damage: no one waits for what it will never say.
func TestPipesAreNotWaitedFor(t *testing.T) {
	for _, name := range []string{"data-0000.parquet", "commit.json"} {
		b := open(t)
		d := b.create("x", "id")
		b.json(d, catalog.Append, `[{"id":1}]`)
		last := b.json(d, catalog.Append, `[{"id":2}]`)
		b.dir2()
		path := b.object(d, last.ID, name)
		b.must(os.Remove(path))
		b.must(syscall.Mkfifo(path, 0o600))
		withCatalog(t, b.dir, nil)
		for range 2 { // at the second start it lies in quarantine
			again := reopen(t, b.dir, storage.Options{})
			again.want(d, "head", `{"id":1}`)
			if problems, err := again.Check(context.Background(), true); err != nil || len(problems) != 1 {
				t.Errorf("%s: %v, %v", name, problems, err)
			}
			again.Close()
		}
	}
}
