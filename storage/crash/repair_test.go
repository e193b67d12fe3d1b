package crash

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// repaired repairs a closed store.
func repaired(t *testing.T, dir string, apply bool, targets ...string) []storage.Repair {
	t.Helper()
	plan := storage.RepairPlan{Dir: dir, Backups: targets, Apply: apply}
	out, err := storage.RepairStore(t.Context(), plan, storage.Options{})
	storagetest.Must(t, err)
	return out
}

// objectPaths are all files that a repair looks after, of a closed store.
func objectPaths(t *testing.T, dir string) (out []string) {
	t.Helper()
	for line := range strings.Lines(tree(t, filepath.Join(dir, "objects"))) {
		path := strings.Fields(line)[0]
		if !strings.Contains(path, "/compacted/") && !strings.Contains(path, "/filters/") {
			out = append(out, filepath.Join(dir, "objects", path))
		}
	}
	return out
}

// Any object that is damaged, cut short or missing is found, and put back from a backup, byte for byte. A dry run says
// so and writes nothing.
func TestRepairPutsBackWhatABackupHas(t *testing.T) {
	w := newWorld(t)
	b := reopen(t, w.dir, storage.Options{})
	target := t.TempDir()
	b.backUp(target)
	want := b.Told()
	b.ClosedDir()
	sound := contents(t, w.dir)
	if found := repaired(t, w.dir, true, target); len(found) > 0 {
		t.Fatalf("a sound store was repaired: %+v", found)
	}
	paths := objectPaths(t, w.dir)
	for i, path := range paths {
		switch i % 3 {
		case 0:
			spoil(t, path)
		case 1:
			storagetest.Must(t, os.Truncate(path, 7))
		default:
			storagetest.Must(t, os.Remove(path))
		}
	}
	broken := contents(t, w.dir)
	found := repaired(t, w.dir, false, target)
	if after := contents(t, w.dir); after != broken {
		t.Error("the dry run wrote something")
	}
	var keys []string
	for _, r := range found {
		keys = append(keys, filepath.Join(w.dir, "objects", filepath.FromSlash(r.Key)))
		if r.Source == "" || r.Done {
			t.Errorf("the dry run says %+v", r)
		}
	}
	slices.Sort(keys)
	slices.Sort(paths)
	if !slices.Equal(keys, paths) {
		t.Errorf("found %d objects\n%v\nof %d\n%v", len(keys), keys, len(paths), paths)
	}
	for _, r := range repaired(t, w.dir, true, target) {
		if !r.Done {
			t.Errorf("not repaired: %+v", r)
		}
	}
	if after := contents(t, w.dir); after != sound {
		t.Error("the objects are not what they were")
	}
	if got := storagetest.Shows(t, w.dir, true); got != want {
		t.Errorf("it has\n%s\nwant\n%s", got, want)
	}
}

// contents are the paths and bytes of all objects.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	for _, path := range objectPaths(t, dir) {
		text, err := os.ReadFile(path)
		storagetest.Must(t, err)
		out.WriteString(path + "\n" + string(text) + "\n")
	}
	return out.String()
}

// A file in quarantine, or anywhere else in the store, is a copy too if its checksum says so.
func TestRepairFromTheStoreItself(t *testing.T) {
	w := newWorld(t)
	b := reopen(t, w.dir, storage.Options{})
	path := b.fileOf(w.d, w.commit, "data")
	b.ClosedDir()
	text, err := os.ReadFile(path)
	storagetest.Must(t, err)
	for _, where := range []string{"quarantine/some/file", "objects/elsewhere/copy"} {
		copied := filepath.Join(w.dir, filepath.FromSlash(where))
		storagetest.Must(t, os.MkdirAll(filepath.Dir(copied), 0o700))
		storagetest.Must(t, os.WriteFile(copied, text, 0o600))
		spoil(t, path)
		found := repaired(t, w.dir, true)
		if len(found) != 1 || !found[0].Done || found[0].Source != where {
			t.Errorf("%+v", found)
		}
		storagetest.Must(t, os.RemoveAll(filepath.Dir(copied)))
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != string(text) {
		t.Error("the file is not what it was")
	}
	spoil(t, path)
	if found := repaired(t, w.dir, true); len(found) != 1 || found[0].Done || found[0].Source != "" {
		t.Errorf("without a copy: %+v", found)
	}
}

// An older text of a label, or a description from before an erasure, is not a copy of what is missing.
func TestRepairDoesNotBringBackWhatWas(t *testing.T) {
	b, d, _ := secretive(t)
	_, err := b.CreateTag(t.Context(), d, storage.NewTag{Name: "t"}, storage.Request{})
	b.Must(err)
	target := t.TempDir()
	b.backUp(target)
	b.EraseKeys(d, `"`+secret+`"`)
	b.JSON(d, catalog.Append, `[{"name":"later"}]`)
	ref := "head"
	_, err = b.MoveTag(t.Context(), d, "t", storage.TagEdit{Ref: &ref}, storage.Request{})
	b.Must(err)
	want := b.Told()
	b.ClosedDir()
	var broken int
	for _, path := range objectPaths(t, b.Dir) {
		if strings.HasSuffix(path, "commit.json") || strings.Contains(path, "/tag-") {
			spoil(t, path)
			broken++
		}
	}
	found := repaired(t, b.Dir, true, target)
	for _, r := range found {
		if r.Done {
			t.Errorf("repaired with what was: %+v", r)
		}
	}
	if len(found) != broken {
		t.Errorf("found %d of %d", len(found), broken)
	}
	if names := storagetest.Holds(t, b.Dir, secret); len(names) > 0 {
		t.Errorf("%v have what was erased", names)
	}
	if got := storagetest.Shows(t, b.Dir, false); got != want {
		t.Errorf("it has\n%s\nwant\n%s", got, want)
	}
}

// The backups of another store are refused.
func TestRepairFromAnotherStore(t *testing.T) {
	b, other := open(t), open(t)
	target := t.TempDir()
	other.backUp(target)
	plan := storage.RepairPlan{Dir: b.ClosedDir(), Backups: []string{target}}
	if _, err := storage.RepairStore(t.Context(), plan, storage.Options{}); !errors.Is(err, backup.ErrOther) {
		t.Errorf("got %v", err)
	}
}

// The machine stops at each step of a repair: each object is as it was or right, and the next repair does the rest.
func TestARepairStopsAtAnyStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := reopen(t, w.dir, storage.Options{})
	target := t.TempDir()
	b.backUp(target)
	b.ClosedDir()
	want := storagetest.Shows(t, w.dir, true)
	broken := storagetest.Copied(t, w.dir)
	for i, path := range objectPaths(t, broken) {
		if i%5 == 0 {
			spoil(t, path)
		}
	}
	crashes(t, false, func(step int, s *storagetest.Stops) bool {
		dir := storagetest.Copied(t, broken)
		s.Armed = true
		plan := storage.RepairPlan{Dir: dir, Backups: []string{target}, Apply: true}
		_, err := storage.RepairStore(t.Context(), plan, storage.Options{Hook: s.Hook})
		if s.Crashed && err == nil {
			t.Errorf("step %d failed and nothing was said", step)
		}
		repaired(t, dir, true, target)
		if left := repaired(t, dir, false, target); len(left) > 0 {
			t.Errorf("step %d left %+v", step, left)
		}
		if step%5 == 0 {
			if got := storagetest.Shows(t, dir, true); got != want {
				t.Errorf("step %d: it has\n%s\nwant\n%s", step, got, want)
			}
		}
		return s.Crashed
	})
}
