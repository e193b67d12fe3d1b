package storage_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// clashing is sides that differ in each of the ways in which records conflict, and in one that is no conflict.
func (b *bench) clashing(g catalog.Granularity) (d, f string) {
	b.Helper()
	d, f = b.sides(g)
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"theirs","y":10},{"id":2,"x":"theirs"},{"id":4,"x":"theirs","y":4}]`)
	b.JSON(f, catalog.Delete, `[{"id":3}]`)
	b.JSON(d, catalog.Upsert, `[{"id":1,"x":"ours"},{"id":3,"x":"ours"},{"id":4,"x":"ours"}]`)
	b.JSON(d, catalog.Delete, `[{"id":2}]`)
	return d, f
}

func TestAConflictShowsWhatEachSideWouldGive(t *testing.T) {
	b := open(t)
	d, f := b.clashing("")
	out, _ := b.conflicts(f, d, storage.Merge{Autorollback: true})
	var got []string
	for _, c := range out.Conflicts {
		for _, r := range c.Records {
			got = append(got, storagetest.ToJSON(r.Key)+" "+storagetest.ToJSON(r.Cells))
		}
	}
	want := []string{
		`{"id":1} [{"column":"x","base":"a","ours":"ours","theirs":"theirs"}]`,
		`{"id":2} [{"column":"x","base":"b","ours":null,"theirs":"theirs"}]`,
		`{"id":4} [{"column":"x","base":null,"ours":"ours","theirs":"theirs"}]`,
		`{"id":3} [{"column":"x","base":"c","ours":"ours","theirs":null}]`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestConflictsAreDecidedAsAsked(t *testing.T) {
	two := map[string]json.RawMessage{"id": json.RawMessage("2")}
	but2 := []storage.Resolution{{Key: two, Take: storage.Theirs}}
	for name, c := range map[string]struct {
		g    catalog.Granularity
		m    storage.Merge
		want []string
	}{
		"ours by column": {catalog.ByColumn, storage.Merge{OnConflict: storage.Ours}, []string{
			`{"id":1,"x":"ours","y":10}`, `{"id":3,"x":"ours","y":3}`, `{"id":4,"x":"ours","y":4}`,
		}},
		"theirs by column": {catalog.ByColumn, storage.Merge{OnConflict: storage.Theirs}, []string{
			`{"id":1,"x":"theirs","y":10}`, `{"id":2,"x":"theirs","y":2}`, `{"id":4,"x":"theirs","y":4}`,
		}},
		"ours by row": {catalog.ByRow, storage.Merge{OnConflict: storage.Ours}, []string{
			`{"id":1,"x":"ours","y":1}`, `{"id":3,"x":"ours","y":3}`, `{"id":4,"x":"ours","y":null}`,
		}},
		"theirs by row": {catalog.ByRow, storage.Merge{OnConflict: storage.Theirs}, []string{
			`{"id":1,"x":"theirs","y":10}`, `{"id":2,"x":"theirs","y":2}`, `{"id":4,"x":"theirs","y":4}`,
		}},
		"ours but for one": {catalog.ByColumn, storage.Merge{OnConflict: storage.Ours, Resolve: but2}, []string{
			`{"id":1,"x":"ours","y":10}`, `{"id":2,"x":"theirs","y":2}`, `{"id":3,"x":"ours","y":3}`,
			`{"id":4,"x":"ours","y":4}`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			d, f := b.clashing(c.g)
			before := b.Rows(d, "head", true)
			dry := c.m
			dry.DryRun = true
			if would := b.MergeWith(f, d, dry); would.Decided != 4 || len(would.Conflicts) != 0 || len(would.Played) != 2 {
				t.Errorf("%+v", would)
			}
			m := b.MergeWith(f, d, c.m)
			if m.Decided != 4 {
				t.Errorf("%d conflicts were decided", m.Decided)
			}
			b.Want(d, "head", c.want...)
			if again := b.MakeMerge(f, d); again.Commit.ID != 0 {
				t.Errorf("%+v", again)
			}
			b.since(f)
			b.Sound()
			if _, err := b.TryRollback(d, m.Commit.ID, storage.Stack); err != nil {
				t.Fatal(err)
			}
			if after := b.Rows(d, "head", true); !slices.Equal(before, after) {
				t.Errorf("%v, before %v", after, before)
			}
			b.Sound()
		})
	}
}

func TestOneActionsConflictsAreDecided(t *testing.T) {
	b := open(t)
	d, f := b.sides("")
	one := b.JSON(f, catalog.Upsert, `[{"id":1,"x":"theirs"}]`)
	two := b.JSON(f, catalog.Upsert, `[{"id":2,"x":"theirs"}]`)
	b.JSON(d, catalog.Upsert, `[{"id":1,"x":"ours"},{"id":2,"x":"ours"}]`)
	take := []storage.Resolution{{Hash: one.Hash, Take: storage.Theirs}}
	out, _ := b.conflicts(f, d, storage.Merge{Autorollback: true, Resolve: take})
	if len(out.Conflicts) != 1 || out.Conflicts[0].Action.Hash != two.Hash {
		t.Errorf("%+v", out.Conflicts)
	}
	b.MergeWith(f, d, storage.Merge{Resolve: append(take, storage.Resolution{Hash: two.Hash, Take: storage.Ours})})
	b.Want(d, "head", `{"id":1,"x":"theirs","y":1}`, `{"id":2,"x":"ours","y":2}`, `{"id":3,"x":"c","y":3}`)
	b.Sound()
}

func TestResolutionsThatMakeNoSenseAreRefused(t *testing.T) {
	b := open(t)
	d, f := b.clashing("")
	resolve := func(r storage.Resolution) storage.Merge {
		return storage.Merge{Source: f, Resolve: []storage.Resolution{r}}
	}
	b.refusedMerge("invalid_field", d, storage.Merge{Source: f, OnConflict: "mine"})
	one := map[string]json.RawMessage{"id": json.RawMessage("1")}
	b.refusedMerge("invalid_field", d, resolve(storage.Resolution{Key: one}))
	b.refusedMerge("empty_resolution", d, resolve(storage.Resolution{Take: storage.Ours}))
	b.refusedMerge("unknown_hash", d, resolve(storage.Resolution{Hash: "no", Take: storage.Ours}))
	for _, text := range []string{`{"x":"a"}`, `{"id":1,"x":"a"}`, `{"id":null}`, `{"id":"one"}`, `{}`} {
		var key map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &key); err != nil {
			t.Fatal(err)
		}
		b.refusedMerge("invalid_key", d, resolve(storage.Resolution{Key: key, Take: storage.Ours}))
	}
}

func TestAVariableThatBothSidesChangedIsDecided(t *testing.T) {
	for take, want := range map[storage.Take]string{storage.Ours: "here", storage.Theirs: "there"} {
		b := open(t)
		d, f := b.sides("")
		b.rename(f, "x", "there")
		b.rename(d, "x", "here")
		b.conflicts(f, d, storage.Merge{Autorollback: true})
		b.MergeWith(f, d, storage.Merge{OnConflict: take})
		b.Want(d, "head", fmt.Sprintf(`{"id":1,"%s":"a","y":1}`, want), fmt.Sprintf(`{"id":2,"%s":"b","y":2}`, want),
			fmt.Sprintf(`{"id":3,"%s":"c","y":3}`, want))
		b.Sound()
	}
}
