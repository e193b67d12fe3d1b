package crash

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

// fewSmall is a closed store with a dataset of a few small commits, of which eager options make compacted files.
func fewSmall(t *testing.T) (dir, dataset, told string) {
	t.Helper()
	b := open(t)
	id := b.Create("d", "id")
	for i := range 4 {
		b.JSON(id, catalog.Append, fmt.Sprintf(`[{"id":%d,"v":"a"},{"id":%d,"v":"b"}]`, 10+i, 20+i))
	}
	for i := range 3 {
		b.JSON(id, catalog.Upsert, fmt.Sprintf(`[{"id":%d,"v":"c"}]`, 10+i))
	}
	b.ClosedDir()
	return b.Dir, id, storagetest.Shows(t, b.Dir, true)
}

// withHook are eager options with a hook.
func withHook(s *storagetest.Stops) storage.Options {
	o := storagetest.Eager
	o.Hook = s.Hook
	return o
}

// compactedObjects returns the directories of the compacted files in a store.
func compactedObjects(dir string) []string {
	found, _ := filepath.Glob(filepath.Join(dir, "objects/*/compacted/*"))
	return found
}

// The machine stops, or one step fails, at every durable step of compaction. Nothing that the store shows changes, also
// without its catalog; what was half made is removed by the next start; and upkeep then does what was left.
func TestCompactionStopsAtAnyStep(t *testing.T) {
	t.Parallel()
	dir, id, told := fewSmall(t)
	for _, once := range []bool{false, true} {
		crashes(t, once, func(step int, s *storagetest.Stops) bool {
			dir := storagetest.Copied(t, dir)
			b := reopen(t, dir, withHook(s))
			s.Armed = true
			_, err := b.Upkeep.Compact(t.Context(), id)
			s.Armed = false
			if !s.Crashed {
				return false
			}
			if now := b.Told(); now != told {
				t.Errorf("step %d (%v) left\n%s\nwant\n%s", step, err, now, told)
			}
			b.Store.Close()
			b = reopen(t, dir, storagetest.Eager)
			if objects := compactedObjects(dir); len(objects) > 0 && b.Opens(id, "head") > 8 {
				t.Errorf("step %d: %v are left, and not used", step, objects)
			}
			b.CompactAll(id)
			if now := b.Told(); now != told {
				t.Errorf("step %d, then compacted:\n%s\nwant\n%s", step, now, told)
			}
			b.Sound()
			b.Store.Close()
			storagetest.WithCatalog(t, dir, nil)
			if now := storagetest.Shows(t, dir, true); now != told {
				t.Errorf("step %d, without the catalog:\n%s\nwant\n%s", step, now, told)
			}
			if left := compactedObjects(dir); len(left) > 0 {
				t.Errorf("step %d: %v are left without the catalog", step, left)
			}
			if t.Failed() {
				t.Fatalf("step %d, once %v", step, once)
			}
			return true
		})
	}
}

// Without room on the disk, nothing is compacted and nothing changes.
func TestCompactionOnAFullDisk(t *testing.T) {
	dir, id, told := fewSmall(t)
	full := false
	o := storagetest.Eager
	o.MinFree = 1000
	o.Free = func(string) (int64, error) {
		if full {
			return 0, nil
		}
		return 1 << 40, nil
	}
	b := reopen(t, dir, o)
	full = true
	if _, err := b.Upkeep.Compact(t.Context(), id); err == nil || fault.KindOf(err) == fault.Internal {
		t.Errorf("compacted: %v", err)
	}
	if b.Told() != told || len(compactedObjects(dir)) > 0 {
		t.Error("something was left")
	}
	full = false
	if done := b.CompactAll(id); done.Made == 0 || b.Told() != told {
		t.Errorf("with room: %+v", done)
	}
}

// A reader that has yet to open a compacted file can do so after others took its place. It is removed some time later.
func TestReadersWhileFilesAreReplaced(t *testing.T) {
	now := time.Now()
	o := storagetest.Eager
	o.Now = func() time.Time { return now }
	b := reopen(t, t.TempDir(), o)
	id := b.Create("d", "id")
	for i := range 2 {
		b.JSON(id, catalog.Append, fmt.Sprintf(`[{"id":%d}]`, i))
	}
	b.CompactAll(id)
	first := compactedObjects(b.Dir)
	old, err := b.Snapshot(t.Context(), id, "head")
	if err != nil {
		t.Fatal(err)
	}
	sql := "SELECT count(*) FROM (" + old.Table() + ")"
	for i := range 6 {
		b.JSON(id, catalog.Append, fmt.Sprintf(`[{"id":%d}]`, 10+i))
	}
	b.CompactAll(id)
	conn, err := b.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var n int64
	if err := conn.Row(t.Context(), sql, &n); err != nil || n != 2 || len(first) != 1 {
		t.Errorf("%d records, %v; compacted %v", n, err, first)
	}
	now = now.Add(time.Hour)
	b.CompactAll(id)
	if slices.Contains(compactedObjects(b.Dir), first[0]) {
		t.Error("what was replaced is still there")
	}
	b.Sound()
}

// Of several runs at once, one works and the others do nothing.
func TestUpkeepAtOnce(t *testing.T) {
	dir, id, told := fewSmall(t)
	b := reopen(t, dir, storagetest.Eager)
	var wg sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		wg.Go(func() { _, errs[i] = b.Upkeep.Compact(context.Background(), id) })
	}
	wg.Wait()
	worked := 0
	for _, err := range errs {
		if err == nil {
			worked++
		} else if storage.Explain(err).Code != "upkeep_running" {
			t.Error(err)
		}
	}
	if worked == 0 || b.Told() != told {
		t.Errorf("%d worked", worked)
	}
	b.Sound()
}

// A damaged file is left alone and reported; the others are compacted.
func TestCompactionOfADamagedFile(t *testing.T) {
	b := reopen(t, t.TempDir(), storagetest.Eager)
	id := b.Create("d", "id")
	for i := range 7 {
		b.JSON(id, catalog.Append, fmt.Sprintf(`[{"id":%d}]`, i))
	}
	files, _ := filepath.Glob(filepath.Join(b.Dir, "objects", id, "4", "data-*"))
	if err := os.Truncate(files[0], 50); err != nil {
		t.Fatal(err)
	}
	if done := b.CompactAll(id); done.Made < 2 {
		t.Errorf("done: %+v", done)
	}
	if damaged := b.Damaged(); len(damaged) != 1 || damaged[0].Commit != 4 {
		t.Errorf("damaged: %+v", damaged)
	}
	b.Want(id, "3", `{"id":0}`, `{"id":1}`, `{"id":2}`)
	s, err := b.Snapshot(t.Context(), id, "head")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := b.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var n int64
	err = conn.Row(t.Context(), "SELECT count(*) FROM ("+s.Table()+")", &n)
	if storage.Explain(err).Code != "corrupted_data" {
		t.Errorf("%d records, %v", n, err)
	}
}

// Writers commit, roll back, fork and merge while upkeep runs in the background.
func TestWritersBesideUpkeep(t *testing.T) {
	b := reopen(t, t.TempDir(), storagetest.Eager)
	id := b.Create("d", "id")
	b.Put(id, catalog.Append, intake.CSV, "id\n"+storagetest.Numbers(1000, 1100))
	ctx, stop := context.WithCancel(t.Context())
	var upkeep, writers sync.WaitGroup
	upkeep.Go(func() { b.Upkeep.Keep(ctx) })
	write := func(mode catalog.Mode, body string) (catalog.Commit, error) {
		name := strings.NewReplacer(`"`, "", " ", "").Replace(string(mode) + body[:12])
		path := filepath.Join(b.Dir, "staging", "of-a-test-"+name)
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			return catalog.Commit{}, err
		}
		return b.Commit(t.Context(), id, storage.Change{
			Mode: mode, Upload: intake.Upload{Format: intake.JSON, Path: path, Size: int64(len(body))},
		})
	}
	for w := range 4 {
		writers.Go(func() {
			for i := range 12 {
				c, err := write(catalog.Append, fmt.Sprintf(`[{"id":%6d}]`, w*100+i))
				if err == nil && i%5 == 0 {
					_, err = b.TryRollback(id, c.ID, storage.Records)
				}
				if err == nil {
					_, err = write(catalog.Upsert, fmt.Sprintf(`[{"id":%6d,"w":1}]`, 1000+w*20+i))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 8 {
		b.compactBeside(id)
	}
	writers.Wait()
	fork, err := b.Fork(t.Context(), id, storage.NewFork{Name: "f"}, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	b.JSON(fork.Dataset.ID, catalog.Upsert, `[{"id":6,"v":"fork"},{"id":7,"v":"fork"}]`)
	b.JSON(fork.Dataset.ID, catalog.Append, `[{"id":5000,"v":"fork"}]`)
	m := storage.Merge{Source: fork.Dataset.ID, Autorollback: true}
	if _, err := b.Merge(t.Context(), id, m, storage.Request{}); err != nil {
		t.Error(err)
	}
	stop()
	upkeep.Wait()
	b.CompactAll(fork.Dataset.ID)
	b.CompactAll(id)
	s, err := b.Snapshot(t.Context(), id, "head")
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(100 + 4*(12-3) + 1); s.Total() != want || int64(len(b.Rows(id, "head", false))) != want {
		t.Errorf("%d records, not %d", s.Total(), want)
	}
	if n := b.Opens(id, "head"); n > 12 {
		t.Errorf("%d files are opened", n)
	}
	b.Sound()
}

// compactBeside compacts while upkeep may be running in the background.
func (b *bench) compactBeside(dataset string) {
	b.Helper()
	_, err := b.Upkeep.Compact(b.Context(), dataset)
	if err != nil && storage.Explain(err).Code != "upkeep_running" {
		b.Error(err)
	}
}
