package crash

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

// backUp makes a backup of the whole store.
func (b *bench) backUp(target string) backup.Manifest {
	b.Helper()
	m, err := b.Copies.MakeIn(context.Background(), target, storage.NewStoreBackup{}, storage.Request{})
	if err != nil {
		b.Fatalf("backing up: %v, because of %v", err, errors.Unwrap(err))
	}
	if !m.IsComplete() {
		b.Errorf("the backup lacks %v", m.Damaged)
	}
	return m
}

// restored restores a backup and opens the store.
func restored(t *testing.T, from string) *bench {
	t.Helper()
	return reopen(t, restoredDir(t, from), storage.Options{})
}

func restoredDir(t *testing.T, from string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	if _, err := storage.RestoreStore(t.Context(), storage.Restoration{Backup: from, Dir: dir}, storage.Options{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// manifestOf is the path of a manifest.
func manifestOf(target string, m backup.Manifest) string {
	return filepath.Join(target, "backups", m.ID+".json")
}

// A store with a history of every kind comes back as it was, also where the catalog is left out of what was restored.
func TestABackupHasEverything(t *testing.T) {
	w := newWorld(t)
	b := reopen(t, w.dir, storage.Options{})
	want, target := b.Told(), filepath.Join(t.TempDir(), "backups")
	b.backUp(target)
	dir := restoredDir(t, target)
	if got := storagetest.Shows(t, dir, true); got != want {
		t.Errorf("restored\n%s\nwant\n%s", got, want)
	}
	storagetest.WithCatalog(t, dir, nil)
	if got := storagetest.Shows(t, dir, true); got != want {
		t.Errorf("restored without a catalog\n%s\nwant\n%s", got, want)
	}
}

// Only what is new is opened and copied.
func TestABackupCostsWhatChanged(t *testing.T) {
	w := newWorld(t)
	var opened atomic.Int64
	b := reopen(t, w.dir, storage.Options{})
	target := t.TempDir()
	first := b.backUp(target)
	b.settle(target)
	if again := b.backUp(target); again.Copied != 0 {
		t.Errorf("without a change, %d objects were copied", again.Copied)
	}
	b.JSON(w.d, catalog.Append, `[{"id":100,"x":"new"}]`)
	b.Copies.Opened = func(string) { opened.Add(1) }
	m := b.backUp(target)
	// A data file and commit.json; the catalog, and the list of objects.
	if m.Copied != 4 || opened.Load() != 2 {
		t.Errorf("%d objects were copied and %d opened, of %d", m.Copied, opened.Load(), m.Objects)
	}
	opened.Store(0)
	_, err := b.CreateTag(t.Context(), w.d, storage.NewTag{Name: "later"}, storage.Request{})
	b.Must(err)
	b.age(w.d)
	m = b.backUp(target)
	if labels := int64(len(b.labels(w.d))); m.Copied != 3 || opened.Load() != labels {
		t.Errorf("after a tag, %d objects were copied and %d opened; there are %d labels", m.Copied, opened.Load(), labels)
	}
	if first.Objects != first.Copied-2 && first.Copied > first.Objects+2 {
		t.Errorf("the first has %d objects and copied %d", first.Objects, first.Copied)
	}
}

func (b *bench) labels(d string) []string {
	names, err := filepath.Glob(filepath.Join(b.Dir, "objects", d, "labels", "*.json"))
	b.Must(err)
	return names
}

// settle has the directories of labels be older than the clock's steps, and backs up once, which notes that.
func (b *bench) settle(target string) {
	b.Helper()
	b.age("*")
	b.backUp(target)
}

// age has the labels of datasets be older.
func (b *bench) age(datasets string) {
	b.Helper()
	dirs, err := filepath.Glob(filepath.Join(b.Dir, "objects", datasets, "labels"))
	b.Must(err)
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		b.Must(err)
		old := info.ModTime().Add(-time.Minute)
		b.Must(os.Chtimes(dir, old, old))
	}
}

// Writers, forks, tags, compaction, vacuum and erasures go on during backups. Each backup is a state that there was:
// for every dataset all commits up to one, and none after it, with the records that they had.
func TestABackupBesideWriters(t *testing.T) {
	t.Parallel()
	b := reopen(t, t.TempDir(), storagetest.Eager)
	var sets []string
	for i := range 3 {
		d := b.Create(fmt.Sprint("d", i), "id")
		b.JSON(d, catalog.Append, `[{"id":1,"v":"a"},{"id":2,"v":"b"},{"id":3,"v":"c"}]`)
		sets = append(sets, d)
	}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var next atomic.Int64
	next.Store(1000)
	allowed := map[string]bool{"file_changed": true, "key_exists": true, "removal_running": true}
	fails := func(err error) {
		if err != nil && ctx.Err() == nil && !allowed[storage.Explain(err).Code] {
			t.Errorf("%s: %v", storage.Explain(err).Code, err)
		}
	}
	for w := range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				n := next.Add(1)
				d := sets[(w+int(n))%3]
				_, err := b.Try(d, catalog.Upsert, intake.JSON, fmt.Sprintf(`[{"id":%d,"v":"w"},{"id":%d,"v":"%d"}]`, n, 1+n%3, n))
				fails(err)
				if n%7 == 0 {
					_, err = b.CreateTag(context.Background(), d, storage.NewTag{Name: fmt.Sprint("t", n)}, storage.Request{})
					fails(err)
				}
				if n%31 == 0 {
					_, err = b.Fork(context.Background(), d, storage.NewFork{}, storage.Request{})
					fails(err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			b.EraseKeys(sets[i%3], fmt.Sprint(1001+i))
			_, err := b.Upkeep.Compact(context.Background(), sets[i%3])
			fails(err)
		}
	})
	target := t.TempDir()
	var made []backup.Manifest
	for range 3 {
		made = append(made, b.backUp(target))
	}
	stop()
	wg.Wait()
	b.Sound()
	for _, m := range made {
		b.sameAtCut(restored(t, manifestOf(target, m)), m)
	}
}

// sameAtCut compares a restored store with what the original has up to the cut. What was erased since is in none.
func (b *bench) sameAtCut(r *bench, m backup.Manifest) {
	b.Helper()
	r.Sound()
	for _, d := range m.Datasets {
		want, err := b.Commits(b.Context(), d.ID, d.Head+1, 100_000)
		b.Must(err)
		got, err := r.Commits(b.Context(), d.ID, 1<<62, 100_000)
		b.Must(err)
		if len(got) != len(want) || got[0].ID != d.Head {
			b.Errorf("backup %s, dataset %s: %d commits, the newest %d; want %d, and %d", m.ID, d.Name, len(got), got[0].ID,
				len(want), d.Head)
		}
		have, err := r.Tags(b.Context(), d.ID)
		b.Must(err)
		for _, tag := range have {
			if tag.CommitID > d.Head {
				b.Errorf("backup %s has tag %s of commit %d, which comes after its head %d", m.ID, tag.Name, tag.CommitID, d.Head)
			}
		}
		if m.Removal == b.lastRemoval() {
			got, want := r.Rows(d.ID, "head", true), b.Rows(d.ID, fmt.Sprint(d.Head), true)
			if !slices.Equal(got, want) {
				b.Errorf("backup %s, dataset %s: %v, want %v", m.ID, d.Name, got, want)
			}
		}
	}
}

// lastRemoval is the newest erasure of any dataset.
func (b *bench) lastRemoval() (last int64) {
	b.Helper()
	all, err := b.Datasets(b.Context(), catalog.DatasetFilter{Limit: 1000})
	b.Must(err)
	for _, s := range all {
		list, err := b.Erasures(b.Context(), s.Dataset.ID, 1<<62, 1)
		b.Must(err)
		for _, e := range list {
			last = max(last, e.ID)
		}
	}
	return last
}

// A file that vacuum or an erasure removes while it is about to be copied makes for another cut: the backup has what is
// left, and none of what is gone.
func TestAnErasureDuringABackup(t *testing.T) {
	b, d, _ := secretive(t)
	b.ClosedDir()
	var erased bool
	var now *bench
	hook := func(op, path string) error {
		if now != nil && !erased && op == "write" && strings.HasPrefix(path, "staging/") && !strings.Contains(path, "-") {
			erased = true
			now.EraseKeys(d, `"`+secret+`"`)
		}
		return nil
	}
	o := storagetest.Eager
	o.Hook = hook
	now = reopen(t, b.Dir, o)
	target := t.TempDir()
	m := now.backUp(target)
	if !erased || m.Removal == 0 {
		t.Fatalf("nothing was erased during the backup: %+v", m)
	}
	r := restored(t, target)
	r.Sound()
	if names := r.holders(secret); len(names) > 0 {
		t.Errorf("%v of the backup have what was erased before it was done", names)
	}
	// What was copied before is in the target until a pruning.
	_, err := storage.PruneBackups(t.Context(), target, 1, false, storage.Options{})
	now.Must(err)
	if names := storagetest.Holds(t, target, secret); len(names) > 0 {
		t.Errorf("after the pruning, %v have it", names)
	}
}

// An erasure names the backups that have what it erases.
func TestAnErasureNamesBackups(t *testing.T) {
	b, d, _ := secretive(t)
	b.ClosedDir()
	target := t.TempDir()
	o := storagetest.Eager
	o.Backups = target
	b = reopen(t, b.Dir, o)
	first := b.backUp(target)
	other := b.Create("other", "id")
	b.JSON(other, catalog.Append, `[{"id":1}]`)
	_, err := b.Copies.MakeIn(t.Context(), target, storage.NewStoreBackup{Dataset: other}, storage.Request{})
	b.Must(err)
	out := b.EraseKeys(d, `"`+secret+`"`)
	if len(out.StoreBackups) != 1 || out.StoreBackups[0].ID != first.ID {
		t.Errorf("named %+v, want %s", out.StoreBackups, first.ID)
	}
	b.backUp(target)
	b.JSON(d, catalog.Append, `[{"name":"`+secret+`"}]`)
	third := b.backUp(target)
	out = b.EraseKeys(d, `"`+secret+`"`)
	if len(out.StoreBackups) != 1 || out.StoreBackups[0].ID != third.ID {
		t.Errorf("named %+v, want %s: those before have been named", out.StoreBackups, third.ID)
	}
}

// A backup of one dataset has its whole family with its history, and nothing of others.
func TestABackupOfADataset(t *testing.T) {
	w := newWorld(t)
	b := reopen(t, w.dir, storage.Options{})
	target := t.TempDir()
	m, err := b.Copies.MakeIn(t.Context(), target, storage.NewStoreBackup{Dataset: w.f}, storage.Request{})
	b.Must(err)
	r := restored(t, target)
	r.Sound()
	for _, d := range []string{w.d, w.f} {
		want, err := b.State(t.Context(), d, "head")
		b.Must(err)
		got, err := r.State(t.Context(), d, "head")
		b.Must(err)
		if got, want := storagetest.ToJSON(r.ToldOf(got)), storagetest.ToJSON(b.ToldOf(want)); got != want {
			t.Errorf("restored\n%s\nwant\n%s", got, want)
		}
	}
	if _, err := r.State(t.Context(), w.gone, "head"); err == nil || len(m.Datasets) != 2 {
		t.Errorf("it has other datasets: %v, %+v", err, m.Datasets)
	}
}

// What is damaged in the store does not keep the rest from being backed up, and is said.
func TestABackupOfADamagedStore(t *testing.T) {
	w := newWorld(t)
	b := reopen(t, w.dir, storage.Options{})
	sound := t.TempDir()
	b.backUp(sound)
	path := b.fileOf(w.d, w.commit, "data")
	text := b.readFile(path)
	b.flip(path, text, 8*len(text)/2)
	// The target has it from before: the backup is complete, by what was written.
	b.backUp(sound)
	target := t.TempDir()
	m, err := b.Copies.MakeIn(t.Context(), target, storage.NewStoreBackup{}, storage.Request{})
	b.Must(err)
	if len(m.Damaged) != 1 || !strings.HasSuffix(path, filepath.FromSlash(m.Damaged[0].Key)) {
		t.Errorf("damaged: %+v, want %s", m.Damaged, path)
	}
	dir := filepath.Join(t.TempDir(), "x")
	r := storage.Restoration{Backup: target, Dir: dir}
	if _, err := storage.RestoreStore(t.Context(), r, storage.Options{}); err == nil {
		t.Error("what is incomplete was restored without being asked for")
	}
	r.Damaged = true
	out, err := storage.RestoreStore(t.Context(), r, storage.Options{})
	if err != nil || len(out.Problems) == 0 {
		t.Errorf("%v, %+v", err, out.Problems)
	}
	for _, s := range restored(t, sound).DataFiles(w.d) {
		if _, err := os.Stat(s); err != nil {
			t.Error(err)
		}
	}
}

// A backup goes into an empty directory or one with backups of the same store.
func TestWhereABackupGoes(t *testing.T) {
	b, other := open(t), open(t)
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken := t.TempDir()
	other.backUp(taken)
	file := filepath.Join(foreign, "thesis.txt")
	for _, dir := range []string{foreign, taken, file} {
		before := tree(t, dir)
		if _, err := b.Copies.MakeIn(t.Context(), dir, storage.NewStoreBackup{}, storage.Request{}); err == nil {
			t.Errorf("a backup was made in %s", dir)
		} else if strings.Contains(storage.Explain(err).Detail, dir) {
			t.Errorf("clients are told a path: %v", err)
		}
		if after := tree(t, dir); after != before {
			t.Errorf("%s has changed: %s, before %s", dir, after, before)
		}
	}
}

// tree lists the files below a directory but locks, with their sizes.
func tree(t *testing.T, dir string) (out string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "lock" {
			return err
		}
		info, err := e.Info()
		out += fmt.Sprintln(strings.TrimPrefix(path, dir), info.Size())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// crashes does something until it needs no more steps, and has the machine stop before the first one and every sixth,
// from one of the first six; ROWBACK_EVERY says before every how many, 1 for all.
func crashes(t *testing.T, once bool, do func(step int, s *storagetest.Stops) (crashed bool)) {
	t.Helper()
	crashesEvery(t, 6, once, do)
}

func crashesEvery(t *testing.T, every int, once bool, do func(step int, s *storagetest.Stops) (crashed bool)) {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv("ROWBACK_EVERY")); err == nil {
		every = n
	}
	first := rand.IntN(every)
	t.Logf("every %d steps from %d", every, first)
	step := 0
	for at := first; do(step, &storagetest.Stops{Left: step, Once: once}); at += every {
		step = max(at, 1)
	}
	t.Logf("%d steps", step)
	if step == 0 {
		t.Error("it was not stopped at its first step")
	}
}

// The machine stops, or the disk of the target is full, at each step of a backup. The backups before it are whole, and
// the next one is made.
func TestABackupStopsAtAnyStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	start := t.TempDir()
	b := reopen(t, w.dir, storage.Options{})
	first := b.backUp(start)
	before := b.Told()
	b.JSON(w.d, catalog.Append, `[{"id":200,"x":"new"}]`)
	after := b.Told()
	b.ClosedDir()
	for _, full := range []bool{false, true} {
		crashes(t, full, func(step int, s *storagetest.Stops) bool {
			target := storagetest.Copied(t, start)
			b := reopen(t, storagetest.Copied(t, w.dir), storage.Options{Hook: func(op, path string) error {
				if err := s.Hook(op, path); err != nil && full {
					return &fs.PathError{Op: op, Path: path, Err: syscall.ENOSPC}
				} else {
					return err
				}
			}})
			s.Armed = true
			_, err := b.Copies.MakeIn(t.Context(), target, storage.NewStoreBackup{}, storage.Request{})
			s.Armed = false
			if s.Crashed && err == nil {
				t.Errorf("step %d failed and the backup was made", step)
			}
			if code := storage.Explain(err).Code; full && s.Crashed && code != "backup_disk_full" {
				t.Errorf("a full disk is reported as %s", code)
			}
			if !full {
				b.Store.Close()
				b = reopen(t, b.Dir, storage.Options{})
			}
			wholeTarget(t, target)
			if step%5 == 0 {
				if got := storagetest.Shows(t, restoredDir(t, manifestOf(target, first)), false); got != before {
					t.Errorf("step %d: the first backup has\n%s\nwant\n%s", step, got, before)
				}
			}
			b.backUp(target)
			if step%5 == 0 {
				if got := storagetest.Shows(t, restoredDir(t, target), false); got != after {
					t.Errorf("step %d: the next backup has\n%s\nwant\n%s", step, got, after)
				}
			}
			return s.Crashed
		})
	}
}

// The machine stops at each step of the first backup of all: the target that it leaves is good for the next.
func TestTheFirstBackupStopsAtAnyStep(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.JSON(b.Create("d", "id"), catalog.Append, `[{"id":1}]`)
	b.ClosedDir()
	crashes(t, false, func(step int, s *storagetest.Stops) bool {
		target := filepath.Join(t.TempDir(), "above", "target")
		b := reopen(t, storagetest.Copied(t, b.Dir), storage.Options{Hook: s.Hook})
		s.Armed = true
		_, err := b.Copies.MakeIn(t.Context(), target, storage.NewStoreBackup{}, storage.Request{})
		s.Armed = false
		if s.Crashed && err == nil {
			t.Errorf("step %d failed and the backup was made", step)
		}
		b.backUp(target)
		wholeTarget(t, target)
		return s.Crashed
	})
}

// wholeTarget checks that all backups of a target are what was written.
func wholeTarget(t *testing.T, target string) {
	t.Helper()
	out, err := storage.CheckBackups(t.Context(), target, false, storage.Options{})
	if err != nil || len(out.Problems) > 0 {
		t.Errorf("the target has %v, %v", out.Problems, err)
	}
}

// A vacuum that removes files and states during a backup makes for another cut too.
func TestAVacuumDuringABackup(t *testing.T) {
	dir, d := toVacuum(t)
	var vacuumed bool
	var b *bench
	b = reopen(t, dir, storage.Options{Hook: func(op, path string) error {
		if b != nil && !vacuumed && op == "write" && strings.HasPrefix(path, "staging/") && !strings.Contains(path, "-") {
			vacuumed = true
			v, err := b.Vacuums.Vacuum(t.Context(), d, storage.Request{})
			if err != nil || v.Files == 0 {
				t.Errorf("vacuumed %+v, %v", v, err)
			}
		}
		return nil
	}})
	target := t.TempDir()
	m := b.backUp(target)
	if !vacuumed || m.Removal == 0 {
		t.Errorf("nothing was vacuumed during the backup: %+v", m)
	}
	if got, want := restored(t, target).states(), b.states(); got != want {
		t.Errorf("restored\n%s\nwant\n%s", got, want)
	}
}
