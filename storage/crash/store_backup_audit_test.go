package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/storagetest"
)

// logged writes a file of an audit log.
func logged(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, "audit", name)
	storagetest.Must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	storagetest.Must(t, os.WriteFile(path, []byte(text), 0o600))
}

// auditIn returns what a directory has in its audit log, by name.
func auditIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "audit", "*"))
	storagetest.Must(t, err)
	out := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		storagetest.Must(t, err)
		out[filepath.Base(path)] = string(text)
	}
	return out
}

// The audit log comes back, without an entry that was just being written, and without what is not of the log. It
// survives a pruning, and damage to it in the target is found.
func TestABackupHasTheAuditLog(t *testing.T) {
	b := reopen(t, t.TempDir(), storage.Options{})
	_ = b.Create("d", "id")
	const one, two = "2026-01-000000000000001.ndjson", "2026-02-000000000000003.ndjson"
	logged(t, b.Dir, one, "a\nb\n")
	logged(t, b.Dir, two, "c\nhalf of an ent")
	logged(t, b.Dir, "2026-03-000000000000004.ndjson", "half")
	logged(t, b.Dir, "notes.txt", "mine")
	storagetest.Must(t, os.Symlink(filepath.Join(b.Dir, "store.json"),
		filepath.Join(b.Dir, "audit", "2026-04-000000000000009.ndjson")))
	target := t.TempDir()
	b.backUp(target)
	logged(t, b.Dir, two, "c\nd\n")
	m := b.backUp(target)
	_, err := storage.PruneBackups(t.Context(), target, 1, false, storage.Options{})
	storagetest.Must(t, err)
	dir := restoredDir(t, target)
	if got, want := fmt.Sprint(auditIn(t, dir)), fmt.Sprint(map[string]string{one: "a\nb\n", two: "c\nd\n"}); got != want {
		t.Errorf("restored %s, want %s", got, want)
	}
	reopen(t, dir, storage.Options{}).backUp(target)
	wholeTarget(t, target)
	spoil(t, filepath.Join(target, "objects", m.Audit[0].SHA256[:2], m.Audit[0].SHA256))
	found, err := storage.CheckBackups(t.Context(), target, false, storage.Options{})
	storagetest.Must(t, err)
	if len(found.Problems) == 0 {
		t.Error("damage to the audit log in the target was not found")
	}
}

// Files that no entry was added to are not read again, unless the target has lost them.
func TestABackupReadsNewEntriesOnly(t *testing.T) {
	b := reopen(t, t.TempDir(), storage.Options{})
	d := b.Create("d", "id")
	const name = "2026-01-000000000000001.ndjson"
	logged(t, b.Dir, name, "a\n")
	path, target := filepath.Join(b.Dir, "audit", name), t.TempDir()
	long := time.Now().Add(-time.Hour)
	b.Must(os.Chtimes(path, long, long))
	first := b.backUp(target)
	b.Must(os.WriteFile(path, []byte("x\n"), 0o600)) // what was read again would be this
	b.Must(os.Chtimes(path, long, long))
	b.JSON(d, catalog.Append, `[{"id":1}]`)
	if again := b.backUp(target); again.Audit[0] != first.Audit[0] {
		t.Error("a file was read that had not changed")
	}
	b.Must(os.Remove(filepath.Join(target, "objects", first.Audit[0].SHA256[:2], first.Audit[0].SHA256)))
	if again := b.backUp(target); again.Audit[0] == first.Audit[0] {
		t.Error("the target lacks a file, which was not read again")
	}
}

// Whoever asked is told of each backup and each pruning that fails, with what clients may know.
func TestFailedBackupsAreTold(t *testing.T) {
	b := reopen(t, t.TempDir(), storage.Options{})
	var codes []string
	b.Copies.Failed = func(_ context.Context, err error) {
		f := new(fault.Error)
		if !errors.As(err, &f) {
			t.Fatalf("not for clients: %v", err)
		}
		codes = append(codes, f.Code)
	}
	taken := t.TempDir()
	storagetest.Must(t, os.WriteFile(filepath.Join(taken, "thesis.txt"), []byte("mine"), 0o600))
	fail := func(dir string) {
		_, _ = b.Copies.MakeIn(t.Context(), dir, storage.NewStoreBackup{}, storage.Request{})
	}
	fail(taken)
	d := b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id":1}]`)
	target := t.TempDir()
	b.backUp(target)
	paths := objectPaths(t, b.Dir)
	spoil(t, paths[0])
	fail(t.TempDir())
	ended, end := context.WithCancel(t.Context())
	end()
	_, err := b.Copies.MakeIn(ended, taken, storage.NewStoreBackup{}, storage.Request{})
	if want := "[backup_target_taken backup_incomplete]"; fmt.Sprint(codes) != want || err == nil {
		t.Errorf("told of %v, want %s", codes, want)
	}
	if n := b.Copies.State().Failures; n != 2 {
		t.Errorf("%d failures were counted", n)
	}
}
