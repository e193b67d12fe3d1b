package storage_test

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
	must(t, err)
	for at, when := range times {
		must(t, os.Chtimes(at, when, when))
	}
	return to
}

// noted is a store whose directories are old, with notes of what the catalog has.
func (b *bench) noted() {
	b.Helper()
	old := time.Now().Add(-time.Hour)
	err := filepath.WalkDir(filepath.Join(b.dir, "objects"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return os.Chtimes(path, old, old)
	})
	must(b.T, errors.Join(err, b.Note(b.Context())))
}

// A start after a crash reads the directories that changed since it was noted what the catalog has, and no others,
// unless the catalog is not the one that was open: that is seen by what it makes of descriptions that were made
// unreadable.
func TestAStartAfterACrashReadsWhatChanged(t *testing.T) {
	t.Parallel()
	touch := func(b *bench, dir string) {
		path := filepath.Join(dir, "new")
		b.must(errors.Join(os.WriteFile(path, nil, 0o600), os.Remove(path)))
	}
	for name, c := range map[string]struct {
		before, after func(b *bench, d [2]string)
		read          [2]bool
	}{
		"nothing changed": {},
		"a commit since":  {before: func(b *bench, d [2]string) { b.json(d[0], catalog.Append, `[{"id":2}]`) }},
		"a version since": {before: func(b *bench, d [2]string) {
			_, err := b.Increment(b.Context(), d[1], forced("minor", ""), storage.Request{})
			b.must(err)
		}, read: [2]bool{false, true}},
		"a label was added": {
			after: func(b *bench, d [2]string) { touch(b, filepath.Join(b.dir, "objects", d[1], "labels")) },
			read:  [2]bool{false, true},
		},
		"another catalog": {after: func(b *bench, _ [2]string) {
			path := filepath.Join(b.dir, "catalog.db")
			text, err := os.ReadFile(path)
			b.must(errors.Join(err, os.WriteFile(path, text, 0o600)))
		}, read: [2]bool{true, true}},
		"nothing says which catalog it is": {
			after: func(b *bench, _ [2]string) { b.must(os.Remove(filepath.Join(b.dir, "open.json"))) },
			read:  [2]bool{true, true},
		},
		"it was found to be wrong": {before: func(b *bench, d [2]string) {
			db, err := sql.Open("sqlite3", filepath.Join(b.dir, "catalog.db"))
			b.must(err)
			_, err = db.Exec("PRAGMA wal_autocheckpoint = 0; UPDATE sequences SET last = 0 WHERE name = 'commit'")
			b.must(errors.Join(err, db.Close()))
			b.must(b.Scrubs.Run(b.Context(), storage.ScrubPlan{}))
		}, read: [2]bool{true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			b, d := numbered(t)
			b.noted()
			if c.before != nil {
				c.before(b, d)
			}
			want := b.heads(d)
			b = &bench{T: t, dir: frozen(t, b.dir)}
			if c.after != nil {
				c.after(b, d)
			}
			for _, one := range d {
				b.spoiled(one, "version-1.0.0")
			}
			b.Store = reopen(t, b.dir, storage.Options{}).Store
			if got := b.heads(d); !slices.Equal(got, want) {
				t.Errorf("%v, before %v", got, want)
			}
			b.dir2()
			for i, one := range d {
				if read := strings.Contains(quarantined(t, b.dir), one); read != c.read[i] {
					t.Errorf("dataset %d was read: %v", i, read)
				}
			}
		})
	}
}

func (b *bench) heads(datasets [2]string) (out []string) {
	b.Helper()
	for _, d := range datasets {
		out = append(out, b.rows(d, "head", true)...)
	}
	return out
}

// Whenever a process ends, a start by its notes leaves the same as one that reads everything.
func TestAStartByNotesIsOneWithoutThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	every, seed := 4, rand.Uint64()
	t.Log("seed", seed)
	step, armed := int(seed%uint64(every)), false
	var copies []string
	b := reopen(t, dir, storage.Options{Hook: func(string, string) error {
		if step++; armed && step%every == 0 {
			copies = append(copies, frozen(t, dir))
		}
		return nil
	}})
	d, _ := b.overwritten("d", 3)
	gone, _ := b.overwritten("gone", 2)
	b.noted()
	armed = true
	f := b.fork(d, "fork", "")
	b.json(f, catalog.Upsert, `[{"id":2,"n":9}]`)
	b.json(d, catalog.Upsert, `[{"id":1,"n":8}]`)
	b.merge(f, d)
	_, err := b.Increment(t.Context(), d, forced("minor", ""), storage.Request{})
	must(t, err)
	_, err = b.Backups.Make(t.Context(), d, storage.NewBackup{}, storage.Request{})
	must(t, err)
	must(t, b.Note(t.Context()))
	must(t, b.DeleteDataset(t.Context(), gone, storage.Request{}))
	b.keeps(d, 1)
	b.keeps(f, 1)
	b.vacuum(d)
	b.erase(d, "2")
	b.json(d, catalog.Append, `[{"id":5,"n":5}]`)
	armed = false
	if len(copies) < 20 {
		t.Fatalf("only %d copies", len(copies))
	}
	for i, dir := range copies {
		other := frozen(t, dir)
		must(t, os.Remove(filepath.Join(other, "open.json")))
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
	must(t, err)
	for _, s := range list {
		versions, err := b.Versions(t.Context(), s.Dataset.ID)
		must(t, err)
		out += fmt.Sprintln(s.Dataset.Name, toJSON(versions))
	}
	b.sound()
	b.dir2()
	return out + whenSetAside.ReplaceAllString(quarantined(t, dir), "")
}

var whenSetAside = regexp.MustCompile(`-\d{8}T[0-9.]+Z`)
