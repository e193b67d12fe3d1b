package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/storagetest"
)

// toVacuum is a closed store with a dataset and a fork of which vacuum removes whole files, parts of files and states.
func toVacuum(t *testing.T) (dir, dataset string) {
	t.Helper()
	b := open(t)
	id, commits := b.Overwritten("d", 4)
	b.JSON(id, catalog.Upsert, `[{"id":2,"n":7}]`)
	fork, err := b.Fork(t.Context(), id, storage.NewFork{Name: "f", Ref: fmt.Sprint(commits[2].ID)}, storage.Request{})
	storagetest.Must(t, err)
	b.JSON(fork.Dataset.ID, catalog.Upsert, `[{"id":1,"n":8},{"id":3,"n":8}]`)
	b.JSON(fork.Dataset.ID, catalog.Delete, `[{"id":3}]`)
	b.Keeps(fork.Dataset.ID, 1)
	b.Keeps(id, 1)
	return b.ClosedDir(), id
}

// states tells of every commit of every dataset what it shows, or that it is gone.
func (b *bench) states() (out string) {
	b.Helper()
	list, err := b.Datasets(b.Context(), catalog.DatasetFilter{Limit: 100})
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range list {
		commits, err := b.Actions(b.Context(), s.Dataset.ID, storage.ActionFilter{})
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range commits {
			ref := fmt.Sprint(c.ID)
			if _, err := b.Snapshot(b.Context(), s.Dataset.ID, ref); err != nil {
				out += fmt.Sprintln(s.Dataset.Name, c.ID, storage.Explain(err).Code)
				continue
			}
			out += fmt.Sprintln(s.Dataset.Name, c.ID, b.Rows(s.Dataset.ID, ref, true))
		}
	}
	return out
}

// The machine stops, or one step fails, at every durable step of a vacuum. Every state is there as before, or none of
// those is that go; the next start finishes what was decided; and a vacuum then does what was left. A lost catalog
// comes back the same.
func TestVacuumStopsAtAnyStep(t *testing.T) {
	t.Parallel()
	dir, id := toVacuum(t)
	b := reopen(t, storagetest.Copied(t, dir), storage.Options{})
	before := b.states()
	b.VacuumAll(id)
	after := b.states()
	if n := strings.Count(after, "vacuumed"); n < 4 || strings.Contains(before, "vacuumed") {
		t.Fatalf("before\n%s\nafter\n%s", before, after)
	}
	isOne := func(now string) bool { return now == before || now == after }
	for _, once := range []bool{false, true} {
		crashes(t, once, func(step int, s *storagetest.Stops) bool {
			dir := storagetest.Copied(t, dir)
			b := reopen(t, dir, storage.Options{Hook: s.Hook})
			s.Armed = true
			_, err := b.Vacuums.Vacuum(t.Context(), id, storage.Request{})
			s.Armed = false
			if !s.Crashed {
				return false
			}
			if now := b.states(); !isOne(now) {
				t.Errorf("step %d (%v) left\n%s\nwant\n%s\nor\n%s", step, err, now, before, after)
			}
			b.Store.Close()
			if rand.IntN(3) == 0 {
				storagetest.WithCatalog(t, dir, nil)
			}
			b = reopen(t, dir, storage.Options{})
			now := b.states()
			if !isOne(now) || err == nil && now != after {
				t.Errorf("step %d (%v), started again:\n%s", step, err, now)
			}
			b.Sound()
			b.VacuumAll(id)
			if now := b.states(); now != after {
				t.Errorf("step %d, vacuumed again:\n%s\nwant\n%s", step, now, after)
			}
			b.Store.Close()
			storagetest.WithCatalog(t, dir, nil)
			b = reopen(t, dir, storage.Options{})
			if now := b.states(); now != after {
				t.Errorf("step %d, without the catalog:\n%s\nwant\n%s", step, now, after)
			}
			b.Sound()
			b.Store.Close()
			if t.Failed() {
				t.Fatalf("step %d, once %v", step, once)
			}
			return true
		})
	}
}

// The same where a deleted dataset is removed for good.
func TestRemovalOfADatasetStopsAtAnyStep(t *testing.T) {
	t.Parallel()
	b := open(t)
	gone, _ := b.Overwritten("gone", 2)
	kept, _ := b.Overwritten("kept", 2)
	storagetest.Must(t, b.DeleteDataset(t.Context(), gone, storage.Request{}))
	want := b.states()
	dir := b.ClosedDir()
	crashes(t, false, func(step int, s *storagetest.Stops) bool {
		dir := storagetest.Copied(t, dir)
		b := reopen(t, dir, storage.Options{Hook: s.Hook, Deleted: 1})
		s.Armed = true
		_ = b.Vacuums.RunAll(t.Context()) // it fails, or not
		s.Armed = false
		b.Store.Close()
		if rand.IntN(2) == 0 {
			storagetest.WithCatalog(t, dir, nil)
		}
		b = reopen(t, dir, storage.Options{Deleted: 1})
		b.Sound()
		storagetest.Must(t, b.Vacuums.RunAll(t.Context()))
		_, err := b.UndeleteDataset(t.Context(), gone, storage.Request{})
		if storage.Explain(err).Code != "dataset_vacuumed" || b.states() != want || b.BytesBelow(gone) != 0 {
			t.Errorf("step %d: %v, %d bytes\n%s", step, err, b.BytesBelow(gone), b.states())
		}
		b.Sound()
		b.JSON(kept, catalog.Append, `[{"id":9}]`)
		if files, _ := filepath.Glob(filepath.Join(dir, "quarantine/*")); len(files) > 0 {
			t.Errorf("step %d: in quarantine are %v", step, files)
		}
		b.Store.Close()
		if t.Failed() {
			t.FailNow()
		}
		return s.Crashed
	})
}

// Writers, readers, compaction, digests and two vacuums at once: nobody sees wrong rows, and no commit fails.
func TestVacuumBesideEverybody(t *testing.T) {
	t.Parallel()
	b := reopen(t, t.TempDir(), storagetest.Eager)
	const writers, rounds = 16, 12
	ids := make([]string, 4)
	for i := range ids {
		ids[i] = b.Create(fmt.Sprint("d", i), "id")
		b.JSON(ids[i], catalog.Append, `[{"id":0,"n":0}]`)
		b.Keeps(ids[i], 2)
	}
	var busy sync.WaitGroup
	var done atomic.Bool
	for w := range writers {
		busy.Go(func() {
			for n := range rounds {
				body := fmt.Sprintf(`[{"id":%d,"n":%d}]`, w+1, n)
				if _, err := b.Try(ids[w%len(ids)], catalog.Upsert, "json", body); err != nil {
					b.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}
	var others sync.WaitGroup
	for i := range 2 {
		others.Go(func() {
			for n := 0; !done.Load(); n++ {
				_, err := b.Vacuums.Vacuum(t.Context(), ids[(n+i)%len(ids)], storage.Request{})
				if code := storage.Explain(err).Code; err != nil && code != "removal_running" {
					b.Errorf("vacuum: %v", err)
				}
			}
		})
		others.Go(func() {
			for n := 0; !done.Load(); n++ {
				b.readsSound(ids[(n+i)%len(ids)])
			}
		})
		others.Go(func() {
			for n := 0; !done.Load(); n++ {
				d := ids[(n+i)%len(ids)]
				_, err := b.Upkeep.Compact(b.Context(), d)
				_, errDigest := b.Digests.Of(b.Context(), d, "head")
				for _, err := range []error{err, errDigest} {
					e := storage.Explain(err)
					if err != nil && e.Kind != fault.Unavailable && e.Kind != fault.Gone {
						b.Errorf("%s: %v", e.Code, err)
					}
				}
			}
		})
	}
	busy.Wait()
	done.Store(true)
	others.Wait()
	for w := range writers {
		found := false
		for _, row := range b.Rows(ids[w%len(ids)], "head", false) {
			found = found || row == fmt.Sprintf(`{"id":%d,"n":%d}`, w+1, rounds-1)
		}
		if !found {
			t.Errorf("the last record of writer %d is missing", w)
		}
	}
	for _, id := range ids {
		b.VacuumAll(id)
	}
	b.Sound()
}

// readsSound reads a dataset's head: the snapshot may be outdated, but what it shows is right.
func (b *bench) readsSound(dataset string) {
	b.Helper()
	ctx := b.Context()
	snap, err := b.Snapshot(ctx, dataset, "head")
	if err != nil {
		b.Error(err)
		return
	}
	conn, err := b.Conn(ctx)
	if err != nil {
		b.Error(err)
		return
	}
	defer conn.Close()
	var n, distinct int64
	err = conn.Row(ctx, "SELECT count(*), count(DISTINCT id) FROM ("+snap.Table()+")", &n, &distinct)
	switch e := storage.Explain(err); {
	case err != nil && e.Kind != fault.Unavailable && e.Kind != fault.Gone:
		b.Errorf("reading: %v", err)
	case err == nil && (n != snap.Total() || distinct != n):
		b.Errorf("%d records of %d, %d keys", n, snap.Total(), distinct)
	}
}

// A file that is damaged is left alone, and vacuum does the rest.
func TestVacuumLeavesDamagedFilesAlone(t *testing.T) {
	dir, id := toVacuum(t)
	b := reopen(t, dir, storage.Options{})
	files, err := filepath.Glob(filepath.Join(dir, "objects", id, "*", "data-0000.parquet"))
	storagetest.Must(t, err)
	text, err := os.ReadFile(files[1])
	storagetest.Must(t, err)
	storagetest.Must(t, os.Chmod(files[1], 0o600))
	text[len(text)/2] ^= 1
	storagetest.Must(t, os.WriteFile(files[1], text, 0o600))
	_, err = b.Vacuums.Vacuum(t.Context(), id, storage.Request{})
	if err != nil {
		_, err = b.Vacuums.Vacuum(t.Context(), id, storage.Request{}) // by now it is known
	}
	if err != nil && !errors.Is(err, fault.New(fault.Corrupt, "corrupted_data")) {
		t.Error(err)
	}
}
