//go:build unix

package storage_test

import (
	"context"
	"os"
	"syscall"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// A pipe in place of a file is damage: no one waits for what it will never say.
func TestPipesAreNotWaitedFor(t *testing.T) {
	for _, name := range []string{"data-0000.parquet", "commit.json"} {
		b := open(t)
		d := b.Create("x", "id")
		b.JSON(d, catalog.Append, `[{"id":1}]`)
		last := b.JSON(d, catalog.Append, `[{"id":2}]`)
		b.ClosedDir()
		path := b.Object(d, last.ID, name)
		b.Must(os.Remove(path))
		b.Must(syscall.Mkfifo(path, 0o600))
		storagetest.WithCatalog(t, b.Dir, nil)
		for range 2 { // at the second start it lies in quarantine
			again := reopen(t, b.Dir, storage.Options{})
			again.Want(d, "head", `{"id":1}`)
			if problems, err := again.Check(context.Background(), true); err != nil || len(problems) != 1 {
				t.Errorf("%s: %v, %v", name, problems, err)
			}
			again.Close()
		}
	}
}
