package storage_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
)

// What forks have inherited is checked once, with the dataset that made it; what each has undone of it, with the fork.
func TestInheritedHistoryIsCheckedOnce(t *testing.T) {
	for change, want := range map[string]struct {
		problems int
		says     string
	}{
		"UPDATE commits SET records_added = 7 WHERE id = 2":                    {1, "its files change the records by 1"},
		"UPDATE undone SET rollback_commit_id = 99 WHERE dataset_id = '{two}'": {1, "it says that commit 99 undoes it"},
		"DELETE FROM undone WHERE dataset_id = '{two}'":                        {1, "it says that nothing undoes it"},
		"INSERT INTO undone VALUES ('{one}', 1, 2)":                            {1, "it says that commit 2 undoes it"},
	} {
		b := open(t)
		d := b.Create("d", "id")
		for _, body := range []string{`[{"id":1}]`, `[{"id":2}]`, `[{"id":3}]`} {
			b.JSON(d, "append", body)
		}
		one, two := b.MakeFork(d, "one", "head"), b.MakeFork(d, "two", "head")
		b.JSON(one, "append", `[{"id":4}]`)
		_, err := b.TryRollback(two, 3, storage.Stack)
		b.Must(err)
		b.Sound()
		b.Store.Close()
		db, err := sql.Open("sqlite3", filepath.Join(b.Dir, "catalog.db"))
		b.Must(err)
		_, err = db.Exec(strings.NewReplacer("{one}", one, "{two}", two).Replace(change))
		b.Must(err)
		b.Must(db.Close())
		found, err := storage.Inspect(context.Background(), b.Dir, false, storage.Options{})
		b.Must(err)
		n := 0
		for _, p := range found.Problems {
			if strings.Contains(p.Detail, want.says) {
				n++
			}
		}
		if n != want.problems {
			t.Errorf("%s: found %v", change, found.Problems)
		}
	}
}
