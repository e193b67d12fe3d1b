package crash

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// A file that several datasets share is damaged: check reports that, and does not fail over it.
func TestCheckReportsDamageThatForksShare(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	first := b.JSON(d, catalog.Append, `[{"id":1},{"id":2}]`)
	b.MakeFork(d, "y", "head")
	b.Must(os.Truncate(b.Object(d, first.ID, "data-0000.parquet"), 100))
	problems, err := b.Check(context.Background(), false)
	if err != nil || len(problems) == 0 || problems[0].Commit != first.ID {
		t.Errorf("check: %v, %v", problems, err)
	}
}

// The objects are the log: a description that tells something else than the catalog is found while the catalog is
// there.
func TestCheckFindsDescriptionsThatWereEdited(t *testing.T) {
	for what, edit := range map[string][2]string{
		"another file":      {"data-0000.parquet", "data-0001.parquet"},
		"another checksum":  {`"checksum": "`, `"checksum": "0`},
		"other rows":        {`"rows": 1`, `"rows": 2`},
		"another commit":    {`"previous": 1`, `"previous": 0`},
		"another operation": {`"mode": "append"`, `"mode": "delete"`},
	} {
		b := open(t)
		d := b.Create("x", "id")
		b.JSON(d, catalog.Append, `[{"id":1}]`)
		second := b.JSON(d, catalog.Append, `[{"id":2}]`)
		path := b.Object(d, second.ID, "commit.json")
		text := b.readFile(path)
		edited := bytes.Replace(text, []byte(edit[0]), []byte(edit[1]), 1)
		if bytes.Equal(text, edited) {
			t.Fatalf("%s is not in %s", edit[0], text)
		}
		b.write(path, edited)
		problems, err := b.Check(context.Background(), false)
		if err != nil || len(problems) != 1 || problems[0].Commit != second.ID {
			t.Errorf("%s: %v, %v", what, problems, err)
		}
	}
}

// A directory that was moved and linked to is followed where the catalog is lost; one whose disk is away is reported.
func TestLinkedFoldersAreNotForgotten(t *testing.T) {
	ctx := context.Background()
	for _, there := range []bool{true, false} {
		b := open(t)
		d := b.Create("x", "id")
		b.JSON(d, catalog.Append, `[{"id":1}]`)
		last := b.JSON(d, catalog.Append, `[{"id":2}]`)
		b.ClosedDir()
		directory, away := filepath.Dir(b.Object(d, last.ID, "x")), filepath.Join(t.TempDir(), "away")
		b.Must(os.Rename(directory, away))
		b.Must(os.Symlink(away, directory))
		if !there {
			b.Must(os.RemoveAll(away))
		}
		storagetest.WithCatalog(t, b.Dir, nil)
		found, err := storage.Inspect(ctx, b.Dir, true, storage.Options{})
		if err != nil || (len(found.Problems) == 0) != there {
			t.Errorf("check, there %t: %v, %v", there, found.Problems, err)
		}
		again := reopen(t, b.Dir, storage.Options{})
		if there {
			again.Want(d, "head", `{"id":1}`, `{"id":2}`)
		} else if next := again.JSON(d, catalog.Append, `[{"id":3}]`); next.ID <= last.ID {
			t.Errorf("commit %d is given again: %d", last.ID, next.ID)
		}
	}
}
