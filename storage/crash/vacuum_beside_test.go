package crash

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

// On a disk that is full at some step, a vacuum is refused and changes nothing, or stands.
func TestVacuumOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir, id := toVacuum(t)
	b := reopen(t, storagetest.Copied(t, dir), storage.Options{})
	before := b.states()
	b.VacuumAll(id)
	after := b.states()
	first := rand.IntN(2)
	t.Log("every second step from", first)
	for step := first; ; step += 2 {
		var left atomic.Int64
		left.Store(1 << 40)
		failed := false
		b := reopen(t, storagetest.Copied(t, dir), storage.Options{Hook: func(op, path string) error {
			if left.Add(-1) < 0 && (op == "write" || op == "create" || op == "rename") {
				failed = true
				return &fs.PathError{Op: op, Path: path, Err: syscall.ENOSPC}
			}
			return nil
		}})
		left.Store(int64(step))
		_, err := b.Vacuums.Vacuum(t.Context(), id, storage.Request{})
		left.Store(1 << 40)
		if err == nil && !failed {
			if step < 6 {
				t.Errorf("there are only %d steps", step)
			}
			return
		}
		want := after
		switch code := storage.Explain(err).Code; {
		case code == "disk_full":
			want = before
		case err != nil && code != "removal_unfinished":
			t.Errorf("step %d: %v", step, err)
		}
		if now := b.states(); now != want {
			t.Errorf("step %d, answered with %v:\n%s\nwant\n%s", step, err, now, want)
		}
		b.Sound()
		again := &bench{b.Reopened(t, step%4 < 2)}
		again.VacuumAll(id)
		if now := again.states(); now != after {
			t.Errorf("step %d, vacuumed again:\n%s\nwant\n%s", step, now, after)
		}
		again.Store.Close()
	}
}

// meeting has a vacuum come at one of the steps of what is under way.
type meeting struct {
	mu    sync.Mutex
	store *storage.Store // nil: not yet
	id    string
	left  int
	came  bool
	ended chan error
}

// hook begins the vacuum at its step, and lets it come to its end, unless it has to wait for what is under way.
func (m *meeting) hook(string, string) error {
	m.mu.Lock()
	m.left--
	now := m.store != nil && m.left < 0 && !m.came
	m.came = m.came || now
	m.mu.Unlock()
	if !now {
		return nil
	}
	go func() {
		_, err := m.store.Vacuums.Vacuum(context.Background(), m.id, storage.Request{})
		m.ended <- err
	}()
	select {
	case err := <-m.ended:
		m.ended <- err
	case <-time.After(20 * time.Millisecond):
	}
	return nil
}

// What began before a vacuum and ends after it is right or refused, at whatever step the vacuum comes, and so is all
// that can be read then.
func TestWhatBeganBeforeAVacuumIsRightOrRefused(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(b *bench, id, fork, old string) error{
		"backup of the head":          func(b *bench, id, _, _ string) error { return b.backedUp(id, "head") },
		"backup of a state that goes": func(b *bench, id, _, old string) error { return b.backedUp(id, old) },
		"merge": func(b *bench, id, fork, _ string) error {
			_, err := b.Merge(b.Context(), id, storage.Merge{Source: fork, OnConflict: storage.Ours}, storage.Request{})
			return err
		},
		"restore": func(b *bench, id, _, old string) error {
			want := b.Rows(id, old, false)
			_, err := b.Restore(b.Context(), id, old, storage.Request{})
			if err == nil {
				b.Want(id, "head", want...)
			}
			return err
		},
		"rollback": func(b *bench, id, _, old string) error {
			n, err := strconv.ParseInt(old, 10, 64)
			storagetest.Must(b.T, err)
			_, err = b.Cascade(b.Context(), id, n, storage.Stack, storage.Request{})
			return err
		},
		"fork": func(b *bench, id, _, old string) error {
			want := b.Rows(id, old, false)
			f, err := b.Fork(b.Context(), id, storage.NewFork{Ref: old}, storage.Request{})
			if err == nil {
				b.Want(f.Dataset.ID, "head", want...)
			}
			return err
		},
		"another vacuum": func(b *bench, _, fork, _ string) error {
			_, err := b.Vacuums.Vacuum(b.Context(), fork, storage.Request{})
			return err
		},
		"compaction": func(b *bench, id, _, _ string) error { _, err := b.Upkeep.Compact(b.Context(), id); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, id := toVacuum(t)
			for step := range storagetest.Steps(t) {
				m := &meeting{id: id, left: step, ended: make(chan error, 1)}
				b := reopen(t, storagetest.Copied(t, dir), storage.Options{Hook: m.hook, Compact: storagetest.Eager.Compact})
				list, err := b.Datasets(t.Context(), catalog.DatasetFilter{Limit: 100})
				storagetest.Must(t, err)
				commits, err := b.Commits(t.Context(), id, math.MaxInt64, 100)
				storagetest.Must(t, err)
				m.mu.Lock()
				m.store, m.left = b.Store, step
				m.mu.Unlock()
				err = do(b, id, list[1].Dataset.ID, fmt.Sprint(commits[len(commits)-2].ID))
				m.mu.Lock()
				came := m.came
				m.mu.Unlock()
				if !came {
					if step < 2 {
						t.Errorf("there are only %d steps", step)
					}
					break
				}
				if err := <-m.ended; err != nil && storage.Explain(err).Code != "removal_running" {
					t.Errorf("step %d: the vacuum: %v", step, err)
				}
				kind := fault.KindOf(err)
				if err != nil && kind != fault.Gone && kind != fault.Unavailable && kind != fault.Conflict {
					t.Errorf("step %d: %v", step, err)
				}
				b.states() // each is read, and has as many records as it says
				b.Sound()
				b.Store.Close()
			}
		})
	}
}

// backedUp makes a backup. If it stands, a dataset made from it has the records of the state.
func (b *bench) backedUp(dataset, ref string) error {
	b.Helper()
	want := b.Rows(dataset, ref, false)
	made, err := b.Backups.Make(b.Context(), dataset, storage.NewBackup{Ref: ref}, storage.Request{})
	if err != nil {
		return err
	}
	archive, err := os.ReadFile(filepath.Join(b.Dir, "objects", made.Key))
	storagetest.Must(b.T, err)
	state, err := b.CreateFromBackup(b.Context(), bytes.NewReader(archive), "from a backup", 1, storage.Request{})
	storagetest.Must(b.T, err)
	b.Want(state.Dataset.ID, "head", want...)
	return nil
}

// A snapshot of a state that a vacuum removes meanwhile shows what it did, or is refused.
func TestAnOldSnapshotUnderVacuum(t *testing.T) {
	t.Parallel()
	b := open(t)
	d := b.Create("d", "id")
	var csv strings.Builder
	csv.WriteString("id,n\n")
	for i := range 200_000 {
		fmt.Fprintf(&csv, "%d,1\n", i)
	}
	b.Put(d, catalog.Append, intake.CSV, csv.String())
	c := b.Put(d, catalog.Overwrite, intake.CSV, strings.ReplaceAll(csv.String(), ",1\n", ",2\n"))
	b.Put(d, catalog.Overwrite, intake.CSV, strings.ReplaceAll(csv.String(), ",1\n", ",3\n"))
	snap, err := b.Snapshot(t.Context(), d, fmt.Sprint(c.ID))
	storagetest.Must(t, err)
	conn, err := b.Conn(t.Context())
	storagetest.Must(t, err)
	defer conn.Close()
	reader, err := conn.Stream(t.Context(), "SELECT n FROM ("+snap.Table()+")")
	storagetest.Must(t, err)
	defer reader.Close()
	first, err := reader.Next()
	storagetest.Must(t, err)
	rows, sum := first.NumRows(), sumOf(first)
	commits := int64(1)
	b.Retains(d, catalog.Retention{Commits: &commits})
	if done := b.VacuumAll(d); done.Rows < 200_000 {
		t.Fatalf("vacuum removed %+v", done)
	}
	for err == nil {
		var batch arrow.RecordBatch
		if batch, err = reader.Next(); batch == nil {
			break
		}
		rows, sum = rows+batch.NumRows(), sum+sumOf(batch)
	}
	if kind := fault.KindOf(err); err != nil && kind != fault.Unavailable && kind != fault.Gone {
		t.Errorf("the stream: %v", err)
	}
	if sum != 2*rows || err == nil && rows != 200_000 {
		t.Errorf("%d rows with the sum %d, and %v", rows, sum, err)
	}
	var n int64
	again := conn.Row(t.Context(), "SELECT count(*) FROM ("+snap.Table()+")", &n)
	if kind := fault.KindOf(again); kind != fault.Unavailable && kind != fault.Gone {
		t.Errorf("asked again, the snapshot shows %d records: %v", n, again)
	}
	b.Gone(d, c.ID)
}

func sumOf(batch arrow.RecordBatch) (sum int64) {
	for _, n := range batch.Column(0).(*array.Int64).Int64Values() {
		sum += n
	}
	return sum
}
