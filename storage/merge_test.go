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

// pair is a dataset with three records and a fork of it.
func (b *bench) pair(key ...string) (d, f string) {
	b.Helper()
	d = b.create("up", key...)
	b.json(d, catalog.Append, `[{"id":1,"x":"a"},{"id":2,"x":"b"},{"id":3,"x":"c"}]`)
	return d, b.fork(d, "fork", "head")
}

func (b *bench) refusedMerge(code string, into string, m storage.Merge) {
	b.Helper()
	_, err := b.Merge(context.Background(), into, m, storage.Request{})
	if e := storage.Explain(err); err == nil || e.Code != code {
		b.Errorf("got %v, want %s", err, code)
	}
}

func TestMergesThatMakeNoSenseAreRefused(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	other := b.create("other", "id")
	gone := b.fork(d, "gone", "head")
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
	b.sound()
}

func TestMergeFilterAndRemember(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	ctx := context.Background()
	b.json(f, catalog.Append, `[{"id":4,"x":"d"}]`)
	up := b.json(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	b.json(f, catalog.Delete, `[{"id":3}]`)
	m, err := b.Merge(ctx, d, storage.Merge{Source: f, Remember: true,
		Filter: &storage.MergeFilter{Keys: []string{"Dataset.delete"}}}, storage.Request{})
	if err != nil || len(m.Played) != 1 || len(m.Skipped) != 2 {
		t.Fatalf("%+v %v", m, err)
	}
	b.want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`)
	b.json(f, catalog.Append, `[{"id":5,"x":"e"}]`) // later than what was remembered
	b.merge(f, d)
	b.want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":5,"x":"e"}`)
	m, err = b.Merge(ctx, d, storage.Merge{Source: f, Filter: &storage.MergeFilter{Hashes: []string{up.Hash}}},
		storage.Request{})
	if err != nil || len(m.Played) != 1 {
		t.Fatalf("%+v %v", m, err)
	}
	b.want(d, "head", `{"id":1,"x":"A"}`, `{"id":2,"x":"b"}`, `{"id":5,"x":"e"}`)
	b.since(f, "Dataset.append")
	b.sound()
}

func TestDryRunTellsAndChangesNothing(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	b.json(f, catalog.Upsert, `[{"id":1,"x":"mine"}]`)
	b.json(f, catalog.Append, `[{"id":4,"x":"d"}]`)
	b.json(f, catalog.Upsert, `[{"id":2,"x":"mine"}]`)
	b.json(d, catalog.Upsert, `[{"id":1,"x":"theirs"},{"id":2,"x":"theirs"}]`)
	before := b.rows(d, "head", true)
	m, err := b.Merge(context.Background(), d, storage.Merge{Source: f, DryRun: true}, storage.Request{})
	if err != nil || len(m.Played) != 1 || len(m.Conflicts) != 2 || m.Commit.ID != 0 {
		t.Errorf("%+v %v", m, err)
	}
	if after := b.rows(d, "head", true); !slices.Equal(before, after) {
		t.Error(after)
	}
	b.sound()
}

func TestRollbackInTheForkTakesAConflictAway(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	mine := b.json(f, catalog.Upsert, `[{"id":1,"x":"mine"}]`)
	b.json(d, catalog.Upsert, `[{"id":1,"x":"theirs"}]`)
	b.conflicts(f, d, storage.Merge{Autorollback: true})
	if _, err := b.rollback(f, mine.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	if m := b.merge(f, d); m.Commit.ID != 0 {
		t.Errorf("%+v", m)
	}
	b.sound()
}

func TestRollbacksAreMerged(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	first := b.json(d, catalog.Append, `[{"id":4,"x":"d"}]`)
	b.merge(d, f)
	if _, err := b.rollback(f, first.ID, storage.Stack); err == nil { // it has another id there
		t.Error("a commit of the upstream was rolled back in the fork")
	}
	shared := b.fork(d, "second", "head")
	if _, err := b.rollback(shared, first.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.merge(shared, d)
	b.want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`)
	c, err := b.CommitByID(context.Background(), d, first.ID)
	if err != nil || c.RollbackCommitID == 0 {
		t.Errorf("%+v %v", c, err)
	}
	b.sound()
}

func TestOneCommitOfAMergeIsRolledBack(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	b.json(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	b.json(f, catalog.Append, `[{"id":4,"x":"d"}]`)
	m := b.merge(f, d)
	undone, err := b.rollback(d, m.Played[0].ID, storage.Stack)
	if err != nil {
		t.Fatal(err)
	}
	b.want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	if _, err := b.rollback(d, m.Commit.ID, storage.Stack); err == nil {
		t.Error("a merge was rolled back though one of its commits is undone")
	}
	if _, err := b.rollback(d, undone.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	last, err := b.rollback(d, m.Commit.ID, storage.Stack)
	if err != nil {
		t.Fatal(err)
	}
	b.want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`)
	if _, err := b.rollback(d, last.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.want(d, "head", `{"id":1,"x":"A"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	b.since(f)
	b.sound()
}

func TestColumnsThatCameOnBothSidesAreOne(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	b.json(f, catalog.Upsert, `[{"id":1,"y":1.5}]`)
	b.json(f, catalog.Append, `[{"id":4,"x":"d","y":2}]`)
	b.json(d, catalog.Append, `[{"id":5,"x":"e","y":3}]`)
	b.merge(f, d)
	want := []string{`{"id":1,"x":"a","y":1.5}`, `{"id":2,"x":"b","y":null}`, `{"id":3,"x":"c","y":null}`,
		`{"id":4,"x":"d","y":2.0}`, `{"id":5,"x":"e","y":3.0}`}
	b.want(d, "head", want...)
	b.merge(d, f)
	b.want(f, "head", want...)
	b.sound()
}

func TestColumnsOfOneNameAndOtherTypesConflict(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	b.json(f, catalog.Append, `[{"id":4,"y":"text"}]`)
	b.json(d, catalog.Append, `[{"id":5,"y":{"a":1}}]`)
	out, _ := b.conflicts(f, d, storage.Merge{Autorollback: true})
	if out.Conflicts[0].Variable != "y" {
		t.Errorf("%+v", out.Conflicts)
	}
	b.sound()
}

func TestUpstreamColumnsKeepTheirValues(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	b.json(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	b.json(d, catalog.Upsert, `[{"id":1,"note":"kept"},{"id":2,"note":"too"}]`)
	b.merge(f, d)
	b.want(d, "head", `{"id":1,"x":"A","note":"kept"}`, `{"id":2,"x":"b","note":"too"}`, `{"id":3,"x":"c","note":null}`)
	b.sound()
}

func TestAppendsToNumberedDatasetsNeverConflict(t *testing.T) {
	b := open(t)
	d, f := b.pair()
	for i := range 3 {
		b.json(f, catalog.Append, fmt.Sprintf(`[{"id":%d,"x":"f"}]`, i))
		b.json(d, catalog.Append, fmt.Sprintf(`[{"id":%d,"x":"d"}]`, i))
	}
	before := b.diskBytes()
	b.merge(f, d)
	b.merge(d, f)
	if n := b.diskBytes() - before; n != 0 {
		t.Errorf("the merges wrote %d bytes", n)
	}
	if a, c := b.rows(d, "head", false), b.rows(f, "head", false); !slices.Equal(a, c) || len(a) != 9 {
		t.Errorf("%v\n%v", a, c)
	}
	b.sound()
}

func TestRevertTakesLaterSavepointsOffTheListAndRollbackBringsThemBack(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d, _ := b.pair("id")
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
	if p := b.savepoint(d, storage.NewSavepoint{Description: "again", Automatic: true},
		false); p.Description != "initial import" {
		t.Errorf("%+v", p)
	}
	b.json(d, catalog.Append, `[{"id":4,"x":"d"}]`)
	b.savepoint(d, storage.NewSavepoint{Description: "with d"}, true)
	b.json(d, catalog.Append, `[{"id":5,"x":"e"}]`)
	b.savepoint(d, storage.NewSavepoint{Description: "with e"}, true)
	c, err := b.Revert(ctx, d, "master__000000", storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	b.want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`)
	if got := names(); !slices.Equal(got, []string{"initial import"}) {
		t.Error(got)
	}
	b.savepoint(d, storage.NewSavepoint{}, false) // nothing changed since the revert
	if _, err := b.FindSavepoint(ctx, d, "master__000002"); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	b.loseCatalog()
	if got := names(); len(got) != 1 {
		t.Error(got)
	}
	if _, err := b.rollback(d, c.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names(), ", "); got != "with e, with d, initial import" {
		t.Error(got)
	}
	b.sound()
}

// A conflict shows records as reading shows them: numbers that JSON has no word for are null, and JSON is whole.
func TestConflictsShowRecordsAsJSON(t *testing.T) {
	b := open(t)
	d := b.create("up", "id")
	b.put(d, catalog.Append, intake.CSV, "id,x,at,j\n1,0.5,2026-01-31T10:00:00,\n")
	if _, _, err := b.CreateVariable(context.Background(), d,
		storage.NewVariable{Name: "whole", Type: "JSON",
			Values: []json.RawMessage{json.RawMessage(`{"n":12345678901234567890123}`)}}, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	f := b.fork(d, "fork", "head")
	b.put(f, catalog.Upsert, intake.CSV, "id,x\n1,inf\n")
	b.put(d, catalog.Upsert, intake.CSV, "id,x\n1,nan\n")
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
	d, f := b.pair("id")
	b.json(d, catalog.Upsert, `[{"id":1,"x":"b"},{"id":2,"x":"B"}]`)
	b.json(f, catalog.Upsert, `[{"id":1,"x":"b"},{"id":2,"x":"B"}]`)
	b.json(f, catalog.Upsert, `[{"id":1,"x":"c"}]`)
	b.json(f, catalog.Delete, `[{"id":2}]`)
	b.merge(f, d)
	b.merge(d, f)
	for _, of := range []string{d, f} {
		b.want(of, "head", `{"id":1,"x":"c"}`, `{"id":3,"x":"c"}`)
	}
	b.since(f)
	b.upstream(f)
	b.sound()
}

// NaN is one key like any other.
func TestANaNKeyIsFound(t *testing.T) {
	b := open(t)
	d := b.create("d", "k")
	b.put(d, catalog.Append, intake.CSV, "k,v\n0.5,1\nnan,1\n1e300,1\n")
	for _, mode := range []catalog.Mode{catalog.Upsert, catalog.Overwrite} {
		c := b.put(d, mode, intake.CSV, "k,v\nnan,"+map[catalog.Mode]string{catalog.Upsert: "2",
			catalog.Overwrite: "3"}[mode]+"\n")
		if c.Modified != 1 || c.Added != 0 {
			t.Errorf("%s: +%d ~%d", mode, c.Added, c.Modified)
		}
	}
	f := b.fork(d, "f", "head")
	b.put(f, catalog.Upsert, intake.CSV, "k,v\nnan,4\n")
	b.put(d, catalog.Upsert, intake.CSV, "k,v\n0.5,4\n")
	b.merge(f, d)
	if c := b.put(d, catalog.Delete, intake.CSV, "k\nnan\n"); c.Removed != 1 {
		t.Errorf("-%d", c.Removed)
	}
	b.sound()
}
