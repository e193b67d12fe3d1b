package storage_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// snapshotOf is every file and directory below dir with its bytes and when it was changed.
func snapshotOf(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&out, path, info.Mode(), info.ModTime().UnixNano())
		if e.IsDir() {
			return nil
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&out, "%x\n", text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A look at a store changes nothing there, whatever state it is in, and says what the next start will do.
func TestInspectChangesNothing(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, catalog.Append, `[{"id":1}]`)
	b.ClosedDir()
	older, err := os.ReadFile(filepath.Join(b.Dir, "catalog.db"))
	b.Must(err)
	b.Store = reopen(t, b.Dir, storage.Options{}).Store
	b.JSON(d, catalog.Append, `[{"id":2}]`)
	killed := b.killed()
	b.Must(os.WriteFile(filepath.Join(killed, "staging", "left"), []byte("half an upload"), 0o644))
	behind := storagetest.Copied(t, killed)
	storagetest.WithCatalog(t, behind, older)
	lost := storagetest.Copied(t, killed)
	storagetest.WithCatalog(t, lost, nil)
	unmarked := storagetest.Copied(t, killed)
	b.Must(errors.Join(os.Remove(filepath.Join(unmarked, "store.json")), os.Remove(filepath.Join(unmarked, "lock"))))
	broken := storagetest.Copied(t, behind)
	b.Must(os.Truncate(filepath.Join(broken, "objects", d, "2", "data-0000.parquet"), 10))
	for name, c := range map[string]struct {
		dir      string
		forward  string
		problems string
	}{
		"killed":                {killed, "[]", "[]"},
		"with an older catalog": {behind, fmt.Sprintf("[commit 2 of dataset %s]", d), "[]"},
		"without its catalog": {lost, fmt.Sprintf(
			"[dataset %s was made commit 1 of dataset %[1]s commit 2 of dataset %[1]s]", d), "[]"},
		"without its marker":        {unmarked, "[]", "[]"},
		"with an incomplete commit": {broken, "[]", "the next start moves it to quarantine"},
	} {
		before := snapshotOf(t, c.dir)
		found, err := storage.Inspect(ctx, c.dir, true, storage.Options{})
		if err != nil || fmt.Sprint(found.Forward) != c.forward || !strings.Contains(fmt.Sprint(found.Problems), c.problems) {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
		if snapshotOf(t, c.dir) != before {
			t.Errorf("%s: it was changed", name)
		}
	}
	if _, err := storage.Inspect(ctx, b.Dir, false, storage.Options{}); !errors.Is(err, storage.ErrInUse) {
		t.Errorf("while it is open: %v", err)
	}
}

// A directory that is something else's is refused, and left as it is.
func TestForeignDirectories(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		files []string
		says  string
		bare  bool // it becomes a store
	}{
		"empty":                    {nil, "is empty", true},
		"a volume's":               {[]string{"lost+found/"}, "is empty", true},
		"with a lock":              {[]string{"lock"}, "is empty", true},
		"whose making was stopped": {[]string{"store.json.new", "lock"}, "is empty", true},
		"someone's notes":          {[]string{"notes.txt"}, "notes.txt", false},
		"a repository":             {[]string{"HEAD", "config", "objects/", "refs/"}, "HEAD, config, refs", false},
		"another program's": {[]string{"catalog.db", "app.conf", "a", "b", "c"}, "a, app.conf, b and 1 more",
			false},
		"with files that can't be seen": {[]string{".profile"}, ".profile", false},
	} {
		dir := t.TempDir()
		for _, f := range c.files {
			path := filepath.Join(dir, f)
			var err error
			if strings.HasSuffix(f, "/") {
				err = os.Mkdir(path, 0o755)
			} else {
				err = os.WriteFile(path, []byte("x"), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		before := snapshotOf(t, dir)
		_, err := storage.Inspect(ctx, dir, false, storage.Options{})
		if !errors.Is(err, storage.ErrNotStore) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: to look at: %v", name, err)
		}
		if snapshotOf(t, dir) != before {
			t.Errorf("%s: the look changed it", name)
		}
		s, err := storage.Open(ctx, dir, storage.Options{Threads: 2})
		if err == nil {
			s.Close()
		}
		if c.bare != (err == nil) || !c.bare && (!errors.Is(err, storage.ErrNotStore) || snapshotOf(t, dir) != before) {
			t.Errorf("%s: opened: %v", name, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing")
	if _, err := storage.Inspect(ctx, missing, false, storage.Options{}); !errors.Is(err, storage.ErrNotStore) {
		t.Errorf("a missing directory: %v", err)
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the look made it: %v", err)
	}
}

// A store keeps its id; one of a newer format, and the catalog of another store, are refused.
func TestMarker(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	b.Create("x")
	dir := b.ClosedDir()
	path := filepath.Join(dir, "store.json")
	text, err := os.ReadFile(path)
	b.Must(err)
	var m struct {
		ID            string `json:"id"`
		FormatVersion int    `json:"format_version"`
		CreatedAt     string `json:"created_at"`
	}
	if err := json.Unmarshal(text, &m); err != nil || m.ID == "" || m.FormatVersion != 1 || m.CreatedAt == "" {
		t.Errorf("%s: %v", text, err)
	}
	b.Must(os.Remove(path))
	reopen(t, dir, storage.Options{}).ClosedDir()
	if again, err := os.ReadFile(path); err != nil || !strings.Contains(string(again), m.ID) {
		t.Errorf("it has another id: %s, %v", again, err)
	}
	other := open(t)
	foreign, err := os.ReadFile(filepath.Join(other.ClosedDir(), "catalog.db"))
	b.Must(err)
	for name, c := range map[string]struct {
		harm func(dir string) error
		says string
	}{
		"a newer format": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "store.json"), []byte(`{"id":"a","format_version":4}`), 0o644)
		}, "Use a newer version"},
		"a damaged marker": {func(dir string) error {
			return os.Truncate(filepath.Join(dir, "store.json"), 3)
		}, "store.json is damaged"},
		"another's catalog": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "catalog.db"), foreign, 0o644)
		}, "belongs to another store"},
	} {
		harmed := storagetest.Copied(t, dir)
		b.Must(c.harm(harmed))
		before := snapshotOf(t, filepath.Join(harmed, "objects"))
		_, errLook := storage.Inspect(ctx, harmed, false, storage.Options{})
		s, err := storage.Open(ctx, harmed, storage.Options{})
		if err == nil {
			s.Close()
		}
		for _, err := range []error{errLook, err} {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if snapshotOf(t, filepath.Join(harmed, "objects")) != before {
			t.Errorf("%s: the objects were changed", name)
		}
	}
}

// The lock is on the directory: removing or replacing the file lock lets no one in.
func TestTheLockCannotBeRemoved(t *testing.T) {
	b := open(t)
	lock := filepath.Join(b.Dir, "lock")
	for _, harm := range []func() error{
		func() error { return nil },
		func() error { return os.Remove(lock) },
		func() error { return os.WriteFile(lock, nil, 0o644) },
		func() error { return os.Remove(filepath.Join(b.Dir, "store.json")) },
	} {
		b.Must(harm())
		s, err := storage.Open(context.Background(), b.Dir, storage.Options{})
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, storage.ErrInUse) {
			t.Errorf("a second one: %v", err)
		}
	}
	b.Create("x")
	b.Sound()
}

// The machine stops at every step of making a store, and of taking over one that has no marker. The next start goes on.
func TestCrashesWhileAStoreIsMade(t *testing.T) {
	t.Parallel()
	_, want := unpackStore(t, "store-before-store-json.tar.gz")
	for step := range storagetest.Steps(t) {
		crashed := false
		old, _ := unpackStore(t, "store-before-store-json.tar.gz")
		for dir, want := range map[string]string{t.TempDir(): "", old: want} {
			s := &storagetest.Stops{Left: step, Armed: true}
			opened, err := storage.Open(context.Background(), dir, storage.Options{Threads: 2, Hook: s.Hook})
			if err == nil {
				opened.Close()
			}
			b := reopen(t, dir, storage.Options{})
			b.Sound()
			if got := b.ledger(); got != want {
				t.Errorf("step %d: got\n%s\nwant\n%s", step, got, want)
			}
			b.Store.Close()
			crashed = crashed || s.Crashed
		}
		if !crashed {
			return
		}
	}
}

// A directory that can't be locked is not said to be in use: no server would be found that has it open.
func TestADirectoryThatCannotBeLocked(t *testing.T) {
	b := open(t)
	b.Close()
	lock := filepath.Join(b.Dir, "lock")
	if err := errors.Join(os.Remove(lock), os.Mkdir(lock, 0o700)); err != nil {
		t.Fatal(err)
	}
	_, err := storage.Open(context.Background(), b.Dir, storage.Options{})
	if err == nil || errors.Is(err, storage.ErrInUse) || !strings.Contains(err.Error(), "can't be locked") {
		t.Errorf("got %v", err)
	}
}
