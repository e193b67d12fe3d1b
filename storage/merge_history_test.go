package storage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// only merges just the actions with these keys.
func (b *bench) mergeOnly(from, into string, keys ...string) storage.Merged {
	b.Helper()
	m, err := b.Merge(context.Background(), into,
		storage.Merge{Source: from, Autorollback: true, Filter: &storage.MergeFilter{Keys: keys}}, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func TestAMergeReadsTheFilesThatItMadeAnew(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"A"},{"id":2,"x":"B"}]`)
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"AA"}]`)
	b.JSON(d, catalog.Upsert, `[{"id":2,"x":"B"}]`)
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"x":"AA"}`, `{"id":2,"x":"B"}`, `{"id":3,"x":"c"}`)
	b.Sound()
}

func TestRecordsBringTheirTypeThoughWhatWidenedItWasSkipped(t *testing.T) {
	for name, c := range map[string]struct{ first, wider, later, want string }{
		"a fraction":      {`[{"id":1,"n":1}]`, `[{"id":1,"n":0.5}]`, `[{"id":2,"n":1.5}]`, `{"id":2,"n":1.5}`},
		"of unknown type": {`[{"id":1,"n":null}]`, `[{"id":1,"n":"a"}]`, `[{"id":2,"n":"b"}]`, `{"id":2,"n":"b"}`},
		"a field": {`[{"id":1,"n":{"p":1}}]`, `[{"id":1,"n":{"q":1}}]`, `[{"id":2,"n":{"p":null,"q":2}}]`,
			`{"id":2,"n":{"p":null,"q":2}}`},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			d := b.Create("d", "id")
			b.JSON(d, catalog.Append, c.first)
			f := b.MakeFork(d, "f", "head")
			b.JSON(f, catalog.Upsert, c.wider)
			b.JSON(f, catalog.Append, c.later)
			b.mergeOnly(f, d, "Dataset.append")
			if got := b.Rows(d, "head", false); len(got) != 2 || got[1] != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
			b.JSON(d, catalog.Delete, `[{"id":2}]`)
			b.MakeMerge(d, f)
			b.Sound()
		})
	}
}

func TestAColumnStaysWhereOtherRecordsHaveValuesInIt(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	made := b.JSON(f, catalog.Upsert, `[{"id":1,"new":1}]`)
	b.MakeMerge(f, d)
	b.JSON(d, catalog.Upsert, `[{"id":2,"new":2}]`)
	if _, err := b.TryRollback(f, made.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"x":"a","new":null}`, `{"id":2,"x":"b","new":2}`, `{"id":3,"x":"c","new":null}`)
	b.Sound()
}

func TestAColumnStaysAsWideAsOtherRecordsNeedIt(t *testing.T) {
	b := open(t)
	d := b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id":1,"n":1}]`)
	f := b.MakeFork(d, "f", "head")
	made := b.JSON(f, catalog.Upsert, `[{"id":1,"n":1.5}]`)
	b.MakeMerge(f, d)
	b.JSON(d, catalog.Append, `[{"id":2,"n":2.5}]`)
	if _, err := b.TryRollback(f, made.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"n":1.0}`, `{"id":2,"n":2.5}`)
	b.Sound()
}

func TestAColumnGoesWhereNoOtherRecordNeedsIt(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	made := b.JSON(f, catalog.Upsert, `[{"id":1,"new":1}]`)
	b.MakeMerge(f, d)
	if _, err := b.TryRollback(f, made.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`)
	b.Sound()
}

func TestAColumnThatWasTakenAwayIsTheOneThatHasItsNameNow(t *testing.T) {
	b := open(t)
	d, _ := b.Pair("id")
	made := b.JSON(d, catalog.Upsert, `[{"id":1,"new":1}]`)
	f := b.MakeFork(d, "g", "head")
	if _, err := b.TryRollback(d, made.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.JSON(d, catalog.Upsert, `[{"id":2,"new":2}]`) // by another id
	b.JSON(f, catalog.Upsert, `[{"id":3,"new":3}]`)
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"x":"a","new":null}`, `{"id":2,"x":"b","new":2}`, `{"id":3,"x":"c","new":3}`)
	b.Sound()
}

// What was undone by itself stays so when its merge is undone, and redone; what is redone by itself stays undone with
// its merge.
func TestUndoingAMergeLeavesWhatWasUndoneBefore(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"same"}]`)
	b.JSON(f, catalog.Upsert, `[{"id":2,"x":"B"}]`)
	b.JSON(d, catalog.Upsert, `[{"id":1,"x":"same"}]`)
	m := b.MakeMerge(f, d)
	undo := func(commit int64) int64 {
		t.Helper()
		c, err := b.TryRollback(d, commit, storage.Records)
		if err != nil {
			t.Fatal(err)
		}
		return c.ID
	}
	undoneBy := func(want int64) {
		t.Helper()
		if c, err := b.CommitByID(context.Background(), d, m.Played[0].ID); err != nil || c.RollbackCommitID != want {
			t.Errorf("commit %d undoes it, want %d: %v", c.RollbackCommitID, want, err)
		}
		b.Sound()
	}
	one := undo(m.Played[0].ID)
	all := undo(m.Commit.ID)
	undoneBy(one)
	redone := undo(all)
	undoneBy(one)
	undo(redone)
	undoneBy(one)
	undo(one)
	undoneBy(all)
}

func TestAMergeThatGoesBackAndForthIsUndone(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	ctx := context.Background()
	for _, ref := range []string{"0", "1"} {
		if _, err := b.Restore(ctx, f, ref, storage.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	m := b.MakeMerge(f, d)
	b.Sound()
	if _, err := b.TryRollback(d, m.Commit.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`)
	b.Sound()
}

func TestARecordThatARestoreLeftAsItWasIsNoConflict(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	was := b.JSON(f, catalog.Append, `[{"id":4,"x":"d"}]`)
	b.MakeMerge(f, d)
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"a"}]`)
	b.JSON(f, catalog.Delete, `[{"id":4}]`)
	if _, err := b.Restore(context.Background(), f, fmt.Sprint(was.ID), storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.JSON(d, catalog.Upsert, `[{"id":1,"x":"mine"}]`)
	b.mergeOnly(f, d, "Dataset.delete")
	b.mergeOnly(f, d, "Dataset.restore")
	b.Want(d, "head", `{"id":1,"x":"mine"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	b.Sound()
}

func TestPlayedRollbacksSeeThoseBeforeThem(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	b.JSON(f, catalog.Append, `[{"id":4,"x":"d"}]`)
	m := b.MakeMerge(f, d)
	undo := func(dataset string, commit int64) int64 {
		t.Helper()
		c, err := b.TryRollback(dataset, commit, storage.Records)
		if err != nil {
			t.Fatal(err)
		}
		return c.ID
	}
	all := undo(d, m.Commit.ID)
	g := b.MakeFork(d, "g", "head")
	undo(g, all)
	undo(g, m.Played[0].ID)
	up := b.MakeMerge(g, d)
	b.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	c, err := b.CommitByID(context.Background(), d, m.Played[0].ID)
	if err != nil || len(up.Played) != 2 || c.RollbackCommitID != up.Played[1].ID {
		t.Errorf("%+v %v", c, err)
	}
	b.Sound()
}

func TestComparisonsKnowColumnsThatBothSidesMade(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	b.JSON(f, catalog.Upsert, `[{"id":1,"y":1},{"id":2,"y":2}]`)
	b.JSON(d, catalog.Upsert, `[{"id":1,"y":1},{"id":3,"y":3}]`)
	a, errA := b.Snapshot(context.Background(), d, "head")
	z, errZ := b.Snapshot(context.Background(), f, "head")
	conn, err := b.Conn(context.Background())
	if err := errors.Join(err, errA, errZ); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := snapshot.Diff(a, z).Count(context.Background(), conn)
	if err != nil || got.Modified != 2 || got.Columns["y"] != 2 || len(got.Columns) != 1 {
		t.Errorf("%+v %v", got, err)
	}
}

func TestMergesByKeysOfAnyType(t *testing.T) {
	for name, c := range map[string]struct {
		key  []string
		keys [6]string // of records: the fields of the key
	}{
		"text": {[]string{"id"}, [6]string{`"id":"a"`, `"id":"ü"`, `"id":"c'"`, `"id":"d"`, `"id":""`, `"id":"f"`}},
		"two columns": {[]string{"id", "day"}, [6]string{`"id":1,"day":"2026-01-01"`, `"id":1,"day":"2026-01-02"`,
			`"id":2,"day":"2026-01-01"`, `"id":2,"day":"2026-01-02"`, `"id":3,"day":"2026-01-01"`, `"id":1,"day":"2026-01-03"`}},
		"dates": {[]string{"id"}, [6]string{`"id":"2026-01-01"`, `"id":"2025-01-01"`, `"id":"2026-01-03"`,
			`"id":"2026-01-04"`, `"id":"1999-12-31"`, `"id":"2026-01-06"`}},
		"widened later": {[]string{"id"}, [6]string{`"id":1`, `"id":2`, `"id":3`, `"id":4`, `"id":4.5`, `"id":-6`}},
		"widened both":  {[]string{"id"}, [6]string{`"id":1`, `"id":2`, `"id":3`, `"id":4`, `"id":4.5`, `"id":6.5`}},
	} {
		t.Run(name, func(t *testing.T) {
			b, k := open(t), c.keys
			d := b.Create("d", c.key...)
			b.JSON(d, catalog.Append, fmt.Sprintf(`[{%s,"x":"a"},{%s,"x":"b"},{%s,"x":"c"},{%s,"x":"d"}]`, k[0], k[1], k[2],
				k[3]))
			f := b.MakeFork(d, "f", "head")
			b.JSON(f, catalog.Upsert, fmt.Sprintf(`[{%s,"x":"A"},{%s,"x":"B"},{%s,"x":"new"}]`, k[0], k[1], k[4]))
			b.JSON(f, catalog.Delete, fmt.Sprintf(`[{%s}]`, k[2]))
			b.JSON(d, catalog.Upsert, fmt.Sprintf(`[{%s,"x":"B"},{%s,"x":"too"}]`, k[1], k[5]))
			b.MakeMerge(f, d)
			b.MakeMerge(d, f)
			mine, theirs := b.Rows(d, "head", false), b.Rows(f, "head", false)
			if !slices.Equal(mine, theirs) || len(mine) != 5 {
				t.Errorf("%v\n%v", mine, theirs)
			}
			b.Sound()
			b.JSON(f, catalog.Upsert, fmt.Sprintf(`[{%s,"x":"f"},{%s,"x":"f"}]`, k[4], k[0]))
			b.JSON(d, catalog.Upsert, fmt.Sprintf(`[{%s,"x":"d"}]`, k[4]))
			if out, _ := b.conflicts(f, d, storage.Merge{Autorollback: true}); out.Conflicts[0].Count != 1 {
				t.Errorf("%+v", out.Conflicts)
			}
			b.Sound()
		})
	}
}

// Files of many records are made by another way than those of few.
func TestLargeMergesMakeFilesAnew(t *testing.T) {
	b := open(t)
	d := b.Create("d", "id")
	records := func(from, to int, x string) string {
		var list []string
		for i := from; i < to; i++ {
			list = append(list, fmt.Sprintf(`{"id":%d,"x":%q}`, i, x))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	b.JSON(d, catalog.Append, records(0, 3000, "a"))
	f := b.MakeFork(d, "f", "head")
	b.JSON(f, catalog.Upsert, records(500, 2500, "b"))
	b.JSON(f, catalog.Upsert, records(1000, 3500, "c"))
	b.JSON(f, catalog.Delete, records(0, 1200, ""))
	b.JSON(d, catalog.Upsert, records(500, 700, "b"))
	b.JSON(d, catalog.Append, records(5000, 5001, "d"))
	before := b.Rows(d, "head", true)
	m := b.MakeMerge(f, d)
	mine := slices.DeleteFunc(b.Rows(d, "head", false), func(line string) bool { return line == `{"id":5000,"x":"d"}` })
	if theirs := b.Rows(f, "head", false); !slices.Equal(mine, theirs) || len(mine) != 2300 {
		t.Errorf("%d and %d records", len(mine), len(theirs))
	}
	b.Sound()
	if _, err := b.TryRollback(d, m.Commit.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	if after := b.Rows(d, "head", true); !slices.Equal(before, after) {
		t.Errorf("%d records before, %d after", len(before), len(after))
	}
	b.Sound()
}

// Redoing a merge brings back what it was, not columns that its files only might have values in.
func TestRedoingAMergeBringsNoColumns(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	c := b.JSON(f, catalog.Append, `[{"id":4,"x":"d","n":1}]`)
	if _, err := b.TryRollback(f, b.JSON(f, catalog.Delete, `[{"id":4}]`).ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	e := b.JSON(f, catalog.Append, `[{"id":5,"x":"e"}]`)
	m, err := b.Merge(context.Background(), d, storage.Merge{Source: f,
		Filter: &storage.MergeFilter{Hashes: []string{e.Hash}}}, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	after := b.Rows(d, "head", true)
	undo, err := b.TryRollback(d, m.Commit.ID, storage.Stack)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.TryRollback(d, undo.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	if got := b.Rows(d, "head", true); fmt.Sprint(got) != fmt.Sprint(after) {
		t.Errorf("%v, want %v (commit %d was not merged)", got, after, c.ID)
	}
	b.Sound()
}

// A restore brings back a record's older row, though its values are what they are: a merge that can't link the files
// leaves such a record alone.
func TestAMergeLeavesARecordAloneOfWhichTheActionChangedOnlyTheTag(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	forked, err := b.State(context.Background(), f, "head")
	if err != nil {
		t.Fatal(err)
	}
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"a"}]`)
	b.JSON(f, catalog.Upsert, `[{"id":2,"x":"B"}]`)
	b.MakeMerge(f, d)
	b.JSON(d, catalog.Upsert, `[{"id":2,"y":1}]`)
	tagged := b.Rows(d, "head", true)[0]
	if _, err := b.Restore(context.Background(), f, fmt.Sprint(forked.Commit.ID), storage.Request{}); err != nil {
		t.Fatal(err)
	}
	played := b.MakeMerge(f, d).Played
	if len(played) != 1 || played[0].Modified != 1 {
		t.Errorf("played %+v, want one action that modified one record", played)
	}
	if got := b.Rows(d, "head", true)[0]; got != tagged {
		t.Errorf("%s, want %s", got, tagged)
	}
	b.Want(d, "head", `{"id":1,"x":"a","y":null}`, `{"id":2,"x":"b","y":1}`, `{"id":3,"x":"c","y":null}`)
	b.Sound()
}
