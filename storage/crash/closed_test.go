package crash

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

// spoiled makes a label unreadable, in place: nothing shows it but reading the file.
func (b *bench) spoiled(dataset, label string) {
	b.Helper()
	path := filepath.Join(b.Dir, "objects", dataset, "labels", label+".json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		b.Fatal(err)
	}
}

// numbered is a store with two datasets that have a version each.
func numbered(t *testing.T) (b *bench, datasets [2]string) {
	b = open(t)
	for i, name := range []string{"x", "y"} {
		datasets[i] = b.Create(name, "id")
		b.JSON(datasets[i], catalog.Append, `[{"id":1}]`)
		_, err := b.Increment(context.Background(), datasets[i], storagetest.Forced("major", ""), storage.Request{})
		b.Must(err)
	}
	return b, datasets
}

// A start after an orderly end reads the directories that changed since, and no others: that is seen by what it makes
// of descriptions that were made unreadable. After anything else, it reads all of them.
func TestAStartReadsWhatChanged(t *testing.T) {
	const label = "version-1.0.0"
	closedFile := func(dir string) string { return filepath.Join(dir, "closed.json") }
	touch := func(b *bench, dir string) {
		path := filepath.Join(dir, "new")
		b.Must(os.WriteFile(path, nil, 0o600))
		b.Must(os.Remove(path))
	}
	for name, c := range map[string]struct {
		do   func(b *bench, d [2]string)
		read [2]bool
	}{
		"nothing changed": {func(*bench, [2]string) {}, [2]bool{false, false}},
		"a label was added": {func(b *bench, d [2]string) {
			touch(b, filepath.Join(b.Dir, "objects", d[1], "labels"))
		}, [2]bool{false, true}},
		"a commit was added": {func(b *bench, d [2]string) {
			touch(b, filepath.Join(b.Dir, "objects", d[0]))
		}, [2]bool{true, false}},
		"it was not noted": {func(b *bench, _ [2]string) { b.Must(os.Remove(closedFile(b.Dir))) }, [2]bool{true, true}},
		"the note is damaged": {func(b *bench, _ [2]string) {
			b.Must(os.WriteFile(closedFile(b.Dir), []byte("{"), 0o600))
		}, [2]bool{true, true}},
		"another catalog": {func(b *bench, _ [2]string) {
			text, err := os.ReadFile(filepath.Join(b.Dir, "catalog.db"))
			b.Must(err)
			storagetest.WithCatalog(b.T, b.Dir, text)
		}, [2]bool{true, true}},
		"an opening since": {func(b *bench, _ [2]string) {
			b.Store = reopen(b.T, b.Dir, storage.Options{}).Store
			b.abandon()
		}, [2]bool{true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			b, d := numbered(t)
			b.ClosedDir()
			c.do(b, d)
			for _, one := range d {
				b.spoiled(one, label)
			}
			again := reopen(t, b.Dir, storage.Options{})
			if _, err := os.Stat(closedFile(b.Dir)); !os.IsNotExist(err) {
				t.Errorf("while it is open: %v", err)
			}
			again.ClosedDir()
			for i, one := range d {
				if read := strings.Contains(storagetest.Quarantined(t, b.Dir), one); read != c.read[i] {
					t.Errorf("dataset %d was read: %v", i, read)
				}
			}
		})
	}
}

// abandon ends the store as a crash would: nothing is noted.
func (b *bench) abandon() {
	b.Helper()
	b.ClosedDir()
	b.Must(os.Remove(filepath.Join(b.Dir, "closed.json")))
}

// What a store was told after an orderly end and start is there after a crash.
func TestWhatFollowsAnOrderlyEndIsFound(t *testing.T) {
	ctx := context.Background()
	b, d := numbered(t)
	b.ClosedDir()
	older, err := os.ReadFile(filepath.Join(b.Dir, "catalog.db"))
	b.Must(err)
	b.Store = reopen(t, b.Dir, storage.Options{}).Store
	b.JSON(d[0], catalog.Append, `[{"id":2}]`)
	_, err = b.Increment(ctx, d[1], storagetest.Forced("minor", ""), storage.Request{})
	b.Must(err)
	b.Must(b.DeleteDataset(ctx, d[1], storage.Request{}))
	b.ClosedDir()
	storagetest.WithCatalog(t, b.Dir, older) // with the note of the newer one beside it
	b.Store = reopen(t, b.Dir, storage.Options{}).Store
	b.Want(d[0], "head", `{"id":1}`, `{"id":2}`)
	if _, err := b.Dataset(ctx, d[1]); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the deleted dataset: %v", err)
	}
	b.Sound()
}

// What spoiled the catalog while the store was closed is found by the first scrub. Nothing is written then, and the
// next start makes it anew.
func TestACatalogThatWasSpoiledUnseenIsFound(t *testing.T) {
	ctx := context.Background()
	b, d := numbered(t)
	b.ClosedDir()
	path := filepath.Join(b.Dir, "catalog.db")
	was, err := os.Stat(path)
	b.Must(err)
	db, err := sql.Open("sqlite3", path)
	b.Must(err)
	_, err = db.Exec("UPDATE sequences SET last = 0 WHERE name = 'commit'")
	b.Must(errors.Join(err, db.Close()))
	b.Must(os.Chtimes(path, was.ModTime(), was.ModTime()))
	b.Store = reopen(t, b.Dir, storage.Options{}).Store
	b.Must(b.Scrubs.Run(ctx, storage.ScrubPlan{}))
	change := storage.Change{Mode: catalog.Append, Upload: b.Upload(intake.JSON, `[{"id":2}]`)}
	if _, err := b.Commit(ctx, d[0], change); storage.Explain(err).Code != "restart_needed" {
		t.Errorf("a commit after that: %v", err)
	}
	b.Want(d[0], "head", `{"id":1}`)
	b.ClosedDir()
	b.Store = reopen(t, b.Dir, storage.Options{}).Store
	b.JSON(d[0], catalog.Append, `[{"id":2}]`)
	b.Want(d[0], "head", `{"id":1}`, `{"id":2}`)
}

// A catalog that seems to be as a crash left it is not checked before it is used. Where bringing it up to date meets a
// page that is damaged, it is made anew.
func TestACatalogThatIsDamagedWhereTheStartReadsIsMadeAnew(t *testing.T) {
	b, d := numbered(t)
	b.abandon()
	path := filepath.Join(b.Dir, "catalog.db")
	db, err := sql.Open("sqlite3", path)
	b.Must(err)
	var page, size int64
	errPage := db.QueryRow("SELECT rootpage FROM sqlite_schema WHERE name = 'commits'").Scan(&page)
	errSize := db.QueryRow("PRAGMA page_size").Scan(&size)
	b.Must(errors.Join(errPage, errSize, db.Close()))
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	b.Must(err)
	_, err = f.WriteAt(make([]byte, size), (page-1)*size)
	b.Must(errors.Join(err, f.Close(), datadir.Vouch(b.Dir)))
	b.Store = reopen(t, b.Dir, storage.Options{}).Store
	b.JSON(d[0], catalog.Append, `[{"id":2}]`)
	b.Want(d[0], "head", `{"id":1}`, `{"id":2}`)
}
