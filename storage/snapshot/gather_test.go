package snapshot_test

import (
	"slices"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Two compacted files hold the same rollback file, and neither is read whole: what is gathered has its rows once.
func TestARollbackFileIsGatheredOnce(t *testing.T) {
	s := snapshot.New(snapshot.State{}, func(f *catalog.File) string { return f.Key })
	s.Data = []*catalog.File{{ID: 1, Rows: 100, SchemaID: "a"}, {ID: 2, Rows: 2, SchemaID: "a"}}
	for id, target := range map[int64]int64{29: 1, 31: 1, 33: 1, 35: 2, 37: 1, 39: 1, 41: 1, 43: 2} {
		rows := int64(1)
		if target == 2 { // nothing of the second file is live, so what displaced it is not needed
			rows = 2
		}
		s.Rollbacks = append(s.Rollbacks, &catalog.File{
			ID: id, Kind: schema.Rollback, Rows: rows, SchemaID: "a", Targets: map[int64]int64{target: rows},
		})
	}
	slices.SortFunc(s.Rollbacks, func(f, g *catalog.File) int { return int(f.ID - g.ID) })
	s.Substitute(snapshot.NewCompacted([]*catalog.Compacted{
		{File: catalog.File{ID: 1, Rows: 4}, Sources: []int64{29, 31, 33, 35}},
		{File: catalog.File{ID: 2, Rows: 5}, Sources: []int64{33, 37, 39, 41, 43}},
	}, func(*catalog.Compacted) bool { return true }))
	seen := map[int64]int{}
	for _, p := range s.RollbackParts() {
		for _, f := range p.Holds {
			seen[f.ID]++
		}
	}
	for _, f := range s.Rollbacks {
		if seen[f.ID] > 1 || seen[f.ID] == 0 && f.Targets[1] > 0 {
			t.Errorf("rollback file %d is in %d parts", f.ID, seen[f.ID])
		}
	}
}

// A compacted file that has a source twice is not read.
func TestACompactedFileWithASourceTwiceIsNotRead(t *testing.T) {
	s := snapshot.New(snapshot.State{}, func(f *catalog.File) string { return f.Key })
	s.Data = []*catalog.File{{ID: 1, Rows: 1, SchemaID: "a"}, {ID: 2, Rows: 1, SchemaID: "a"}}
	s.Substitute(snapshot.NewCompacted([]*catalog.Compacted{
		{File: catalog.File{ID: 9, Rows: 3}, Sources: []int64{1, 2, 2}},
	}, func(*catalog.Compacted) bool { return true }))
	for _, p := range s.DataParts() {
		if p.Compacted != nil {
			t.Errorf("file %d is read", p.Compacted.ID)
		}
	}
}
