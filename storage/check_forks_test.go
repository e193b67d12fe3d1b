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
		d := b.create("d", "id")
		for _, body := range []string{`[{"id":1}]`, `[{"id":2}]`, `[{"id":3}]`} {
			b.json(d, "append", body)
		}
		one, two := b.fork(d, "one", "head"), b.fork(d, "two", "head")
		b.json(one, "append", `[{"id":4}]`)
		_, err := b.rollback(two, 3, storage.Stack)
		b.must(err)
		b.sound()
		b.Store.Close()
		db, err := sql.Open("sqlite3", filepath.Join(b.dir, "catalog.db"))
		b.must(err)
		_, err = db.Exec(strings.NewReplacer("{one}", one, "{two}", two).Replace(change))
		b.must(err)
		b.must(db.Close())
		found, err := storage.Inspect(context.Background(), b.dir, false, storage.Options{})
		b.must(err)
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
