package storage

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// wideSnapshot is a state with one file of n columns, of which some rows are displaced.
func wideSnapshot(n int) *snapshot.Snapshot {
	var s schema.Schema
	s.Key = []int{1}
	for id := 1; id <= n; id++ {
		s.Columns = append(s.Columns, schema.Column{ID: id, Name: fmt.Sprint("name", id), Type: schema.Of(schema.Bigint)})
	}
	out := emptySnapshot(s)
	out.Schemas = map[string]schema.Schema{"s": s}
	out.Data = []*catalog.File{{ID: 1, SchemaID: "s", Kind: schema.Data}}
	out.Rollbacks = []*catalog.File{{ID: 2, SchemaID: "s", Kind: schema.Rollback, Targets: map[int64]int64{1: 1}}}
	return out
}

func emptySnapshot(s schema.Schema) *snapshot.Snapshot {
	return snapshot.New(snapshot.State{Schema: s}, func(f *catalog.File) string { return fmt.Sprintf("%d.parquet", f.ID) })
}

// The statements for all slices together name each column a few times, however many columns there are.
func TestSlicesNameEachColumnAsOftenInWideRecords(t *testing.T) {
	perColumn := func(n int) float64 {
		s, bytes := wideSnapshot(n), 0
		d, in := draftOn(s), &incoming{kept: &keptTable{}}
		all := snapshot.Diff(emptySnapshot(s.Schema), s)
		for _, columns := range snapshot.InSlices(s.Schema.Stored()) {
			if len(columns) > snapshot.SliceColumns {
				t.Fatalf("a slice of %d columns has %d", n, len(columns))
			}
			bytes += len(s.Narrow(columns).Rows(true)) + len(all.Narrow(columns).SideB()) + len(all.Narrow(columns).Joined())
			rows, differs := d.changes(in, s, columns)
			bytes += len(rows) + len(differs) + len(d.recordsAfter(1)(columns)) + len(recordsBefore(columns))
			bytes += len(d.given(columns[0], columns)) + len(s.EveryValue(columns...))
		}
		return float64(bytes) / float64(n)
	}
	if narrow, wide := perColumn(snapshot.SliceColumns), perColumn(12*snapshot.SliceColumns); wide > 1.5*narrow {
		t.Errorf("the statements have %.0f bytes for each of %d columns, and %.0f for each of %d", narrow,
			snapshot.SliceColumns, wide, 12*snapshot.SliceColumns)
	}
}

// A column of a file is named once for each scan: what reads, casts and names it is one layer.
func TestAVersionIsReadInOneLayer(t *testing.T) {
	s := wideSnapshot(3)
	d := snapshot.Diff(emptySnapshot(s.Schema), s)
	for of, sql := range map[string]string{"rows": s.Rows(false), "rows with their places": s.Rows(true),
		"a side": d.SideB()} {
		if n := strings.Count(sql, "SELECT"); n != 2 { // the rows, and the positions of those that are not live
			t.Errorf("%s are read in %d layers: %s", of, n-1, sql)
		}
	}
	if n := strings.Count(d.Joined(), "SELECT"); n != 4 {
		t.Errorf("both sides are joined in %d layers: %s", n-3, d.Joined())
	}
}

// A condition on wide records is evaluated on a view of the columns that it names, with what these are derived from, and
// on all of them only where it may mean any.
func TestAConditionReadsTheColumnsThatItNames(t *testing.T) {
	s := wideSnapshot(5000)
	s.Schema.Columns[9].Derivation = `"c20" + "c21"`
	for _, c := range []struct {
		condition clientsql.Condition
		columns   int // the key among them
	}{
		{clientsql.Condition{}, 1},
		{clientsql.Condition{Names: [][]string{{"name7"}, {"NAME7"}, {"records", "name8"}, {"name9", "field"}}}, 4},
		{clientsql.Condition{Names: [][]string{{"name10"}, {"_commit"}}}, 4},
		{clientsql.Condition{Names: [][]string{{"name7"}, {"nothing"}}}, 5000},
		{clientsql.Condition{Names: [][]string{{"name7"}, {"records"}}}, 5000},
		{clientsql.Condition{Names: [][]string{{"name7"}}, All: true}, 5000},
	} {
		if n := len((Wanted{Snapshot: s}).narrowed(c.condition).Schema.Columns); n != c.columns {
			t.Errorf("%+v: %d columns, not %d", c.condition, n, c.columns)
		}
	}
}
