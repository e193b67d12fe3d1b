package crash

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/bucket/buckettest"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/catalog/postgrestest"
	"github.com/rowback/rowback/storage/storagetest"
)

// placed is the place of a store that is opened with options.
func placed(dir string, o storage.Options) storage.CopyPlace {
	return storage.CopyPlace{Dir: dir, Catalog: o.Catalog, Objects: o.Objects}
}

// A store moves from a directory to PostgreSQL and a bucket, and back, with all that people see of it. What is erased in
// it does not stay in a copy that was begun before.
func TestAStoreMovesAndMovesBack(t *testing.T) {
	server := postgrestest.Start(t)
	s := buckettest.Start(t)
	there := inBoth(server, "postgres", nil)
	b := open(t)
	d := toured(t, b)
	told, home := b.Told(), b.ClosedDir()
	storagetest.Must(t, os.WriteFile(filepath.Join(home, "objects", d, "labels", "x.txt"), []byte("once"), 0o600))
	cut, stop := context.WithCancel(t.Context())
	plan := storage.CopyPlan{From: placed(home, storage.Options{}), To: placed("", there)}
	plan.Say = func(text string) {
		if strings.HasPrefix(text, "comparing") {
			stop()
		}
	}
	if _, err := storage.CopyStore(cut, plan, storage.Options{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("it was stopped: %v", err)
	}
	storagetest.Must(t, os.Remove(filepath.Join(home, "objects", d, "labels", "x.txt")))
	if _, err := storage.Open(t.Context(), t.TempDir(), there); err == nil || !strings.Contains(err.Error(), "not complete") {
		t.Errorf("a copy that is not complete is opened: %v", err)
	}
	plan.Say = nil
	out, err := storage.CopyStore(t.Context(), plan, storage.Options{})
	if err != nil || out.Objects != 0 || out.Removed != 1 || out.Datasets != 2 || out.States < 5 {
		t.Fatalf("%+v, %v", out, err)
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "store", "p", "objects", d, "labels", "x.txt")); err == nil {
		t.Error("what the store does not have any more is in the copy")
	}
	if _, err := storage.CopyStore(t.Context(), plan, storage.Options{}); err == nil {
		t.Error("a copy is made over a store")
	}
	second := t.TempDir()
	b = reopen(t, second, there)
	if got := b.Told(); got != told {
		t.Errorf("there it has\n%s\nwant\n%s", got, told)
	}
	b.JSON(d, catalog.Append, `[{"id":99,"x":"there"}]`)
	b.Sound()
	told = b.Told()
	b.ClosedDir()
	server.Create(t, "wrong")
	wrong := there
	wrong.Catalog = server.URL("wrong", "")
	plan = storage.CopyPlan{From: placed("", wrong), To: placed(filepath.Join(t.TempDir(), "lost"), storage.Options{})}
	if _, err := storage.CopyStore(t.Context(), plan, storage.Options{}); !errors.Is(err, catalog.ErrNoCatalog) {
		t.Errorf("the catalog of the store is not in the database: %v", err)
	}
	back := filepath.Join(t.TempDir(), "back")
	for _, from := range []string{"", second} {
		plan = storage.CopyPlan{From: placed(from, there), To: placed(back, storage.Options{})}
		out, err = storage.CopyStore(t.Context(), plan, storage.Options{})
		storagetest.Must(t, err)
		b = reopen(t, back, storage.Options{})
		if got := b.Told(); got != told || out.Objects == 0 {
			t.Errorf("back it has (%+v)\n%s\nwant\n%s", out, got, told)
		}
		b.Sound()
		storagetest.Must(t, os.RemoveAll(b.ClosedDir()))
	}
}

// A store is copied while a server has it. The copy is completed once that has ended, with all that it had written.
func TestAStoreMovesWhileItIsUsed(t *testing.T) {
	b := open(t)
	d := b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id":1}]`)
	to := filepath.Join(t.TempDir(), "copy")
	said := make(chan string, 99)
	done := make(chan error)
	go func() {
		_, err := storage.CopyStore(t.Context(), storage.CopyPlan{
			From: placed(b.Dir, storage.Options{}), To: placed(to, storage.Options{}),
			Say: func(text string) { said <- text },
		}, storage.Options{})
		done <- err
	}()
	for text := range said {
		if strings.HasPrefix(text, "a server has the store") {
			break
		}
	}
	b.JSON(d, catalog.Append, `[{"id":2}]`)
	b.EraseKeys(d, "1")
	if _, err := storage.Open(t.Context(), to, storage.Options{}); !errors.Is(err, storage.ErrNotStore) {
		t.Errorf("it is a store already: %v", err)
	}
	told := b.Told()
	b.ClosedDir()
	storagetest.Must(t, <-done)
	copied := reopen(t, to, storage.Options{})
	if got := copied.Told(); got != told {
		t.Errorf("the copy has\n%s\nwant\n%s", got, told)
	}
	copied.Sound()
}

// A copy into a directory that has something changes nothing in it, whether a server has it or people's files are there.
func TestACopyLeavesWhatOthersHave(t *testing.T) {
	t.Parallel()
	from, other := open(t), open(t)
	from.JSON(from.Create("d", "id"), catalog.Append, `[{"id":1}]`)
	source := from.ClosedDir()
	people := t.TempDir()
	for _, dir := range []string{people, other.Dir} {
		storagetest.Must(t, os.MkdirAll(filepath.Join(dir, "staging"), 0o700))
		storagetest.Must(t, os.WriteFile(filepath.Join(dir, "staging", "1"), []byte("x"), 0o600))
	}
	storagetest.Must(t, os.WriteFile(filepath.Join(people, "letter"), []byte("x"), 0o600))
	storagetest.Must(t, os.Symlink(source, filepath.Join(people, "link")))
	for to, says := range map[string]string{
		people:                                  "Restore into an empty directory",
		other.Dir:                               "in use",
		source + "/":                            "the place of the store itself",
		filepath.Join(people, "link"):           "the place of the store itself",
		filepath.Join(source, "objects", "new"): "the place of the store itself",
	} {
		plan := storage.CopyPlan{From: placed(source, storage.Options{}), To: placed(to, storage.Options{})}
		_, err := storage.CopyStore(t.Context(), plan, storage.Options{})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("copying to %s: %v; it does not say %q", to, err, says)
		}
	}
	for _, dir := range []string{people, other.Dir} {
		if _, err := os.Stat(filepath.Join(dir, "staging", "1")); err != nil {
			t.Error(err)
		}
	}
}

// The machine stops at steps of a copy. Afterwards there is either no store or the whole one, and the copy can be
// completed, or was.
func TestACopyStopsAtAnyStep(t *testing.T) {
	t.Parallel()
	b := open(t)
	d := b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id":1},{"id":2}]`)
	b.JSON(d, catalog.Upsert, `[{"id":1,"x":3}]`)
	storagetest.Must(t, os.MkdirAll(filepath.Join(b.Dir, "audit"), 0o700))
	told, from := b.Told(), b.ClosedDir()
	logged(t, from, "2026-01-000000000000001.ndjson", "{}\n")
	completed := 0
	crashes(t, false, func(step int, s *storagetest.Stops) bool {
		to := filepath.Join(t.TempDir(), "copy")
		plan := storage.CopyPlan{From: placed(from, storage.Options{}), To: placed(to, storage.Options{})}
		s.Armed = true
		_, err := storage.CopyStore(t.Context(), plan, storage.Options{Hook: s.Hook})
		if !s.Crashed {
			storagetest.Must(t, err)
		}
		storagetest.Must(t, os.MkdirAll(to, 0o700))
		whole, errOpen := storage.Open(t.Context(), storagetest.Copied(t, to), storage.Options{})
		if errOpen == nil {
			storagetest.Must(t, whole.Close())
		} else if !errors.Is(errOpen, storage.ErrNotStore) {
			t.Errorf("step %d: %v", step, errOpen)
		}
		if s.Crashed {
			_, err := storage.CopyStore(t.Context(), plan, storage.Options{})
			if errOpen == nil && err != nil && strings.Contains(err.Error(), "a copy was completed") {
				completed++ // it stopped after its last change
			} else if err != nil {
				t.Fatalf("step %d: it is not completed: %v", step, err)
			}
		}
		if got := storagetest.Shows(t, to, true); got != told {
			t.Errorf("step %d: the copy has\n%s\nwant\n%s", step, got, told)
		}
		if logs := auditIn(t, to); len(logs) != 1 {
			t.Errorf("step %d: the audit log is %v", step, logs)
		}
		return s.Crashed
	})
	if completed > 2 {
		t.Errorf("%d of the copies that were stopped were complete", completed)
	}
}
