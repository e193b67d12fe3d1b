package crash

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/intake"
)

// What DuckDB writes may meet a full disk too: every file that it could write next leads to a device without room.
func TestFullDiskUnderDuckDB(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1}]`)
	staging := filepath.Join(b.Dir, "staging")
	var links []string
	for n := range 100 {
		for _, prefix := range []string{"", "tmp_"} { // DuckDB writes beside a file that is there, and moves
			link := filepath.Join(staging, fmt.Sprintf("%s%d-incoming.parquet", prefix, n))
			if err := os.Symlink("/dev/full", link); err != nil {
				t.Fatal(err)
			}
			links = append(links, link)
		}
	}
	var csv strings.Builder
	csv.WriteString("id,text\n")
	for i := range 200_000 {
		fmt.Fprintf(&csv, "%d,some text that makes the file a large one %d\n", i+10, i*7919)
	}
	_, err := b.Try(d, "append", intake.CSV, csv.String())
	if e := storage.Explain(err); e.Code != "disk_full" {
		t.Errorf("got %s: %v", e.Code, err)
	}
	for _, link := range links {
		if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	b.Want(d, "head", `{"id":1}`)
	if c := b.Put(d, "append", intake.CSV, csv.String()); c.Added != 200_000 {
		t.Errorf("%d added", c.Added)
	}
	b.Sound()
}

// A disk that fills up while an archive is laid out is the disk's fault, not the archive's.
func TestFullDiskUnderAnArchive(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1}]`)
	kept, err := b.Backups.Make(ctx, d, storage.NewBackup{Ref: "head"}, storage.Request{})
	b.Must(err)
	archive, err := os.ReadFile(filepath.Join(b.Dir, "objects", kept.Key))
	b.Must(err)
	for n := range 100 {
		b.Must(os.Symlink("/dev/full", filepath.Join(b.Dir, "staging", fmt.Sprintf("%d-data.parquet", n))))
	}
	_, err = b.CreateFromBackup(ctx, bytes.NewReader(archive), "y", 1, storage.Request{})
	if e := storage.Explain(err); e.Code != "disk_full" {
		t.Errorf("got %s: %v", e.Code, err)
	}
}
