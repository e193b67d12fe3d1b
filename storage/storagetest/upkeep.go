package storagetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// EveryState returns the records of every commit of a dataset.
func (b *Bench) EveryState(dataset string) map[string][]string {
	b.Helper()
	out := map[string][]string{}
	commits, err := b.Commits(b.Context(), dataset, math.MaxInt64, 100_000)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range commits {
		ref := fmt.Sprint(c.ID)
		out[ref] = b.Rows(dataset, ref, true)
	}
	if len(out) == 0 {
		b.Fatal("no commits")
	}
	return out
}

// SameStates checks that commits have the records that they had (EveryState).
func (b *Bench) SameStates(dataset string, want map[string][]string) {
	b.Helper()
	for ref, rows := range want {
		if got := b.Rows(dataset, ref, true); !slices.Equal(got, rows) {
			b.Errorf("at %s: %d records, not the %d that were there before", ref, len(got), len(rows))
		}
	}
}

// CompactAll compacts what the policy of the store wants to be compacted in a dataset. Where another server has just
// replaced files, it is refused, and asked again.
func (b *Bench) CompactAll(dataset string) storage.Compacted {
	b.Helper()
	done, err := b.Upkeep.Compact(b.Context(), dataset)
	for tries := 0; tries < 3 && b.IsShared() && err != nil && storage.Explain(err).Code == "file_changed"; tries++ {
		done, err = b.Upkeep.Compact(b.Context(), dataset)
	}
	if err != nil {
		b.Fatal(err)
	}
	return done
}

// Opens is how many files a read at a ref opens.
func (b *Bench) Opens(dataset, ref string) int {
	b.Helper()
	s, err := b.Snapshot(b.Context(), dataset, ref)
	if err != nil {
		b.Fatal(err)
	}
	return len(s.Opens())
}

// Eager are options with which few small files are compacted already.
var Eager = storage.Options{Threads: 2, Compact: storage.CompactionPolicy{Fan: 2, LeastWorn: 1}}

// MayCompact compacts a dataset in every third step of a random history.
func (b *Bench) MayCompact(random *rand.Rand, dataset string) {
	if random.IntN(3) == 0 {
		b.CompactAll(dataset)
	}
}

// Numbers are lines with the numbers from one until just before another.
func Numbers(from, until int) string {
	var out strings.Builder
	for i := from; i < until; i++ {
		fmt.Fprintln(&out, i)
	}
	return out.String()
}

// EraseKeys erases records from all history.
func (b *Bench) EraseKeys(dataset string, keys ...string) storage.Erased {
	b.Helper()
	e := storage.Erasure{}
	for _, k := range keys {
		e.Keys = append(e.Keys, json.RawMessage(k))
	}
	out, err := b.Removals.Erase(context.Background(), dataset, e, storage.Request{User: "ann"})
	if err != nil {
		b.Fatalf("erasing %v: %v", keys, err)
	}
	return out
}

// Reopened opens the store again, perhaps without its catalog, and checks it.
func (b *Bench) Reopened(t *testing.T, lost bool) *Bench {
	t.Helper()
	b.ClosedDir()
	if lost {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			os.Remove(filepath.Join(b.Dir, "catalog.db"+suffix))
		}
	}
	out := Reopen(t, b.Dir, storage.Options{})
	out.Sound()
	return out
}

// Holds returns the files of a directory that have some bytes.
func Holds(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(text)) {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Keeps sets a dataset's policy: the last commits, and what names states.
func (b *Bench) Keeps(dataset string, commits int64) catalog.Commit {
	b.Helper()
	return b.Retains(dataset, catalog.Retention{Commits: &commits, Versions: true, Savepoints: true, Tags: true})
}

// Retains sets the retention of a dataset.
func (b *Bench) Retains(dataset string, r catalog.Retention) catalog.Commit {
	b.Helper()
	c, err := b.EditDataset(context.Background(), dataset, storage.Edit{Retention: &r}, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// VacuumAll removes what the retention of a dataset does not keep.
func (b *Bench) VacuumAll(dataset string) storage.Vacuumed {
	b.Helper()
	ctx := context.Background()
	plan, err := b.Vacuums.Plan(ctx, dataset)
	if err != nil {
		b.Fatal(err)
	}
	done, err := b.Vacuums.Vacuum(ctx, dataset, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	if ToJSON(done) != ToJSON(plan.Vacuumed) {
		b.Errorf("the plan is %s; done is %s", ToJSON(plan.Vacuumed), ToJSON(done))
	}
	return done
}

// Gone makes sure that whatever reads the state after a commit, or what it changed, is refused.
func (b *Bench) Gone(dataset string, commit int64) {
	b.Helper()
	ctx := context.Background()
	ref := fmt.Sprint(commit)
	c, err := b.CommitByID(ctx, dataset, commit)
	if err != nil || c.VacuumedAt.IsZero() {
		b.Errorf("commit %d is on the list as %+v, %v", commit, c, err)
	}
	for name, ask := range map[string]func() error{
		"data":    func() error { _, err := b.Snapshot(ctx, dataset, ref); return err },
		"schema":  func() error { _, err := b.State(ctx, dataset, ref); return err },
		"earlier": func() error { _, err := b.Snapshot(ctx, dataset, ref+"~0"); return err },
		"digest":  func() error { _, err := b.Digests.Of(ctx, dataset, ref); return err },
		"time": func() error {
			_, err := b.Snapshot(ctx, dataset, c.CreatedAt.Format(time.RFC3339Nano))
			return err
		},
		"fork": func() error {
			_, err := b.Fork(ctx, dataset, storage.NewFork{Ref: ref, Name: "of what is gone"}, storage.Request{})
			return err
		},
		"restore": func() error { _, err := b.Restore(ctx, dataset, ref, storage.Request{}); return err },
		"tag": func() error {
			_, err := b.CreateTag(ctx, dataset, storage.NewTag{Name: "gone", Ref: ref}, storage.Request{})
			return err
		},
		"version": func() error {
			_, err := b.Increment(ctx, dataset, storage.NewVersion{Part: "major", Ref: ref}, storage.Request{})
			return err
		},
		"backup": func() error {
			_, err := b.Backups.Make(ctx, dataset, storage.NewBackup{Ref: ref}, storage.Request{})
			return err
		},
		"rollback": func() error { _, err := b.TryRollback(dataset, commit, storage.Stack); return err },
		"question": func() error { _, err := b.CanRollback(ctx, dataset, commit, storage.Stack); return err },
		"cascade": func() error {
			_, err := b.Cascade(ctx, dataset, commit, storage.Stack, storage.Request{})
			return err
		},
		"data file":     func() error { _, err := b.CommitFile(ctx, c, schema.Data); return err },
		"rollback file": func() error { _, err := b.CommitFile(ctx, c, schema.Rollback); return err },
		"record": func() error {
			_, _, err := b.RecordHistory(ctx, storage.RecordQuery{Dataset: dataset, Ref: ref, Key: "1", Limit: 5})
			return err
		},
	} {
		err := ask()
		if e := storage.Explain(err); err == nil || e.Code != "vacuumed" || e.Fields["vacuumed_at"] == nil {
			b.Errorf("%s at commit %d: %v", name, commit, err)
		}
	}
}

// Overwritten makes a dataset of which each commit replaces all records.
func (b *Bench) Overwritten(name string, times int) (dataset string, commits []catalog.Commit) {
	b.Helper()
	dataset = b.Create(name, "id")
	for i := range times {
		commits = append(commits, b.JSON(dataset, catalog.Replace,
			fmt.Sprintf(`[{"id":1,"n":%d,"s":"a"},{"id":2,"n":%d,"s":"b"}]`, i, i)))
	}
	return dataset, commits
}

// BytesBelow is how large the Parquet files in a dataset's directory are.
func (b *Bench) BytesBelow(dataset string) (n int64) {
	whole := b.Dir
	b.Dir = filepath.Join(whole, "objects", dataset)
	n, b.Dir = b.DiskBytes(), whole
	return n
}

// Must fails the test where there is an error.
func Must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
