package crash

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// threeBackups is a target with three backups of a store, which is closed, and what the store told at each.
func threeBackups(t *testing.T) (dir, target string, told []string, made []backup.Manifest) {
	t.Helper()
	b := open(t)
	d := b.Create("d", "id")
	logged(t, b.Dir, "2026-01-000000000000001.ndjson", "an entry\n")
	target = t.TempDir()
	for i := range 3 {
		b.JSON(d, catalog.Upsert, fmt.Sprintf(`[{"id":1,"n":%d},{"id":%d,"n":0}]`, i, 10+i))
		_, err := b.CreateTag(t.Context(), d, storage.NewTag{Name: fmt.Sprint("t", i)}, storage.Request{})
		b.Must(err)
		told = append(told, b.Told())
		made = append(made, b.backUp(target))
	}
	return b.ClosedDir(), target, told, made
}

// targetObjects lists the objects of a target.
func targetObjects(t *testing.T, target string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(target, "objects", "*", "*"))
	storagetest.Must(t, err)
	return names
}

// Pruning keeps the newest backups, whole, and removes what only the others have.
func TestPruning(t *testing.T) {
	_, target, told, made := threeBackups(t)
	before := len(targetObjects(t, target))
	dry, err := storage.PruneBackups(t.Context(), target, 2, true, storage.Options{})
	storagetest.Must(t, err)
	if left := len(targetObjects(t, target)); left != before || len(dry.Backups) != 1 || dry.Objects == 0 {
		t.Errorf("the dry run said %+v, and left %d of %d objects", dry, left, before)
	}
	done, err := storage.PruneBackups(t.Context(), target, 2, false, storage.Options{})
	storagetest.Must(t, err)
	if done.Objects != dry.Objects || len(targetObjects(t, target)) != before-done.Objects {
		t.Errorf("it removed %+v, and said %+v before; %d objects of %d are left", done, dry,
			len(targetObjects(t, target)), before)
	}
	wholeTarget(t, target)
	for i, m := range made[1:] {
		if got := storagetest.Shows(t, restoredDir(t, manifestOf(target, m)), true); got != told[i+1] {
			t.Errorf("backup %d has\n%s\nwant\n%s", i+1, got, told[i+1])
		}
	}
	if _, err := os.Stat(manifestOf(target, made[0])); err == nil {
		t.Error("the oldest is still there")
	}
}

// The machine stops at each step of a pruning: what is there is whole, and the next pruning removes what was left.
func TestPruningStopsAtAnyStep(t *testing.T) {
	_, target, told, made := threeBackups(t)
	clean := storagetest.Copied(t, target)
	_, err := storage.PruneBackups(t.Context(), clean, 1, false, storage.Options{})
	storagetest.Must(t, err)
	crashes(t, false, func(step int, s *storagetest.Stops) bool {
		one := storagetest.Copied(t, target)
		s.Armed = true
		_, err := storage.PruneBackups(t.Context(), one, 1, false, storage.Options{Hook: s.Hook})
		if s.Crashed && err == nil {
			t.Errorf("step %d failed and nothing was said", step)
		}
		wholeTarget(t, one)
		if step%5 == 0 {
			if got := storagetest.Shows(t, restoredDir(t, manifestOf(one, made[2])), false); got != told[2] {
				t.Errorf("step %d: the newest has\n%s\nwant\n%s", step, got, told[2])
			}
		}
		_, err = storage.PruneBackups(t.Context(), one, 1, false, storage.Options{})
		storagetest.Must(t, err)
		if tree(t, one) != tree(t, clean) {
			t.Errorf("step %d left\n%s\nwant\n%s", step, tree(t, one), tree(t, clean))
		}
		return s.Crashed
	})
}

// Where a manifest or its list can't be read, it is not known what the backup needs: nothing is removed.
func TestPruningLeavesWhatItDoesNotKnow(t *testing.T) {
	_, target, _, made := threeBackups(t)
	list := filepath.Join(target, "objects", made[2].List.SHA256[:2], made[2].List.SHA256)
	for _, path := range []string{manifestOf(target, made[0]), manifestOf(target, made[2]), list} {
		one := storagetest.Copied(t, target)
		path = filepath.Join(one, strings.TrimPrefix(path, target))
		spoil(t, path)
		before := tree(t, one)
		if _, err := storage.PruneBackups(t.Context(), one, 1, false, storage.Options{}); err == nil {
			t.Errorf("it pruned with a damaged %s", path)
		}
		if tree(t, one) != before {
			t.Errorf("it removed something with a damaged %s", path)
		}
	}
	if _, err := storage.PruneBackups(t.Context(), target, 0, false, storage.Options{}); err == nil {
		t.Error("it kept no backup")
	}
}

// Where the manifest of the newest backup can't be read, an older one is restored only if it is named.
func TestAnOlderBackupIsNotTakenForTheNewest(t *testing.T) {
	_, target, _, made := threeBackups(t)
	spoil(t, manifestOf(target, made[2]))
	_, err := storage.FindBackup(t.Context(), target, storage.Options{})
	if !errors.Is(err, backup.ErrDamaged) || !strings.Contains(err.Error(), made[2].ID) {
		t.Errorf("the newest is damaged: %v", err)
	}
	found, err := storage.FindBackup(t.Context(), manifestOf(target, made[1]), storage.Options{})
	if err != nil || found.ID != made[1].ID {
		t.Errorf("the one that was named: %s, %v", found.ID, err)
	}
	storagetest.Must(t, os.Rename(manifestOf(target, made[0]), manifestOf(target, made[2])))
	if _, err := storage.FindBackup(t.Context(), target, storage.Options{}); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("the newest is another's: %v", err)
	}
}

// spoil flips a bit of a file.
func spoil(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	storagetest.Must(t, err)
	text[len(text)/2] ^= 1
	storagetest.Must(t, os.WriteFile(path, text, 0o600))
}

// The machine stops at each step of a restore, or one step fails: the directory is not a store, or the whole one, and
// is empty where the restore could clean up.
func TestARestoreStopsAtAnyStep(t *testing.T) {
	t.Parallel()
	_, target, told, _ := threeBackups(t)
	for _, once := range []bool{false, true} {
		crashes(t, once, func(step int, s *storagetest.Stops) bool {
			dir := filepath.Join(t.TempDir(), "above", "store")
			s.Armed = true
			r := storage.Restoration{Backup: target, Dir: dir}
			_, err := storage.RestoreStore(t.Context(), r, storage.Options{Hook: s.Hook})
			if s.Crashed && err == nil {
				t.Errorf("step %d failed and nothing was said", step)
			}
			opened, err := storage.Open(t.Context(), dir, storage.Options{Threads: 1})
			if err == nil {
				storagetest.Must(t, opened.Close())
				if got := storagetest.Shows(t, dir, true); got != told[2] && got != "null" {
					t.Errorf("step %d: the store has\n%s\nwant\n%s", step, got, told[2])
				} else if got == "null" && s.Crashed {
					// It was empty, and could be made a new store: then nothing of the backup is in it.
					if names, _ := filepath.Glob(filepath.Join(dir, "objects", "*")); len(names) > 0 {
						t.Errorf("step %d: the store shows nothing and has %v", step, names)
					}
				}
			} else if !errors.Is(err, storage.ErrNotStore) {
				t.Errorf("step %d: %v", step, err)
			}
			return s.Crashed
		})
	}
}

// Nothing is restored over something else.
func TestARestoreNeedsAnEmptyDirectory(t *testing.T) {
	store, target, told, _ := threeBackups(t)
	other := t.TempDir()
	storagetest.Must(t, os.WriteFile(filepath.Join(other, "settings.db"), []byte("mine"), 0o600))
	storagetest.Must(t, os.Symlink(store, filepath.Join(t.TempDir(), "link")))
	for _, dir := range []string{store, other, target, filepath.Join(store, "objects")} {
		before := tree(t, dir)
		_, err := storage.RestoreStore(t.Context(), storage.Restoration{Backup: target, Dir: dir}, storage.Options{})
		if err == nil || tree(t, dir) != before {
			t.Errorf("%s: %v, and it has\n%s\nbefore\n%s", dir, err, tree(t, dir), before)
		}
	}
	if got := storagetest.Shows(t, store, true); got != told[2] {
		t.Error("the store has changed")
	}
}

// Whatever is damaged in a target is found by a check and by a restore, which then leaves nothing. The next backup
// copies again what the check removed.
func TestDamageInATarget(t *testing.T) {
	dir, target, told, made := threeBackups(t)
	for i, path := range targetObjects(t, target) {
		if i%4 != 0 && !strings.HasSuffix(path, made[2].List.SHA256) && !strings.HasSuffix(path, made[2].Catalog.SHA256) {
			continue
		}
		one := storagetest.Copied(t, target)
		path = filepath.Join(one, strings.TrimPrefix(path, target))
		for _, how := range []func(){
			func() { spoil(t, path) },
			func() { storagetest.Must(t, os.Truncate(path, 1)) },
			func() { os.Remove(path) },
		} {
			how()
			out, err := storage.CheckBackups(t.Context(), one, false, storage.Options{})
			if err != nil || len(out.Problems) == 0 {
				t.Errorf("%s was changed, and the check found %v, %v", path, out.Problems, err)
			}
		}
	}
	one := storagetest.Copied(t, target)
	for _, path := range targetObjects(t, one) {
		spoil(t, path)
	}
	to := filepath.Join(t.TempDir(), "store")
	if _, err := storage.RestoreStore(t.Context(), storage.Restoration{Backup: one, Dir: to}, storage.Options{}); err == nil {
		t.Error("damaged objects were restored")
	}
	if left := strings.TrimSpace(tree(t, to)); left != "" {
		t.Errorf("a failed restore left %s", left)
	}
	_, err := storage.CheckBackups(t.Context(), one, true, storage.Options{})
	storagetest.Must(t, err)
	reopen(t, dir, storage.Options{}).backUp(one)
	if got := storagetest.Shows(t, restoredDir(t, one), true); got != told[2] {
		t.Errorf("the backup after has\n%s\nwant\n%s", got, told[2])
	}
}

// Links and odd names in a target lead nowhere: nothing outside of it is read, written or removed.
func TestATargetDoesNotLeadOut(t *testing.T) {
	store, target, _, made := threeBackups(t)
	outside := t.TempDir()
	precious := filepath.Join(outside, "precious")
	storagetest.Must(t, os.WriteFile(precious, []byte("as it was"), 0o600))
	unchanged := func(what string) {
		t.Helper()
		text, err := os.ReadFile(precious)
		if names, _ := os.ReadDir(outside); err != nil || string(text) != "as it was" || len(names) != 1 {
			t.Errorf("%s: %q, %v, %v", what, text, err, names)
		}
	}
	everything := func(what, dir string) {
		b := reopen(t, storagetest.Copied(t, store), storage.Options{})
		b.Copies.MakeIn(t.Context(), dir, storage.NewStoreBackup{}, storage.Request{}) //nolint:errcheck // may fail
		storage.CheckBackups(t.Context(), dir, true, storage.Options{})                //nolint:errcheck // may fail
		storage.PruneBackups(t.Context(), dir, 1, false, storage.Options{})            //nolint:errcheck // may fail
		to := filepath.Join(t.TempDir(), "store")
		storage.RestoreStore(t.Context(), storage.Restoration{Backup: dir, Dir: to}, storage.Options{}) //nolint:errcheck // may fail
		unchanged(what)
	}
	name := made[2].Catalog.SHA256
	for what, do := range map[string]func(dir string){
		"objects elsewhere":   func(dir string) { replace(t, filepath.Join(dir, "objects"), outside) },
		"staging elsewhere":   func(dir string) { replace(t, filepath.Join(dir, "staging"), outside) },
		"backups elsewhere":   func(dir string) { replace(t, filepath.Join(dir, "backups"), outside) },
		"a shard elsewhere":   func(dir string) { replace(t, filepath.Join(dir, "objects", name[:2]), outside) },
		"an object is a link": func(dir string) { replace(t, filepath.Join(dir, "objects", name[:2], name), precious) },
		"the lock is a link":  func(dir string) { replace(t, filepath.Join(dir, "lock"), filepath.Join(outside, "made")) },
		"a manifest is a link": func(dir string) {
			replace(t, manifestOf(dir, made[2]), precious)
		},
		"odd names": func(dir string) {
			for _, odd := range []string{"..x", "a\nb", "%2e%2e", "20260101T000000.000000Z.json.json", "\xff"} {
				storagetest.Must(t, os.WriteFile(filepath.Join(dir, "backups", odd), []byte("{}"), 0o600))
				storagetest.Must(t, os.WriteFile(filepath.Join(dir, "objects", odd), nil, 0o600))
			}
		},
	} {
		dir := storagetest.Copied(t, target)
		do(dir)
		everything(what, dir)
	}
	// A manifest that was made to lead out, with right checksums.
	for _, key := range []string{"../../../precious", "/precious", "a/../../../../precious", ""} {
		dir := storagetest.Copied(t, target)
		forge(t, dir, made[2], key, precious)
		to := filepath.Join(outside, "store")
		_, err := storage.RestoreStore(t.Context(), storage.Restoration{Backup: dir, Dir: to}, storage.Options{})
		if err == nil {
			t.Errorf("the key %q was restored", key)
		}
		storagetest.Must(t, os.RemoveAll(to))
		unchanged("a key of " + key)
	}
}

// replace puts a link in the place of something.
func replace(t *testing.T, path, to string) {
	t.Helper()
	storagetest.Must(t, os.RemoveAll(path))
	storagetest.Must(t, os.Symlink(to, path))
}

// forge has a backup name an object of a key.
func forge(t *testing.T, dir string, m backup.Manifest, key, content string) {
	t.Helper()
	target, err := backup.Create(t.Context(), backup.Where{Dir: dir}, m.Store, m.CreatedAt)
	storagetest.Must(t, err)
	defer target.Close()
	entries, err := target.Entries(t.Context(), m)
	storagetest.Must(t, err)
	w, err := target.NewWriter(t.Context(), false)
	storagetest.Must(t, err)
	o, err := w.Add(t.Context(), bytes.NewReader([]byte("evil")), backup.Object{})
	storagetest.Must(t, err)
	m.List, err = w.AddList(t.Context(), append(entries, backup.Entry{Key: key, Object: o}))
	storagetest.Must(t, err)
	m.ID = "29990101T000000.000000Z"
	storagetest.Must(t, w.Settle(t.Context()))
	storagetest.Must(t, w.Finish(t.Context(), &m))
}

// A dataset of a backup becomes an archive, from which it is made in another store.
func TestADatasetOfABackup(t *testing.T) {
	w := newWorld(t)
	b := reopen(t, w.dir, storage.Options{})
	target := t.TempDir()
	b.backUp(target)
	var archive bytes.Buffer
	x := storage.Extraction{Backup: target, Project: 1, Dataset: "fork", Scratch: filepath.Join(t.TempDir(), "x")}
	storagetest.Must(t, storage.Extract(t.Context(), x, storage.Options{Threads: 1}, &archive))
	other := open(t)
	made, err := other.CreateFromBackup(t.Context(), &archive, "again", 1, storage.Request{})
	storagetest.Must(t, err)
	if got, want := other.DigestAt(made.Dataset.ID, "head"), b.DigestAt(w.f, "head"); got != want {
		t.Errorf("the digest is %s, want %s", got, want)
	}
	x.Dataset, x.Scratch = "gone", filepath.Join(t.TempDir(), "y")
	if err := storage.Extract(t.Context(), x, storage.Options{}, &archive); err == nil {
		t.Error("a deleted dataset was found")
	}
}

// A store that was restored from an earlier backup goes on with other commits of the same ids, in the same target.
func TestABackupAfterARestore(t *testing.T) {
	_, target, told, made := threeBackups(t)
	b := reopen(t, restoredDir(t, manifestOf(target, made[0])), storage.Options{})
	list, err := b.Datasets(t.Context(), catalog.DatasetFilter{Limit: 1})
	b.Must(err)
	d := list[0].Dataset.ID
	for i := range 2 {
		b.JSON(d, catalog.Append, fmt.Sprintf(`[{"id":%d,"other":true}]`, 900+i))
		b.JSON(d, catalog.Upsert, `[{"id":1,"n":77}]`)
		want := b.Told()
		b.backUp(target)
		if got := storagetest.Shows(t, restoredDir(t, target), true); got != want {
			t.Errorf("restored\n%s\nwant\n%s", got, want)
		}
	}
	if got := storagetest.Shows(t, restoredDir(t, manifestOf(target, made[2])), true); got != told[2] {
		t.Errorf("the last backup before has\n%s\nwant\n%s", got, told[2])
	}
	wholeTarget(t, target)
	dir := b.ClosedDir()
	for _, path := range objectPaths(t, dir) {
		spoil(t, path)
	}
	want := contents(t, dir)
	for _, r := range repaired(t, dir, true, target) {
		if !r.Done {
			t.Errorf("not repaired: %+v", r)
		}
	}
	if contents(t, dir) == want {
		t.Error("nothing was repaired")
	}
	storagetest.Shows(t, dir, true)
}
