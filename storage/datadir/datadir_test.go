package datadir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/datadir"
)

// directory makes a directory with the given files; names that end in a slash are directories.
func directory(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path, err := filepath.Join(dir, name), error(nil)
		if strings.HasSuffix(name, "/") {
			err = os.Mkdir(path, 0o700)
		} else {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// names returns empty files.
func names(list ...string) map[string]string {
	files := map[string]string{}
	for _, name := range list {
		files[name] = ""
	}
	return files
}

func TestWhatADirectoryIs(t *testing.T) {
	newer := `{"id":"x","format_version":4}`
	marker := `{"id":"one","format_version":1,"created_at":"2026-01-31T10:00:00Z"}`
	for name, c := range map[string]struct {
		files map[string]string
		id    string // of the store; empty: it has no marker
		bare  bool   // it can become a store
		says  string // part of the error; empty: it is a store
	}{
		"a store":                     {files: map[string]string{"store.json": marker}, id: "one"},
		"a store among other files":   {files: map[string]string{"store.json": marker, "notes.txt": ""}, id: "one"},
		"a store of an older version": {files: names("catalog.db", "objects/", "x")},
		"one with what upgrades keep": {
			files: names("objects/", "catalog.before-00012.db", "settings.before-00006.db"), bare: true,
		},
		"half a store of that kind":     {files: names("objects/"), bare: true},
		"half of one, and other files":  {files: names("catalog.db", "x"), says: "contains x but no store.json"},
		"empty":                         {bare: true, says: "is empty"},
		"a new volume":                  {files: names("lost+found/"), bare: true, says: "is empty"},
		"interrupted while it was made": {files: names("store.json.new"), bare: true, says: "is empty"},
		"something else's":              {files: names("a", "b"), says: "contains a, b but no store.json"},
		"something large":               {files: names("a", "b", "c", "d", "e"), says: "a, b, c and 2 more"},
		"a marker that is not JSON":     {files: map[string]string{"store.json": "{"}, says: "store.json is damaged"},
		"a marker without an id":        {files: map[string]string{"store.json": `{"format_version":1}`}, says: "is damaged"},
		"a newer format":                {files: map[string]string{"store.json": newer}, says: "has format 4"},
	} {
		t.Run(name, func(t *testing.T) {
			m, bare, err := datadir.Read(directory(t, c.files))
			if bare != c.bare {
				t.Errorf("it can become a store: %v", bare)
			}
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, not %q", err, c.says)
			}
			if c.id != "" && m.ID != c.id {
				t.Errorf("its id is %q", m.ID)
			}
		})
	}
	missing := filepath.Join(t.TempDir(), "none")
	if _, bare, err := datadir.Read(missing); !bare || !errors.Is(err, datadir.ErrNotStore) {
		t.Errorf("a missing directory: %v, %v", bare, err)
	}
}

// A directory is claimed once, becomes a store with Write, and is found as that store afterwards.
func TestClaimingANewStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	_, isNew, held, err := datadir.Claim(dir, nil)
	if err != nil || !isNew {
		t.Fatal(isNew, err)
	}
	if _, _, _, err := datadir.Claim(dir, nil); !errors.Is(err, datadir.ErrInUse) {
		t.Errorf("it was claimed twice: %v", err)
	}
	created := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	if err := datadir.Write(dir, datadir.Marker{ID: "one", CreatedAt: created}, nil); err != nil {
		t.Fatal(err)
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	m, isNew, held, err := datadir.Claim(dir, nil)
	if err != nil || isNew || m != (datadir.Marker{ID: "one", FormatVersion: 1, CreatedAt: created}) {
		t.Errorf("%+v, %v, %v", m, isNew, err)
	}
	held.Release()
}

// Nothing is written into a directory that is something else's, and a failed step leaves no marker.
func TestARefusedDirectoryIsNotTouched(t *testing.T) {
	dir := directory(t, map[string]string{"notes.txt": "mine"})
	if _, _, _, err := datadir.Claim(dir, nil); !errors.Is(err, datadir.ErrNotStore) {
		t.Errorf("it was claimed: %v", err)
	}
	fault := errors.New("the disk failed")
	for _, op := range []string{"write", "sync", "rename"} {
		err := datadir.Write(dir, datadir.Marker{ID: "one"}, func(now, _ string) error {
			if now == op {
				return fault
			}
			return nil
		})
		if !errors.Is(err, fault) {
			t.Errorf("%s: %v", op, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "store.json")); !errors.Is(err, os.ErrNotExist) && op != "sync" {
			t.Errorf("%s: the marker is there: %v", op, err)
		}
	}
}

// A look at a store locks it without writing a lock file.
func TestLockingWithoutWriting(t *testing.T) {
	dir := directory(t, map[string]string{"store.json": "{}"})
	held, err := datadir.Lock(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "lock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a lock file: %v", err)
	}
	if _, err := datadir.Lock(dir, true); !errors.Is(err, datadir.ErrInUse) {
		t.Errorf("it was locked twice: %v", err)
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	held, err = datadir.Lock(dir, true)
	if err != nil {
		t.Errorf("it stays locked: %v", err)
	}
	held.Release()
}

// A note that does not say which catalog it is of says nothing, also where the state of the catalog is not known.
func TestANoteOfNoCatalog(t *testing.T) {
	dir := directory(t, map[string]string{"closed.json": `{"catalog":"","datasets":{"d":"then"}}`})
	was, err := datadir.Recall(dir)
	if err != nil || was.IsKnown() || len(was.Datasets) > 0 {
		t.Errorf("%+v, %v", was, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "closed.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the note is still there: %v", err)
	}
}

func TestRemovedSettingsLeaveNothing(t *testing.T) {
	dir := directory(t, names(
		"settings.db", "settings.db-wal", "settings.before-00006.db", "settings.before-00008.db", "catalog.before-00012.db"))
	if err := datadir.RemoveSettings(dir); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "catalog.before-00012.db" {
		t.Error(left, err)
	}
}
