package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

// world is a store with a history of every kind, closed, and copies of its catalog from earlier on.
type world struct {
	dir    string
	old    [][]byte // the catalog at earlier moments
	d      string   // keyed, with versions, savepoints and a backup
	f      string   // a fork of it, both changed since
	gone   string   // deleted
	commit int64    // of d: its last but one

	copied func(t *testing.T) (dir string) // copies the store
}

func newWorld(t *testing.T) (w world) {
	w = worldOf(t, open(t))
	w.copied = w.copiedHere
	return w
}

// copiedHere copies a store that is a directory.
func (w world) copiedHere(t *testing.T) string { return storagetest.Copied(t, w.dir) }

// worldOf makes a world of an empty store.
func worldOf(t *testing.T, b *bench) (w world) {
	t.Helper()
	ctx := context.Background()
	w.dir = b.Dir
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	phases := []func(){
		func() { w.d, w.f = pairApart(b) },
		func() {
			_, err := b.Increment(ctx, w.d, storagetest.Forced("major", "first"), storage.Request{})
			must(err)
			w.commit = b.JSON(w.d, catalog.Upsert, `[{"id":50,"x":"new"},{"id":51,"x":"new"}]`).ID
			_, err = b.Increment(ctx, w.d, storagetest.Forced("minor", "second"), storage.Request{})
			must(err)
			_, err = b.CreateSavepoint(ctx, w.d, storage.NewSavepoint{Description: "kept"}, storage.Request{})
			must(err)
			_, err = b.CreateTag(ctx, w.d, storage.NewTag{Name: "kept"}, storage.Request{})
			must(err)
			_, err = b.OpenProposal(ctx, w.d, storage.NewProposal{Source: w.f, Title: "kept"}, storage.Request{})
			must(err)
		},
		func() {
			w.gone = b.Create("gone")
			must(b.DeleteDataset(ctx, w.gone, storage.Request{}))
			_, err := b.Backups.Make(ctx, w.d, storage.NewBackup{Ref: "head", Description: "kept"}, storage.Request{})
			must(err)
			b.JSON(w.d, catalog.Append, `[{"id":60,"x":"last"}]`)
		},
	}
	for _, phase := range phases {
		phase()
		b.ClosedDir()
		text, err := os.ReadFile(filepath.Join(w.dir, "catalog.db"))
		must(err)
		w.old = append(w.old, text)
		b.Store = reopen(t, w.dir, storage.Options{}).Store
	}
	b.ClosedDir()
	return w
}

// pairApart is a dataset and its fork with a merge between them, and changes on both sides since.
func pairApart(b *bench) (d, f string) {
	d, f = b.Pair("id")
	b.JSON(f, catalog.Append, `[{"id":4,"x":"d","y":1}]`)
	b.MakeMerge(f, d)
	b.JSON(f, catalog.Append, `[{"id":5,"x":"e"}]`)
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"A"},{"id":2,"x":"same"}]`)
	b.JSON(f, catalog.Delete, `[{"id":3}]`)
	b.JSON(d, catalog.Overwrite, `[{"id":2,"x":"same"},{"id":7,"x":"z","w":1}]`)
	b.JSON(d, catalog.Upsert, `[{"id":3,"x":"other"},{"id":1,"w":2}]`)
	return d, f
}

// act is something that a client asks for.
type act func(ctx context.Context, b *bench, w world) error

func committing(mode catalog.Mode, body string) act {
	return func(ctx context.Context, b *bench, w world) error {
		_, err := b.Try(w.d, mode, intake.JSON, body)
		return err
	}
}

func merging(into, from func(w world) string, m storage.Merge) act {
	return func(ctx context.Context, b *bench, w world) error {
		m.Source = from(w)
		_, err := b.Merge(ctx, into(w), m, storage.Request{})
		if e := storage.Explain(err); err != nil && e.Code == "merge_conflict" &&
			len(e.Fields["played"].([]catalog.Commit)) > 0 {
			return nil // it is done, up to there
		}
		return err
	}
}

func upstream(w world) string { return w.d }
func fork(w world) string     { return w.f }

// many is more rows than are encoded in this process: DuckDB writes their file.
var many = func() string {
	var csv strings.Builder
	csv.WriteString("id,x\n")
	for i := range 600 {
		fmt.Fprintf(&csv, "%d,many\n", 1000+i)
	}
	return csv.String()
}()

// acts are all operations that write, but those whose steps are another's.
var acts = map[string]act{
	"create": func(ctx context.Context, b *bench, w world) error {
		_, err := b.CreateDataset(ctx, storage.NewDataset{ProjectID: 1, Name: "new", Key: []string{"id"}}, storage.Request{})
		return err
	},
	"create with records": func(ctx context.Context, b *bench, w world) error {
		_, err := b.CreateWithRecords(ctx, storage.NewDataset{ProjectID: 1, Name: "new"},
			storage.Change{Upload: b.Upload(intake.JSON, `[{"v":1}]`)})
		return err
	},
	"append":    committing(catalog.Append, `[{"id":70,"x":"a"}]`),
	"overwrite": committing(catalog.Overwrite, `[{"id":1,"x":"over"},{"id":71,"x":"new"}]`),
	"upsert":    committing(catalog.Upsert, `[{"id":1,"x":"up"},{"id":72,"z":true}]`),
	"replace":   committing(catalog.Replace, `[{"id":1,"x":"whole"},{"id":73,"x":"new"}]`),
	"delete":    committing(catalog.Delete, `[{"id":1},{"id":2}]`),
	"large append": func(ctx context.Context, b *bench, w world) error {
		_, err := b.Try(w.d, catalog.Append, intake.CSV, many)
		return err
	},
	"rollback": func(ctx context.Context, b *bench, w world) error {
		_, err := b.TryRollback(w.d, w.commit, storage.Records)
		return err
	},
	"cascade": func(ctx context.Context, b *bench, w world) error {
		before, err := b.Resolve(ctx, w.d, fmt.Sprintf("%d~1", w.commit))
		if err != nil {
			return err
		}
		_, err = b.Cascade(ctx, w.d, before, storage.Stack, storage.Request{})
		return err
	},
	"tag": func(ctx context.Context, b *bench, w world) error {
		_, err := b.CreateTag(ctx, w.d, storage.NewTag{Name: "made", Ref: "head~1"}, storage.Request{})
		return err
	},
	"tag moved": func(ctx context.Context, b *bench, w world) error {
		ref := "head"
		_, err := b.MoveTag(ctx, w.d, "kept", storage.TagEdit{Ref: &ref}, storage.Request{})
		return err
	},
	"tag removed": func(ctx context.Context, b *bench, w world) error {
		return b.RemoveTag(ctx, w.d, "kept", storage.Request{})
	},
	"proposal": func(ctx context.Context, b *bench, w world) error {
		_, err := b.OpenProposal(ctx, w.f, storage.NewProposal{Source: w.d, Title: "made"}, storage.Request{})
		return err
	},
	"proposal commented on": func(ctx context.Context, b *bench, w world) error {
		_, err := b.Comment(ctx, w.d, 1, storage.NewComment{Text: "said"}, storage.Request{})
		return err
	},
	"comparison commented on": func(ctx context.Context, b *bench, w world) error {
		of := catalog.Compared{DatasetID: w.d, FromCommit: w.commit, ToDatasetID: w.f, ToCommit: w.commit}
		_, err := b.Discuss(ctx, of, storage.NewComment{Text: "said"}, storage.Request{})
		return err
	},
	"proposal merged": func(ctx context.Context, b *bench, w world) error {
		_, err := b.MergeProposal(ctx, w.d, 1, storage.Merge{OnConflict: storage.Theirs}, storage.Request{})
		return err
	},
	"restore": func(ctx context.Context, b *bench, w world) error {
		_, err := b.Restore(ctx, w.d, fmt.Sprint(w.commit), storage.Request{})
		return err
	},
	"version": func(ctx context.Context, b *bench, w world) error {
		_, err := b.Increment(ctx, w.d, storagetest.Forced("patch", "third"), storage.Request{})
		return err
	},
	"version rollback": func(ctx context.Context, b *bench, w world) error {
		_, err := b.RollbackVersion(ctx, w.d, "1.0.0", storage.Request{})
		return err
	},
	"savepoint": func(ctx context.Context, b *bench, w world) error {
		_, err := b.CreateSavepoint(ctx, w.d, storage.NewSavepoint{Description: "made"}, storage.Request{})
		return err
	},
	"savepoint description": func(ctx context.Context, b *bench, w world) error {
		_, err := b.DescribeSavepoint(ctx, w.d, "master__000001", "described", storage.Request{})
		return err
	},
	"description of the import": func(ctx context.Context, b *bench, w world) error {
		_, err := b.DescribeSavepoint(ctx, w.d, "master__000000", "described", storage.Request{})
		return err
	},
	"revert": func(ctx context.Context, b *bench, w world) error {
		_, err := b.Revert(ctx, w.d, "master__000000", storage.Request{})
		return err
	},
	"rename": func(ctx context.Context, b *bench, w world) error {
		name := "renamed"
		_, err := b.EditDataset(ctx, w.d, storage.Edit{Name: &name}, storage.Request{})
		return err
	},
	"delete dataset": func(ctx context.Context, b *bench, w world) error {
		return b.DeleteDataset(ctx, w.f, storage.Request{})
	},
	"undelete dataset": func(ctx context.Context, b *bench, w world) error {
		_, err := b.UndeleteDataset(ctx, w.gone, storage.Request{})
		return err
	},
	"new variable": func(ctx context.Context, b *bench, w world) error {
		_, _, err := b.CreateVariable(ctx, w.d, storage.NewVariable{Name: "added", Type: "text"}, storage.Request{})
		return err
	},
	"renamed variable": func(ctx context.Context, b *bench, w world) error {
		name := "other"
		_, _, err := b.TryEdit(w.d, "x", storage.VariableEdit{Name: &name})
		return err
	},
	"dropped variable": func(ctx context.Context, b *bench, w world) error {
		_, err := b.DropVariable(ctx, w.d, b.ColumnID(w.d, "x"), storage.Request{})
		return err
	},
	"backup": func(ctx context.Context, b *bench, w world) error {
		_, err := b.Backups.Make(ctx, w.d, storage.NewBackup{Ref: "1.0.0", Description: "made"}, storage.Request{})
		return err
	},
	"backup removed": func(ctx context.Context, b *bench, w world) error {
		list, err := b.Backups.List(ctx, w.d)
		if err != nil {
			return err
		}
		return b.Backups.Remove(ctx, list[0], storage.Request{})
	},
	"backup restored": func(ctx context.Context, b *bench, w world) error {
		return b.withArchive(w.d, func(archive *bytes.Reader) error {
			_, err := b.RestoreBackup(ctx, w.d, archive, storage.Request{})
			return err
		})
	},
	"dataset from a backup": func(ctx context.Context, b *bench, w world) error {
		return b.withArchive(w.d, func(archive *bytes.Reader) error {
			_, err := b.CreateFromBackup(ctx, archive, "copy", 1, storage.Request{})
			return err
		})
	},
	"fork": func(ctx context.Context, b *bench, w world) error {
		_, err := b.Fork(ctx, w.d, storage.NewFork{Name: "second"}, storage.Request{})
		return err
	},
	"merge that links": merging(upstream, fork,
		storage.Merge{Filter: &storage.MergeFilter{Keys: []string{"Dataset.append"}}}),
	"merge that makes files anew": merging(fork, upstream,
		storage.Merge{Autorollback: true, Filter: &storage.MergeFilter{Keys: []string{"Dataset.overwrite"}}}),
	"merge up to a conflict": merging(upstream, fork, storage.Merge{}),
	"merge with what both changed, decided": merging(upstream, fork,
		storage.Merge{Autorollback: true, OnConflict: storage.Theirs}),
	"erase": func(ctx context.Context, b *bench, w world) error {
		_, err := b.Removals.Erase(ctx, w.d, storage.Erasure{Keys: []json.RawMessage{[]byte("1"), []byte("4")}},
			storage.Request{})
		return err
	},
	"erase by a condition": func(ctx context.Context, b *bench, w world) error {
		_, err := b.Removals.Erase(ctx, w.f, storage.Erasure{Where: "x = 'e' OR id = 2"}, storage.Request{})
		return err
	},
	"rollback of a merge": func(ctx context.Context, b *bench, w world) error {
		list, err := b.Actions(ctx, w.d, storage.ActionFilter{Keys: []string{"Dataset.merge"}})
		if err != nil {
			return err
		}
		_, err = b.TryRollback(w.d, list[0].ID, storage.Records)
		return err
	},
}

// withArchive reads the archive of a dataset's first backup.
func (b *bench) withArchive(d string, f func(*bytes.Reader) error) error {
	list, err := b.Backups.List(context.Background(), d)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(b.Dir, "objects", list[0].Key))
	if err != nil {
		return err
	}
	return f(bytes.NewReader(text))
}

// The machine stops at every durable step of every operation, one after the other. After each, the store opens sound,
// with the state before or the state after, and shows the same where its catalog is lost or an older copy.
func TestCrashes(t *testing.T) {
	w := newWorld(t)
	before := storagetest.Shows(t, w.dir, true)
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after, _ := done(t, w, act)
			if after == before {
				t.Fatal("nothing happened")
			}
			crashEverywhere(t, w, act, before, after)
		})
	}
}

// done does an act in full.
func done(t *testing.T, w world, act act) (after, dir string) {
	t.Helper()
	dir = w.copied(t)
	b := reopen(t, dir, storage.Options{})
	if err := act(context.Background(), b, w); err != nil {
		t.Fatal(err)
	}
	b.ClosedDir()
	return storagetest.Shows(t, dir, true), dir
}

func crashEverywhere(t *testing.T, w world, act act, before, after string) {
	t.Helper()
	for step := range storagetest.Steps(t) {
		dir := w.copied(t)
		s := &storagetest.Stops{Left: step}
		b := reopen(t, dir, storage.Options{Hook: s.Hook})
		s.Armed = true
		err := act(context.Background(), b, w)
		s.Armed = false
		if !s.Crashed {
			if step < 3 {
				t.Errorf("there are only %d steps", step)
			}
			return
		}
		b.Store.Close()
		found := storagetest.Shows(t, dir, true)
		if found != after && (err == nil || found != before) {
			t.Errorf("step %d, answered with %v, left\n%s\nbefore\n%s\nafter\n%s", step, err, found, before, after)
		}
		storagetest.WithCatalog(t, dir, append([][]byte{nil}, w.old...)[step%(len(w.old)+1)])
		if anew := storagetest.Shows(t, dir, step%4 == 0); anew != found {
			t.Errorf("step %d with another catalog shows\n%s\nwant\n%s", step, anew, found)
		}
		if t.Failed() {
			t.Fatalf("step %d", step)
		}
	}
}

// The machine stops at every step of the starts that bring lost and old catalogs up to the objects, and set aside what
// can't be placed.
func TestCrashesOfTheStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	after, dir := done(t, w, acts["version rollback"])
	half := filepath.Join(dir, "objects", w.d, "999")
	if err := errors.Join(os.Mkdir(half, 0o755),
		os.WriteFile(filepath.Join(half, "commit.json"), []byte("{"), 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, old := range append([][]byte{nil, []byte("this is no database")}, w.old...) {
		for step := range storagetest.Steps(t) {
			behind := storagetest.Copied(t, dir)
			storagetest.WithCatalog(t, behind, old)
			s := &storagetest.Stops{Left: step, Armed: true}
			opened, err := storage.Open(context.Background(), behind, storage.Options{Threads: 2, Hook: s.Hook})
			if err == nil {
				opened.Close()
			}
			if found := storagetest.Shows(t, behind, false); found != after {
				t.Fatalf("the start stopped at step %d, answered with %v; then it shows\n%s\nwant\n%s", step, err, found, after)
			}
			if set := storagetest.Quarantined(t, behind); !strings.Contains(set, "-999-unreadable-") {
				t.Fatalf("in quarantine: %s", set)
			}
			if !s.Crashed {
				break
			}
		}
	}
}

// protocols are acts that each write in another way.
var protocols = []string{
	"create", "create with records", "append", "version", "version rollback", "savepoint", "savepoint description",
	"rename", "delete dataset",
	"undelete dataset", "backup", "backup removed", "dataset from a backup", "fork", "merge up to a conflict",
	"erase",
}

// One step fails and the machine goes on: what the client is told is what the store shows, at once and after a restart,
// also with the catalog lost.
func TestFailures(t *testing.T) {
	w := newWorld(t)
	before := storagetest.Shows(t, w.dir, true)
	for _, name := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			act := acts[name]
			after, _ := done(t, w, act)
			for step := range storagetest.Steps(t) {
				failed := failsAt(t, w, act, step, before, after)
				if t.Failed() {
					t.Fatalf("step %d", step)
				}
				if !failed {
					return
				}
			}
		})
	}
}

func failsAt(t *testing.T, w world, act act, step int, before, after string) (failed bool) {
	t.Helper()
	dir := storagetest.Copied(t, w.dir)
	s := &storagetest.Stops{Left: step, Once: true}
	b := reopen(t, dir, storage.Options{Hook: s.Hook})
	s.Armed = true
	err := act(context.Background(), b, w)
	s.Armed = false
	unknown := storage.Explain(err).Code == "outcome_unknown"
	unfinished := storage.Explain(err).Code == "removal_unfinished" // only former files, or mentions, are left
	want := before
	if err == nil || unfinished {
		want = after
	}
	if found := b.Told(); found != want && !unknown {
		t.Errorf("answered with %v, it shows\n%s\nwant\n%s", err, found, want)
	}
	_, errNext := b.Try(w.d, catalog.Upsert, intake.JSON, `[{"id":99,"x":"next"}]`)
	// What an erasure does after the records are gone may end in doubt too.
	if halted := storage.Explain(errNext).Code == "restart_needed"; halted != unknown && !(halted && unfinished) {
		t.Errorf("the next commit: %v", errNext)
	}
	if !unknown {
		want = b.Told()
	}
	b.Store.Close()
	for _, lost := range []bool{false, true} {
		if lost {
			storagetest.WithCatalog(t, dir, nil)
		}
		if found := storagetest.Shows(t, dir, lost); found != want && !(unknown && (found == before || found == after)) {
			t.Errorf("answered with %v, the next start shows\n%s\nwant\n%s", err, found, want)
		}
	}
	return s.Crashed
}
