package storage_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"rowback/storage"
	"rowback/storage/catalog"
)

// only merges just the actions with these keys.
func (b *bench) mergeOnly(from, into string, keys ...string) storage.Merged {
	b.Helper()
	m, err := b.Merge(context.Background(), into, storage.Merge{Source: from, Autorollback: true, Filter: &storage.MergeFilter{Keys: keys}}, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func TestAMergeReadsTheFilesThatItMadeAnew(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	b.json(f, catalog.Upsert, `[{"id":1,"x":"A"},{"id":2,"x":"B"}]`)
	b.json(f, catalog.Upsert, `[{"id":1,"x":"AA"}]`)
	b.json(d, catalog.Upsert, `[{"id":2,"x":"B"}]`)
	b.merge(f, d)
	b.want(d, "head", `{"id":1,"x":"AA"}`, `{"id":2,"x":"B"}`, `{"id":3,"x":"c"}`)
	b.sound()
}

func TestRecordsBringTheirTypeThoughWhatWidenedItWasSkipped(t *testing.T) {
	for name, c := range map[string]struct{ first, wider, later, want string }{
		"a fraction":      {`[{"id":1,"n":1}]`, `[{"id":1,"n":0.5}]`, `[{"id":2,"n":1.5}]`, `{"id":2,"n":1.5}`},
		"of unknown type": {`[{"id":1,"n":null}]`, `[{"id":1,"n":"a"}]`, `[{"id":2,"n":"b"}]`, `{"id":2,"n":"b"}`},
		"a field":         {`[{"id":1,"n":{"p":1}}]`, `[{"id":1,"n":{"q":1}}]`, `[{"id":2,"n":{"p":null,"q":2}}]`, `{"id":2,"n":{"p":null,"q":2}}`},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			d := b.create("d", "id")
			b.json(d, catalog.Append, c.first)
			f := b.fork(d, "f", "head")
			b.json(f, catalog.Upsert, c.wider)
			b.json(f, catalog.Append, c.later)
			b.mergeOnly(f, d, "Dataset.append")
			if got := b.rows(d, "head", false); len(got) != 2 || got[1] != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
			b.json(d, catalog.Delete, `[{"id":2}]`)
			b.merge(d, f)
			b.sound()
		})
	}
}

func TestAColumnStaysWhereOtherRecordsHaveValuesInIt(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	made := b.json(f, catalog.Upsert, `[{"id":1,"new":1}]`)
	b.merge(f, d)
	b.json(d, catalog.Upsert, `[{"id":2,"new":2}]`)
	if _, err := b.rollback(f, made.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.merge(f, d)
	b.want(d, "head", `{"id":1,"x":"a","new":null}`, `{"id":2,"x":"b","new":2}`, `{"id":3,"x":"c","new":null}`)
	b.sound()
}

func TestAColumnGoesWhereNoOtherRecordNeedsIt(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	made := b.json(f, catalog.Upsert, `[{"id":1,"new":1}]`)
	b.merge(f, d)
	if _, err := b.rollback(f, made.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.merge(f, d)
	b.want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`)
	b.sound()
}

func TestAColumnThatWasTakenAwayIsTheOneThatHasItsNameNow(t *testing.T) {
	b := open(t)
	d, _ := b.pair("id")
	made := b.json(d, catalog.Upsert, `[{"id":1,"new":1}]`)
	f := b.fork(d, "g", "head")
	if _, err := b.rollback(d, made.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.json(d, catalog.Upsert, `[{"id":2,"new":2}]`) // by another id
	b.json(f, catalog.Upsert, `[{"id":3,"new":3}]`)
	b.merge(f, d)
	b.want(d, "head", `{"id":1,"x":"a","new":null}`, `{"id":2,"x":"b","new":2}`, `{"id":3,"x":"c","new":3}`)
	b.sound()
}

func TestUndoingAMergeLeavesWhatWasUndoneBefore(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	b.json(f, catalog.Upsert, `[{"id":1,"x":"same"}]`)
	b.json(f, catalog.Upsert, `[{"id":2,"x":"B"}]`)
	b.json(d, catalog.Upsert, `[{"id":1,"x":"same"}]`)
	m := b.merge(f, d)
	one, err := b.rollback(d, m.Played[0].ID, storage.Records)
	if err != nil {
		t.Fatal(err)
	}
	all, err := b.rollback(d, m.Commit.ID, storage.Records)
	if err != nil {
		t.Fatal(err)
	}
	b.sound()
	if _, err := b.rollback(d, all.ID, storage.Records); err != nil {
		t.Fatal(err)
	}
	b.sound()
	if c, err := b.CommitByID(context.Background(), d, m.Played[0].ID); err != nil || c.RollbackCommitID != one.ID {
		t.Errorf("%+v %v", c, err)
	}
}

func TestAMergeThatGoesBackAndForthIsUndone(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	ctx := context.Background()
	for _, ref := range []string{"0", "1"} {
		if _, err := b.Restore(ctx, f, ref, storage.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	b.json(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	m := b.merge(f, d)
	b.sound()
	if _, err := b.rollback(d, m.Commit.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`)
	b.sound()
}

func TestARecordThatARestoreLeftAsItWasIsNoConflict(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	was := b.json(f, catalog.Append, `[{"id":4,"x":"d"}]`)
	b.merge(f, d)
	b.json(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	b.json(f, catalog.Upsert, `[{"id":1,"x":"a"}]`)
	b.json(f, catalog.Delete, `[{"id":4}]`)
	if _, err := b.Restore(context.Background(), f, fmt.Sprint(was.ID), storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.json(d, catalog.Upsert, `[{"id":1,"x":"mine"}]`)
	b.mergeOnly(f, d, "Dataset.delete")
	b.mergeOnly(f, d, "Dataset.restore")
	b.want(d, "head", `{"id":1,"x":"mine"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	b.sound()
}

func TestPlayedRollbacksSeeThoseBeforeThem(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	b.json(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	b.json(f, catalog.Append, `[{"id":4,"x":"d"}]`)
	m := b.merge(f, d)
	undo := func(dataset string, commit int64) int64 {
		t.Helper()
		c, err := b.rollback(dataset, commit, storage.Records)
		if err != nil {
			t.Fatal(err)
		}
		return c.ID
	}
	all := undo(d, m.Commit.ID)
	g := b.fork(d, "g", "head")
	undo(g, all)
	undo(g, m.Played[0].ID)
	up := b.merge(g, d)
	b.want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	c, err := b.CommitByID(context.Background(), d, m.Played[0].ID)
	if err != nil || len(up.Played) != 2 || c.RollbackCommitID != up.Played[1].ID {
		t.Errorf("%+v %v", c, err)
	}
	b.sound()
}

func TestComparisonsKnowColumnsThatBothSidesMade(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	b.json(f, catalog.Upsert, `[{"id":1,"y":1},{"id":2,"y":2}]`)
	b.json(d, catalog.Upsert, `[{"id":1,"y":1},{"id":3,"y":3}]`)
	a, errA := b.Snapshot(context.Background(), d, "head")
	z, errZ := b.Snapshot(context.Background(), f, "head")
	conn, err := b.Conn(context.Background())
	if err := errors.Join(err, errA, errZ); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := storage.Diff(a, z).Count(context.Background(), conn)
	if err != nil || got.Modified != 2 || got.Columns["y"] != 2 || len(got.Columns) != 1 {
		t.Errorf("%+v %v", got, err)
	}
}

// Redoing a merge brings back what it was, not columns that its files only might have values in.
func TestRedoingAMergeBringsNoColumns(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	c := b.json(f, catalog.Append, `[{"id":4,"x":"d","n":1}]`)
	if _, err := b.rollback(f, b.json(f, catalog.Delete, `[{"id":4}]`).ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	e := b.json(f, catalog.Append, `[{"id":5,"x":"e"}]`)
	m, err := b.Merge(context.Background(), d, storage.Merge{Source: f, Filter: &storage.MergeFilter{Hashes: []string{e.Hash}}}, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	after := b.rows(d, "head", true)
	undo, err := b.rollback(d, m.Commit.ID, storage.Stack)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.rollback(d, undo.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	if got := b.rows(d, "head", true); fmt.Sprint(got) != fmt.Sprint(after) {
		t.Errorf("%v, want %v (commit %d was not merged)", got, after, c.ID)
	}
	b.sound()
}
