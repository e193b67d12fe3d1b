package storage_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// A file that is changed after it was verified, while a statement reads it, ends the answer.
func TestAFileThatChangesWhileItIsReadIsRefused(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x", "id")
	c := b.JSON(d, catalog.Append, `[{"id":1},{"id":2}]`)
	snap, err := b.Snapshot(ctx, d, "head")
	b.Must(err)
	conn, err := b.Conn(ctx)
	b.Must(err)
	defer conn.Close()
	r, err := conn.Stream(ctx, snap.Rows(false))
	b.Must(err)
	defer r.Close()
	b.Must(os.Chtimes(b.Object(d, c.ID, "data-0000.parquet"), time.Time{}, time.Unix(1, 0)))
	all, err := r.All()
	if err == nil {
		all.Release()
	}
	if e := storage.Explain(err); err == nil || e.Kind != fault.Unavailable || e.Code != "file_changed" {
		t.Errorf("got %v", err)
	}
	b.Want(d, "head", `{"id":1}`, `{"id":2}`) // it is what was written
}
