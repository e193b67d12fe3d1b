package storage

import (
	"fmt"
	"testing"

	"rowback/storage/catalog"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
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
		all := snapshot.Diff(emptySnapshot(s.Schema), s)
		for _, columns := range snapshot.InSlices(s.Schema.Stored()) {
			if len(columns) > snapshot.SliceColumns {
				t.Fatalf("a slice of %d columns has %d", n, len(columns))
			}
			bytes += len(s.Narrow(columns).Rows(true)) + len(all.Narrow(columns).SideB())
		}
		return float64(bytes) / float64(n)
	}
	if narrow, wide := perColumn(snapshot.SliceColumns), perColumn(12*snapshot.SliceColumns); wide > 1.5*narrow {
		t.Errorf("the statements have %.0f bytes for each of %d columns, and %.0f for each of %d", narrow, snapshot.SliceColumns, wide, 12*snapshot.SliceColumns)
	}
}
