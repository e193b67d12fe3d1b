package storage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
)

func (b *bench) refusedMerge(code string, into string, m storage.Merge) {
	b.Helper()
	_, err := b.Merge(context.Background(), into, m, storage.Request{})
	if e := storage.Explain(err); err == nil || e.Code != code {
		b.Errorf("got %v, want %s", err, code)
	}
}

func TestMergesThatMakeNoSenseAreRefused(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	other := b.Create("other", "id")
	gone := b.MakeFork(d, "gone", "head")
	if err := b.DeleteDataset(context.Background(), gone, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.refusedMerge("not_family", d, storage.Merge{Source: other})
	b.refusedMerge("merge_into_itself", d, storage.Merge{Source: d})
	b.refusedMerge("dataset_deleted", d, storage.Merge{Source: gone})
	b.refusedMerge("dataset_not_found", d, storage.Merge{Source: "nothing"})
	b.refusedMerge("empty_filter", d, storage.Merge{Source: f, Filter: &storage.MergeFilter{}})
	b.refusedMerge("unknown_key", d, storage.Merge{Source: f,
		Filter: &storage.MergeFilter{Keys: []string{"Dataset.explode"}}})
	b.refusedMerge("unknown_hash", d, storage.Merge{Source: f, Filter: &storage.MergeFilter{Hashes: []string{"000003"}}})
	b.Sound()
}

func TestMergeFilterAndRemember(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	ctx := context.Background()
	b.JSON(f, catalog.Append, `[{"id":4,"x":"d"}]`)
	up := b.JSON(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	b.JSON(f, catalog.Delete, `[{"id":3}]`)
	m, err := b.Merge(ctx, d, storage.Merge{Source: f, Remember: true,
		Filter: &storage.MergeFilter{Keys: []string{"Dataset.delete"}}}, storage.Request{})
	if err != nil || len(m.Played) != 1 || len(m.Skipped) != 2 {
		t.Fatalf("%+v %v", m, err)
	}
	b.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`)
	b.JSON(f, catalog.Append, `[{"id":5,"x":"e"}]`) // later than what was remembered
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":5,"x":"e"}`)
	m, err = b.Merge(ctx, d, storage.Merge{Source: f, Filter: &storage.MergeFilter{Hashes: []string{up.Hash}}},
		storage.Request{})
	if err != nil || len(m.Played) != 1 {
		t.Fatalf("%+v %v", m, err)
	}
	b.Want(d, "head", `{"id":1,"x":"A"}`, `{"id":2,"x":"b"}`, `{"id":5,"x":"e"}`)
	b.since(f, "Dataset.append")
	b.Sound()
}

func TestDryRunTellsAndChangesNothing(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"mine"}]`)
	b.JSON(f, catalog.Append, `[{"id":4,"x":"d"}]`)
	b.JSON(f, catalog.Upsert, `[{"id":2,"x":"mine"}]`)
	b.JSON(d, catalog.Upsert, `[{"id":1,"x":"theirs"},{"id":2,"x":"theirs"}]`)
	before := b.Rows(d, "head", true)
	m, err := b.Merge(context.Background(), d, storage.Merge{Source: f, DryRun: true}, storage.Request{})
	if err != nil || len(m.Played) != 1 || len(m.Conflicts) != 2 || m.Commit.ID != 0 {
		t.Errorf("%+v %v", m, err)
	}
	if after := b.Rows(d, "head", true); !slices.Equal(before, after) {
		t.Error(after)
	}
	b.Sound()
}

func TestRollbackInTheForkTakesAConflictAway(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	mine := b.JSON(f, catalog.Upsert, `[{"id":1,"x":"mine"}]`)
	b.JSON(d, catalog.Upsert, `[{"id":1,"x":"theirs"}]`)
	b.conflicts(f, d, storage.Merge{Autorollback: true})
	if _, err := b.TryRollback(f, mine.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	if m := b.MakeMerge(f, d); m.Commit.ID != 0 {
		t.Errorf("%+v", m)
	}
	b.Sound()
}

func TestRollbacksAreMerged(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	first := b.JSON(d, catalog.Append, `[{"id":4,"x":"d"}]`)
	b.MakeMerge(d, f)
	if _, err := b.TryRollback(f, first.ID, storage.Stack); err == nil { // it has another id there
		t.Error("a commit of the upstream was rolled back in the fork")
	}
	shared := b.MakeFork(d, "second", "head")
	if _, err := b.TryRollback(shared, first.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.MakeMerge(shared, d)
	b.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`)
	c, err := b.CommitByID(context.Background(), d, first.ID)
	if err != nil || c.RollbackCommitID == 0 {
		t.Errorf("%+v %v", c, err)
	}
	b.Sound()
}

func TestOneCommitOfAMergeIsRolledBack(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	b.JSON(f, catalog.Append, `[{"id":4,"x":"d"}]`)
	m := b.MakeMerge(f, d)
	undone, err := b.TryRollback(d, m.Played[0].ID, storage.Stack)
	if err != nil {
		t.Fatal(err)
	}
	b.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	if _, err := b.TryRollback(d, m.Commit.ID, storage.Stack); err == nil {
		t.Error("a merge was rolled back though one of its commits is undone")
	}
	if _, err := b.TryRollback(d, undone.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	last, err := b.TryRollback(d, m.Commit.ID, storage.Stack)
	if err != nil {
		t.Fatal(err)
	}
	b.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`)
	if _, err := b.TryRollback(d, last.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.Want(d, "head", `{"id":1,"x":"A"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	b.since(f)
	b.Sound()
}

func TestColumnsThatCameOnBothSidesAreOne(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	b.JSON(f, catalog.Upsert, `[{"id":1,"y":1.5}]`)
	b.JSON(f, catalog.Append, `[{"id":4,"x":"d","y":2}]`)
	b.JSON(d, catalog.Append, `[{"id":5,"x":"e","y":3}]`)
	b.MakeMerge(f, d)
	want := []string{`{"id":1,"x":"a","y":1.5}`, `{"id":2,"x":"b","y":null}`, `{"id":3,"x":"c","y":null}`,
		`{"id":4,"x":"d","y":2.0}`, `{"id":5,"x":"e","y":3.0}`}
	b.Want(d, "head", want...)
	b.MakeMerge(d, f)
	b.Want(f, "head", want...)
	b.Sound()
}

func TestColumnsOfOneNameAndOtherTypesConflict(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	b.JSON(f, catalog.Append, `[{"id":4,"y":"text"}]`)
	b.JSON(d, catalog.Append, `[{"id":5,"y":{"a":1}}]`)
	out, _ := b.conflicts(f, d, storage.Merge{Autorollback: true})
	if out.Conflicts[0].Variable != "y" {
		t.Errorf("%+v", out.Conflicts)
	}
	b.Sound()
}

func TestUpstreamColumnsKeepTheirValues(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	b.JSON(d, catalog.Upsert, `[{"id":1,"note":"kept"},{"id":2,"note":"too"}]`)
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"x":"A","note":"kept"}`, `{"id":2,"x":"b","note":"too"}`, `{"id":3,"x":"c","note":null}`)
	b.Sound()
}

func TestAppendsToNumberedDatasetsNeverConflict(t *testing.T) {
	b := open(t)
	d, f := b.Pair()
	for i := range 3 {
		b.JSON(f, catalog.Append, fmt.Sprintf(`[{"id":%d,"x":"f"}]`, i))
		b.JSON(d, catalog.Append, fmt.Sprintf(`[{"id":%d,"x":"d"}]`, i))
	}
	before := b.DiskBytes()
	b.MakeMerge(f, d)
	b.MakeMerge(d, f)
	if n := b.DiskBytes() - before; n != 0 {
		t.Errorf("the merges wrote %d bytes", n)
	}
	if a, c := b.Rows(d, "head", false), b.Rows(f, "head", false); !slices.Equal(a, c) || len(a) != 9 {
		t.Errorf("%v\n%v", a, c)
	}
	b.Sound()
}

func TestRevertTakesLaterSavepointsOffTheListAndRollbackBringsThemBack(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d, _ := b.Pair("id")
	names := func() (out []string) {
		list, err := b.Savepoints(ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			out = append(out, p.Description)
		}
		return out
	}
	if p := b.MakeSavepoint(d, storage.NewSavepoint{Description: "again", Automatic: true},
		false); p.Description != "initial import" {
		t.Errorf("%+v", p)
	}
	b.JSON(d, catalog.Append, `[{"id":4,"x":"d"}]`)
	b.MakeSavepoint(d, storage.NewSavepoint{Description: "with d"}, true)
	b.JSON(d, catalog.Append, `[{"id":5,"x":"e"}]`)
	b.MakeSavepoint(d, storage.NewSavepoint{Description: "with e"}, true)
	c, err := b.Revert(ctx, d, "master__000000", storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	b.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`)
	if got := names(); !slices.Equal(got, []string{"initial import"}) {
		t.Error(got)
	}
	b.MakeSavepoint(d, storage.NewSavepoint{}, false) // nothing changed since the revert
	if _, err := b.FindSavepoint(ctx, d, "master__000002"); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	b.LoseCatalog()
	if got := names(); len(got) != 1 {
		t.Error(got)
	}
	if _, err := b.TryRollback(d, c.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names(), ", "); got != "with e, with d, initial import" {
		t.Error(got)
	}
	b.Sound()
}

// A conflict shows records as reading shows them: numbers that JSON has no word for are null, and JSON is whole.
func TestConflictsShowRecordsAsJSON(t *testing.T) {
	b := open(t)
	d := b.Create("up", "id")
	b.Put(d, catalog.Append, intake.CSV, "id,x,at,j\n1,0.5,2026-01-31T10:00:00,\n")
	if _, _, err := b.CreateVariable(context.Background(), d,
		storage.NewVariable{Name: "whole", Type: "JSON",
			Values: []json.RawMessage{json.RawMessage(`{"n":12345678901234567890123}`)}}, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	f := b.MakeFork(d, "fork", "head")
	b.Put(f, catalog.Upsert, intake.CSV, "id,x\n1,inf\n")
	b.Put(d, catalog.Upsert, intake.CSV, "id,x\n1,nan\n")
	_, e := b.conflicts(f, d, storage.Merge{Autorollback: true})
	if _, err := json.Marshal(e.Fields["conflicts"]); err != nil {
		t.Error(err)
	}
	r := e.Fields["conflicts"].([]storage.MergeConflict)[0].Records[0]
	for got, want := range map[string]string{
		string(r.Before): `{"id":1,"x":0.5,"at":"2026-01-31T10:00:00","j":null,"whole":{"n":12345678901234567890123}}`,
		string(r.After):  `{"id":1,"x":null,"at":"2026-01-31T10:00:00","j":null,"whole":{"n":12345678901234567890123}}`,
		string(r.Now):    `{"id":1,"x":null,"at":"2026-01-31T10:00:00","j":null,"whole":{"n":12345678901234567890123}}`,
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestWhatBothSidesDidAndOneDidOnAtIsNoConflictBack(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	b.JSON(d, catalog.Upsert, `[{"id":1,"x":"b"},{"id":2,"x":"B"}]`)
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"b"},{"id":2,"x":"B"}]`)
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"c"}]`)
	b.JSON(f, catalog.Delete, `[{"id":2}]`)
	b.MakeMerge(f, d)
	b.MakeMerge(d, f)
	for _, of := range []string{d, f} {
		b.Want(of, "head", `{"id":1,"x":"c"}`, `{"id":3,"x":"c"}`)
	}
	b.since(f)
	b.upstream(f)
	b.Sound()
}

// NaN is one key like any other.
func TestANaNKeyIsFound(t *testing.T) {
	b := open(t)
	d := b.Create("d", "k")
	b.Put(d, catalog.Append, intake.CSV, "k,v\n0.5,1\nnan,1\n1e300,1\n")
	for _, mode := range []catalog.Mode{catalog.Upsert, catalog.Overwrite} {
		c := b.Put(d, mode, intake.CSV, "k,v\nnan,"+map[catalog.Mode]string{catalog.Upsert: "2",
			catalog.Overwrite: "3"}[mode]+"\n")
		if c.Modified != 1 || c.Added != 0 {
			t.Errorf("%s: +%d ~%d", mode, c.Added, c.Modified)
		}
	}
	f := b.MakeFork(d, "f", "head")
	b.Put(f, catalog.Upsert, intake.CSV, "k,v\nnan,4\n")
	b.Put(d, catalog.Upsert, intake.CSV, "k,v\n0.5,4\n")
	b.MakeMerge(f, d)
	if c := b.Put(d, catalog.Delete, intake.CSV, "k\nnan\n"); c.Removed != 1 {
		t.Errorf("-%d", c.Removed)
	}
	b.Sound()
}
