package storage_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"rowback/storage"
	"rowback/storage/catalog"
)

// stops is a hook that lets a number of durable steps happen, from when it is armed, and none after them.
type stops struct {
	mu      sync.Mutex
	armed   bool
	left    int
	crashed bool
}

func (s *stops) hook(op, path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.armed {
		return nil
	}
	if s.left--; s.left < 0 {
		s.crashed = true
		return errCrash
	}
	return nil
}

// told is all that people see of a store: every dataset's records, commits, actions, savepoints and differences.
func (b *bench) told() string {
	b.Helper()
	ctx := context.Background()
	states, err := b.Datasets(ctx, catalog.DatasetFilter{Limit: 100})
	if err != nil {
		b.Fatal(err)
	}
	var out []any
	for _, s := range states {
		actions, errActions := b.Actions(ctx, s.Dataset.ID, storage.ActionFilter{})
		saves, errSaves := b.Savepoints(ctx, s.Dataset.ID)
		if err := errors.Join(errActions, errSaves); err != nil {
			b.Fatal(err)
		}
		for i := range actions { // what differs from run to run
			actions[i] = catalog.Commit{ID: actions[i].ID, Mode: actions[i].Mode, Previous: actions[i].Previous, Total: actions[i].Total, RollbackCommitID: actions[i].RollbackCommitID, MergeCommitID: actions[i].MergeCommitID}
		}
		out = append(out, s.Dataset.Name, s.Schema.Columns, b.rows(s.Dataset.ID, "head", true), actions, len(saves))
	}
	return toJSON(out)
}

// acts are what is stopped at every step: a fork, merges that link files, that make them anew and that stop at a
// conflict, and the rollback of a merge.
var acts = map[string]func(b *bench, d, f string) error{
	"fork": func(b *bench, d, f string) error {
		_, err := b.Fork(context.Background(), d, storage.NewFork{Name: "second"}, storage.Request{})
		return err
	},
	"merge that links": func(b *bench, d, f string) error {
		_, err := b.Merge(context.Background(), d, storage.Merge{Source: f, Filter: &storage.MergeFilter{Keys: []string{"Dataset.append"}}}, storage.Request{})
		return err
	},
	"merge that makes files anew": func(b *bench, d, f string) error {
		_, err := b.Merge(context.Background(), f, storage.Merge{Source: d, Autorollback: true, Filter: &storage.MergeFilter{Keys: []string{"Dataset.overwrite"}}}, storage.Request{})
		return err
	},
	"merge up to a conflict": func(b *bench, d, f string) error {
		_, err := b.Merge(context.Background(), d, storage.Merge{Source: f}, storage.Request{})
		var e *storage.Error
		if errors.As(err, &e) && e.Code == "merge_conflict" {
			return nil
		}
		return err
	},
	"rollback of a merge": func(b *bench, d, f string) error {
		list, err := b.Actions(context.Background(), d, storage.ActionFilter{Keys: []string{"Dataset.merge"}})
		if err != nil {
			return err
		}
		_, err = b.rollback(d, list[0].ID, storage.Records)
		return err
	},
}

// pairApart is a dataset and its fork with a merge between them, and changes on both sides since.
func pairApart(b *bench) (d, f string) {
	d, f = b.pair("id")
	b.json(f, catalog.Append, `[{"id":4,"x":"d","y":1}]`)
	b.merge(f, d)
	b.json(f, catalog.Append, `[{"id":5,"x":"e"}]`)
	b.json(f, catalog.Upsert, `[{"id":1,"x":"A"},{"id":2,"x":"same"}]`)
	b.json(f, catalog.Delete, `[{"id":3}]`)
	b.json(d, catalog.Overwrite, `[{"id":2,"x":"same"},{"id":7,"x":"z","w":1}]`)
	b.json(d, catalog.Upsert, `[{"id":3,"x":"other"}]`)
	return d, f
}

// The machine stops at every durable step of a fork, of merges, and of a merge's rollback. After each, the store opens
// sound with the state before or the state after, and takes the same request again.
func TestCrashAtEveryStepOfForksAndMerges(t *testing.T) {
	for name, act := range acts {
		t.Run(name, func(t *testing.T) { crashAll(t, act) })
	}
}

func crashAll(t *testing.T, act func(b *bench, d, f string) error) {
	start := open(t)
	d, f := pairApart(start)
	before := start.told()
	dir := start.dir2()
	for step := 0; ; step++ {
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		s := &stops{left: step}
		b := reopen(t, copied, storage.Options{Hook: s.hook})
		s.armed = true
		err := act(b, d, f)
		s.armed = false
		if s.crashed != errors.Is(err, errCrash) || !s.crashed && err != nil {
			t.Fatalf("step %d: crashed %v, %v", step, s.crashed, err)
		}
		b.survives(s.crashed, before, func() error { return act(b, d, f) })
		if t.Failed() {
			t.Fatalf("step %d", step)
		}
		if !s.crashed {
			if step < 3 {
				t.Errorf("there are only %d steps", step)
			}
			return
		}
	}
}

// survives checks what is there when the store opens again; of what was done, also with the catalog lost.
func (b *bench) survives(crashed bool, before string, again func() error) {
	b.Helper()
	b.dir2()
	rest := reopen(b.T, b.dir, storage.Options{})
	b.Store = rest.Store
	b.sound()
	after := b.told()
	if crashed && after != before {
		b.Errorf("what was not acknowledged left\n%s\nbefore\n%s", after, before)
	}
	if !crashed && after == before {
		b.Error("nothing happened")
	}
	if !crashed {
		b.loseCatalog()
		if anew := b.told(); anew != after {
			b.Errorf("rebuilt\n%s\nwant\n%s", anew, after)
		}
		b.sound()
		return
	}
	if err := again(); err != nil {
		b.Errorf("again: %v", err)
	}
	b.sound()
}

// A fork of a long history and merges of records that nobody else touched open no file but those that they play, which
// they verify: the others are taken away first.
func TestForksAndMergesWithoutOverlapOpenOnlyWhatTheyPlay(t *testing.T) {
	b := open(t)
	d := b.create("d", "id")
	for i := range 80 {
		b.json(d, catalog.Append, fmt.Sprintf(`[{"id":%d,"x":"a"},{"id":%d,"x":"b"}]`, 10*i, 10*i+9))
	}
	shared := b.parquet()
	f := b.fork(d, "f", "head")
	for i := range 20 {
		b.json(f, catalog.Upsert, fmt.Sprintf(`[{"id":%d,"x":"f"},{"id":%d,"y":1}]`, 20*i, 20*i+1))
	}
	b.json(f, catalog.Delete, `[{"id":9}]`)
	b.json(d, catalog.Append, `[{"id":5000,"x":"d"}]`)
	b.json(d, catalog.Upsert, `[{"id":799,"x":"d"}]`)
	all := b.parquet()
	for _, path := range shared {
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
	}
	g := b.fork(d, "g", "head")
	b.fork(g, "h", "50")
	up := b.merge(f, d)
	b.merge(d, f)
	if _, err := b.rollback(d, up.Commit.ID, storage.Stack); err != nil {
		t.Error(err)
	}
	b.merge(f, d)
	b.merge(f, g)
	if made := len(b.parquet()) - (len(all) - len(shared)); made != 0 {
		t.Errorf("%d files were made", made)
	}
	for _, path := range shared {
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
	}
	if a, c := b.rows(d, "head", false), b.rows(f, "head", false); !slices.Equal(a, c) || len(a) != 180 {
		t.Errorf("%d and %d records", len(a), len(c))
	}
	b.sound()
}

// parquet lists the Parquet files of all commits.
func (b *bench) parquet() []string {
	b.Helper()
	list, err := filepath.Glob(filepath.Join(b.dir, "objects", "*", "*", "*.parquet"))
	if err != nil {
		b.Fatal(err)
	}
	return list
}
