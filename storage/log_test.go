package storage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

// killed is a copy of an open store's directory, as a killed process leaves it: with its write-ahead log.
func (b *bench) killed() string {
	b.Helper()
	dir := storagetest.Copied(b.T, b.Dir)
	if info, err := os.Stat(filepath.Join(dir, "catalog.db-wal")); err != nil || info.Size() == 0 {
		b.Fatalf("there is no write-ahead log: %v", err)
	}
	return dir
}

// Whatever is lost of the catalog of a killed process, every commit and label that was acknowledged is there.
func TestNothingIsLostWithTheCatalog(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, catalog.Append, `[{"id":1}]`)
	b.ClosedDir()
	older, err := os.ReadFile(filepath.Join(b.Dir, "catalog.db"))
	b.Must(err)
	b.Store = reopen(t, b.Dir, storage.Options{}).Store
	for i := range 5 {
		b.JSON(d, catalog.Append, fmt.Sprintf(`[{"id":%d}]`, 10+i))
	}
	_, err = b.Increment(ctx, d, storage.NewVersion{Part: "major", Force: true}, storage.Request{})
	b.Must(err)
	f := b.MakeFork(d, "f", "head")
	b.JSON(f, catalog.Upsert, `[{"id":1,"v":"f"}]`)
	b.MakeMerge(f, d)
	want := b.Told()
	at := func(dir string, suffix string) string { return filepath.Join(dir, "catalog.db"+suffix) }
	for name, harm := range map[string]func(dir string) error{
		"the log is deleted":              func(dir string) error { return os.Remove(at(dir, "-wal")) },
		"the index of the log is deleted": func(dir string) error { return errors.Join(os.RemoveAll(at(dir, "-shm"))) },
		"the log is cut":                  func(dir string) error { return os.Truncate(at(dir, "-wal"), 5000) },
		"the catalog is older": func(dir string) error {
			return errors.Join(os.WriteFile(at(dir, ""), older, 0o644), os.Remove(at(dir, "-wal")))
		},
		"the catalog is older, and the log not": func(dir string) error { return os.WriteFile(at(dir, ""), older, 0o644) },
		"the catalog is cut": func(dir string) error {
			return errors.Join(os.Truncate(at(dir, ""), 9000), os.Remove(at(dir, "-wal")))
		},
		"the catalog is something else": func(dir string) error {
			return os.WriteFile(at(dir, ""), []byte(strings.Repeat("no database ", 1000)), 0o644)
		},
		"the catalog is empty": func(dir string) error {
			return errors.Join(os.Truncate(at(dir, ""), 0), os.Remove(at(dir, "-wal")))
		},
		"the catalog is gone, and the log not": func(dir string) error { return os.Remove(at(dir, "")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := b.killed()
			b.Must(harm(dir))
			again := reopen(t, dir, storage.Options{})
			if got := again.Told(); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			problems, err := again.Check(ctx, true)
			for _, p := range problems {
				if !strings.Contains(p.Detail, "quarantine/catalog.db") {
					t.Errorf("check: %v", p)
				}
			}
			if c := again.JSON(d, catalog.Append, `[{"id":1000}]`); err != nil || c.ID <= 10 {
				t.Errorf("the next commit is %d, %v", c.ID, err)
			}
		})
	}
}

// answering makes a request with a key, whose answer is a text.
func answering[T any](key, text string) storage.Request {
	return storage.Request{User: "ann", Receipt: &storage.Receipt[T]{
		Slot: storage.Slot{Key: key, Fingerprint: "p"},
		Answer: func(T) (json.RawMessage, error) {
			return json.Marshal(map[string]string{"body": text + " <&>"})
		},
	}}
}

// The answer that a key was given is found where the catalog is lost, byte for byte: it is kept with what was done.
func TestReceiptsOutliveTheCatalog(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	made, err := b.CreateDataset(ctx, storage.NewDataset{ProjectID: 1, Name: "x"},
		answering[snapshot.State]("create", "made"))
	b.Must(err)
	d := made.Dataset.ID
	_, err = b.Commit(ctx, d, storage.Change{Mode: catalog.Append, Upload: b.Upload(intake.JSON, `[{"v":1}]`),
		Request: answering[catalog.Commit]("append", "appended")})
	b.Must(err)
	_, err = b.Increment(ctx, d, storagetest.Forced("major", ""), answering[catalog.Version]("version", "named"))
	b.Must(err)
	_, err = b.Commit(ctx, d, storage.Change{Mode: catalog.Append, Upload: b.Upload(intake.JSON, `[{"v":2}]`),
		Request: answering[catalog.Commit]("more", "appended")})
	b.Must(err)
	p, err := b.CreateSavepoint(ctx, d, storage.NewSavepoint{Description: "a"},
		answering[storage.Marked]("savepoint", "marked"))
	b.Must(err)
	_, err = b.CreateSavepoint(ctx, d, storage.NewSavepoint{Description: "a"},
		answering[storage.Marked]("again", "marked before"))
	b.Must(err)
	_, err = b.DescribeSavepoint(ctx, d, p.ID, "described", storage.Request{})
	b.Must(err)
	_, err = b.Backups.Make(ctx, d, storage.NewBackup{Ref: "head"}, answering[catalog.Backup]("backup", "kept"))
	b.Must(err)
	removed, err := b.Backups.Make(ctx, d, storage.NewBackup{}, answering[catalog.Backup]("removed", "kept for a while"))
	b.Must(err)
	b.Must(b.Backups.Remove(ctx, removed, storage.Request{}))
	b.Must(b.DeleteDataset(ctx, d, storage.Request{}))
	_, err = b.UndeleteDataset(ctx, d, answering[snapshot.State]("undelete", "back"))
	b.Must(err)
	b.Must(b.DeleteDataset(ctx, d, storage.Request{}))
	_, err = b.UndeleteDataset(ctx, d, storage.Request{})
	b.Must(err)
	_, err = b.Fork(ctx, d, storage.NewFork{}, answering[snapshot.State]("fork", "forked"))
	b.Must(err)
	_, err = b.RollbackVersion(ctx, d, "1.0.0", answering[catalog.Commit]("rollback", "rolled back"))
	b.Must(err)
	job, err := b.Requests.StartJob(ctx, "Appending", answering[catalog.Job]("job", "promised"))
	b.Must(err)
	later := answering[catalog.Commit]("", "done")
	later.Receipt.(*storage.Receipt[catalog.Commit]).Job = job.ID
	_, err = b.Commit(ctx, d, storage.Change{Mode: catalog.Append, Upload: b.Upload(intake.JSON, `[{"v":3}]`),
		Request: later})
	b.Must(err)
	answers := func() (out []string) {
		for _, key := range []string{"create", "append", "version", "more", "savepoint", "again", "backup", "removed",
			"undelete", "fork", "rollback", "job"} {
			answer, ok, done, err := b.Requests.Once(ctx, "ann", key, "p")
			if err != nil || !ok {
				t.Errorf("%s: the answer is there: %v, %v", key, ok, err)
				continue
			}
			done()
			out = append(out, key+" "+string(answer))
		}
		j, err := b.Requests.Job(ctx, job.ID)
		return append(out, fmt.Sprint(j.Progress, j.Message, string(j.Answer), err))
	}
	before := answers()
	b.LoseCatalog()
	if after := answers(); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	_, _, _, err = b.Requests.Once(ctx, "ann", "append", "other")
	wantRefusal(t, err, "idempotency_key_reused")
}

// Answers are kept for 30 days, also where the catalog is made anew.
func TestOldReceiptsAreForgotten(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	b := reopen(t, dir, storage.Options{Now: func() time.Time { return now }})
	d := b.Create("x")
	for i, key := range []string{"old", "new"} {
		now = now.AddDate(0, 0, 20*i)
		_, err := b.Commit(ctx, d, storage.Change{Mode: catalog.Append, Upload: b.Upload(intake.JSON, `[{"v":1}]`),
			Request: answering[catalog.Commit](key, key)})
		b.Must(err)
	}
	b.ClosedDir()
	storagetest.WithCatalog(t, dir, nil)
	now = now.AddDate(0, 0, 15)
	again := reopen(t, dir, storage.Options{Now: func() time.Time { return now }})
	for key, kept := range map[string]bool{"old": false, "new": true} {
		if _, ok, _, err := again.Requests.Once(ctx, "ann", key, "p"); ok != kept || err != nil {
			t.Errorf("%s: it is kept: %v, %v", key, ok, err)
		}
	}
}

// What can't be placed moves to quarantine, is reported, and its numbers are not given again.
func TestWhatCannotBePlacedIsSetAside(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		harm func(b *bench, d string, last int64) error
		why  string
	}{
		"a file is cut": {func(b *bench, d string, last int64) error {
			return os.Truncate(b.Object(d, last, "data-0000.parquet"), 100)
		}, "incomplete"},
		"a file is missing": {func(b *bench, d string, last int64) error {
			return os.Remove(b.Object(d, last, "data-0000.parquet"))
		}, "incomplete"},
		"its description is cut": {func(b *bench, d string, last int64) error {
			return os.Truncate(b.Object(d, last, "commit.json"), 100)
		}, "unreadable"},
		"it has no description": {func(b *bench, d string, last int64) error {
			return os.Remove(b.Object(d, last, "commit.json"))
		}, "unreadable"},
		"it was made on an unknown commit": {func(b *bench, d string, last int64) error {
			return os.RemoveAll(filepath.Dir(b.Object(d, last-1, "x")))
		}, "unplaced"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			b := open(t)
			d := b.Create("x")
			b.JSON(d, catalog.Append, `[{"v":1}]`)
			b.JSON(d, catalog.Append, `[{"v":2}]`)
			last := b.JSON(d, catalog.Append, `[{"v":3},{"v":4}]`)
			b.ClosedDir()
			b.Must(c.harm(b, d, last.ID))
			storagetest.WithCatalog(t, b.Dir, nil)
			found, err := storage.Inspect(ctx, b.Dir, false, storage.Options{})
			if err != nil || len(found.Problems) == 0 {
				t.Errorf("before the start: %+v, %v", found, err)
			}
			again := reopen(t, b.Dir, storage.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
			if set := storagetest.Quarantined(t, b.Dir); !strings.Contains(set, fmt.Sprintf("%s-%d-%s-", d, last.ID, c.why)) {
				t.Errorf("in quarantine: %s", set)
			}
			if !strings.Contains(log.String(), "can't be placed") {
				t.Errorf("the log has %s", log.String())
			}
			problems, err := again.Check(ctx, true)
			if err != nil || len(problems) != 1 || problems[0].Commit != last.ID || problems[0].Dataset != d {
				t.Errorf("check: %v, %v", problems, err)
			}
			next := again.JSON(d, catalog.Append, `[{"v":9}]`)
			if next.ID <= last.ID {
				t.Errorf("commit %d is given again as %d", last.ID, next.ID)
			}
		})
	}
}

// Numbers of a commit in quarantine, and of one that was withdrawn, are not given again: its id, its files' ids, its
// row ids and its savepoint's.
func TestNumbersAreGivenOnce(t *testing.T) {
	ctx := context.Background()
	s := &storagetest.Stops{Once: true}
	dir := t.TempDir()
	b := reopen(t, dir, storage.Options{Hook: func(op, path string) error {
		if op == "commit" {
			return s.Hook(op, path)
		}
		return nil
	}})
	d := b.Create("x")
	b.JSON(d, catalog.Append, `[{"v":1}]`)
	s.Armed = true
	_, err := b.Try(d, catalog.Append, intake.JSON, `[{"v":2},{"v":3}]`)
	if !errors.Is(err, storagetest.ErrCrash) || !strings.Contains(storagetest.Quarantined(t, dir), d+"-2-withdrawn-") {
		t.Errorf("%v; in quarantine: %s", err, storagetest.Quarantined(t, dir))
	}
	b.Sound()
	b.ClosedDir()
	storagetest.WithCatalog(t, dir, nil)
	b.Store = reopen(t, dir, storage.Options{}).Store
	third := b.JSON(d, catalog.Append, `[{"v":4}]`)
	_, err = b.Increment(ctx, d, storage.NewVersion{Part: "major", Force: true}, storage.Request{})
	b.Must(err)
	back, err := b.RollbackVersion(ctx, d, "1.0.0", storage.Request{}) // has savepoint 1
	b.Must(err)
	if third.ID != 3 || back.ID != 4 {
		t.Errorf("commits %d and %d", third.ID, back.ID)
	}
	b.ClosedDir()
	storagetest.WithCatalog(t, dir, nil)
	b.Must(os.Truncate(b.Object(d, 4, "commit.json"), 0))
	b.Store = reopen(t, dir, storage.Options{}).Store
	b.JSON(d, catalog.Append, `[{"v":5}]`)
	b.Want(d, "head", `{"_id":1,"v":1}`, `{"_id":4,"v":4}`, `{"_id":5,"v":5}`)
}

// A savepoint that went to quarantine with its commit keeps its number.
func TestSavepointNumbersAreGivenOnce(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x")
	b.JSON(d, catalog.Append, `[{"v":1}]`)
	_, err := b.Increment(ctx, d, storage.NewVersion{Part: "major", Force: true}, storage.Request{})
	b.Must(err)
	b.JSON(d, catalog.Append, `[{"v":2}]`)
	_, err = b.RollbackVersion(ctx, d, "1.0.0", storage.Request{})
	b.Must(err)
	b.ClosedDir()
	b.Must(os.RemoveAll(filepath.Dir(b.Object(d, 2, "x")))) // what the rollback was made on
	storagetest.WithCatalog(t, b.Dir, nil)
	b.Store = reopen(t, b.Dir, storage.Options{}).Store
	b.JSON(d, catalog.Append, `[{"v":3}]`)
	p, err := b.CreateSavepoint(ctx, d, storage.NewSavepoint{Description: "next"}, storage.Request{})
	if err != nil || p.Number != 2 {
		t.Errorf("savepoint %d, %v", p.Number, err)
	}
	b.Want(d, "head", `{"_id":1,"v":1}`, `{"_id":3,"v":3}`) // the row of the lost commit was 2
}

// A damaged file of a commit that others were made on does not take them with it: it stays where it is.
func TestDamageInTheMiddleTakesNothingElse(t *testing.T) {
	b := open(t)
	d := b.Create("x")
	for i := range 4 {
		b.JSON(d, catalog.Append, fmt.Sprintf(`[{"v":%d}]`, i))
	}
	b.ClosedDir()
	b.Must(os.Truncate(b.Object(d, 2, "data-0000.parquet"), 50))
	storagetest.WithCatalog(t, b.Dir, nil)
	b.Store = reopen(t, b.Dir, storage.Options{}).Store
	if set := storagetest.Quarantined(t, b.Dir); set != "" {
		t.Errorf("in quarantine: %s", set)
	}
	if list, err := b.Commits(context.Background(), d, 1<<62, 100); len(list) != 4 || err != nil {
		t.Errorf("%d commits, %v", len(list), err)
	}
}

// A directory that was copied to another place is not taken for a commit.
func TestCopiedFoldersAreSetAside(t *testing.T) {
	b := open(t)
	d, other := b.Create("x"), b.Create("y")
	b.JSON(d, catalog.Append, `[{"v":1}]`)
	b.JSON(other, catalog.Append, `[{"v":2}]`)
	b.ClosedDir()
	for _, to := range []string{b.Object(other, 1, ""), b.Object(d, 7, ""),
		b.Object("0123456789abcdef0123456789abcdef", 1, "")} {
		b.Must(os.CopyFS(to, os.DirFS(b.Object(d, 1, ""))))
	}
	for _, lost := range []bool{false, true} {
		dir := storagetest.Copied(t, b.Dir)
		if lost {
			storagetest.WithCatalog(t, dir, nil)
		}
		again := reopen(t, dir, storage.Options{})
		again.Want(d, "head", `{"_id":1,"v":1}`)
		again.Want(other, "head", `{"_id":1,"v":2}`)
		if names := strings.Split(storagetest.Quarantined(t, dir), "\n"); len(names) != 3 {
			t.Errorf("in quarantine: %v", names)
		}
		if c := again.JSON(d, catalog.Append, `[{"v":3}]`); c.ID != 8 {
			t.Errorf("the next commit is %d", c.ID)
		}
	}
}
