package crash

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// frozen returns a copy of a store's directory, with the times of all files and directories, as a crash at this moment
// would leave it.
func frozen(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	times := map[string]time.Time{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		at := filepath.Join(to, strings.TrimPrefix(path, dir))
		info, errInfo := os.Stat(path)
		if err != nil || errInfo != nil || strings.HasSuffix(path, "-shm") {
			return err
		}
		times[at] = info.ModTime()
		if e.IsDir() {
			return os.MkdirAll(at, 0o700)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(at, text, 0o600)
	})
	storagetest.Must(t, err)
	for at, when := range times {
		storagetest.Must(t, os.Chtimes(at, when, when))
	}
	return to
}

// noted is a store whose directories are old, with notes of what the catalog has.
func (b *bench) noted() {
	b.Helper()
	old := time.Now().Add(-time.Hour)
	err := filepath.WalkDir(filepath.Join(b.Dir, "objects"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return os.Chtimes(path, old, old)
	})
	storagetest.Must(b.T, errors.Join(err, b.Note(b.Context())))
}

// A start after a crash reads the directories that changed since it was noted what the catalog has, and no others,
// unless the catalog is not the one that was open: that is seen by what it makes of descriptions that were made
// unreadable.
func TestAStartAfterACrashReadsWhatChanged(t *testing.T) {
	t.Parallel()
	touch := func(b *bench, dir string) {
		path := filepath.Join(dir, "new")
		b.Must(errors.Join(os.WriteFile(path, nil, 0o600), os.Remove(path)))
	}
	for name, c := range map[string]struct {
		before, after func(b *bench, d [2]string)
		read          [2]bool
	}{
		"nothing changed": {},
		"a commit since":  {before: func(b *bench, d [2]string) { b.JSON(d[0], catalog.Append, `[{"id":2}]`) }},
		"a version since": {before: func(b *bench, d [2]string) {
			_, err := b.Increment(b.Context(), d[1], storagetest.Forced("minor", ""), storage.Request{})
			b.Must(err)
		}, read: [2]bool{false, true}},
		"a label was added": {
			after: func(b *bench, d [2]string) { touch(b, filepath.Join(b.Dir, "objects", d[1], "labels")) },
			read:  [2]bool{false, true},
		},
		"another catalog": {after: func(b *bench, _ [2]string) {
			path := filepath.Join(b.Dir, "catalog.db")
			text, err := os.ReadFile(path)
			b.Must(errors.Join(err, os.WriteFile(path, text, 0o600)))
		}, read: [2]bool{true, true}},
		"nothing says which catalog it is": {
			after: func(b *bench, _ [2]string) { b.Must(os.Remove(filepath.Join(b.Dir, "open.json"))) },
			read:  [2]bool{true, true},
		},
		"it was found to be wrong": {before: func(b *bench, d [2]string) {
			db, err := sql.Open("sqlite3", filepath.Join(b.Dir, "catalog.db"))
			b.Must(err)
			_, err = db.Exec("PRAGMA wal_autocheckpoint = 0; UPDATE sequences SET last = 0 WHERE name = 'commit'")
			b.Must(errors.Join(err, db.Close()))
			b.Must(b.Scrubs.Run(b.Context(), storage.ScrubPlan{}))
		}, read: [2]bool{true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			b, d := numbered(t)
			b.noted()
			if c.before != nil {
				c.before(b, d)
			}
			want := b.heads(d)
			b = &bench{&storagetest.Bench{T: t, Dir: frozen(t, b.Dir)}}
			if c.after != nil {
				c.after(b, d)
			}
			for _, one := range d {
				b.spoiled(one, "version-1.0.0")
			}
			b.Store = reopen(t, b.Dir, storage.Options{}).Store
			if got := b.heads(d); !slices.Equal(got, want) {
				t.Errorf("%v, before %v", got, want)
			}
			b.ClosedDir()
			for i, one := range d {
				if read := strings.Contains(storagetest.Quarantined(t, b.Dir), one); read != c.read[i] {
					t.Errorf("dataset %d was read: %v", i, read)
				}
			}
		})
	}
}

func (b *bench) heads(datasets [2]string) (out []string) {
	b.Helper()
	for _, d := range datasets {
		out = append(out, b.Rows(d, "head", true)...)
	}
	return out
}

// Whenever a process ends, a start by its notes leaves the same as one that reads everything.
func TestAStartByNotesIsOneWithoutThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	every, seed := 8, rand.Uint64()
	t.Log("seed", seed)
	step, armed := int(seed%uint64(every)), false
	var copies []string
	b := reopen(t, dir, storage.Options{Hook: func(string, string) error {
		if step++; armed && step%every == 0 {
			copies = append(copies, frozen(t, dir))
		}
		return nil
	}})
	d, _ := b.Overwritten("d", 3)
	gone, _ := b.Overwritten("gone", 2)
	b.noted()
	armed = true
	f := b.MakeFork(d, "fork", "")
	b.JSON(f, catalog.Upsert, `[{"id":2,"n":9}]`)
	b.JSON(d, catalog.Upsert, `[{"id":1,"n":8}]`)
	b.MakeMerge(f, d)
	_, err := b.Increment(t.Context(), d, storagetest.Forced("minor", ""), storage.Request{})
	storagetest.Must(t, err)
	_, err = b.Backups.Make(t.Context(), d, storage.NewBackup{}, storage.Request{})
	storagetest.Must(t, err)
	storagetest.Must(t, b.Note(t.Context()))
	storagetest.Must(t, b.DeleteDataset(t.Context(), gone, storage.Request{}))
	b.Keeps(d, 1)
	b.Keeps(f, 1)
	b.VacuumAll(d)
	b.EraseKeys(d, "2")
	b.JSON(d, catalog.Append, `[{"id":5,"n":5}]`)
	armed = false
	if len(copies) < 10 {
		t.Fatalf("only %d copies", len(copies))
	}
	for i, dir := range copies {
		other := frozen(t, dir)
		storagetest.Must(t, os.Remove(filepath.Join(other, "open.json")))
		got, want := startedIn(t, dir), startedIn(t, other)
		if got != want {
			t.Errorf("copy %d: by notes\n%s\nwithout\n%s", i, got, want)
		}
	}
}

// startedIn returns what a store in a directory shows, once it was started and is sound.
func startedIn(t *testing.T, dir string) string {
	t.Helper()
	b := reopen(t, dir, storage.Options{})
	out := b.states()
	list, err := b.Datasets(t.Context(), catalog.DatasetFilter{Limit: 100})
	storagetest.Must(t, err)
	for _, s := range list {
		versions, err := b.Versions(t.Context(), s.Dataset.ID)
		storagetest.Must(t, err)
		out += fmt.Sprintln(s.Dataset.Name, storagetest.ToJSON(versions))
	}
	b.Sound()
	b.ClosedDir()
	return out + whenSetAside.ReplaceAllString(storagetest.Quarantined(t, dir), "")
}

var whenSetAside = regexp.MustCompile(`-\d{8}T[0-9.]+Z`)
