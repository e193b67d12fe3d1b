package storage

import (
	"cmp"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// CompactionPolicy is when files are compacted. Zeros are replaced by the defaults.
type CompactionPolicy struct {
	// Fan is how many files of about the same size become one, and how many times as large the next size is. So a row
	// is written again log(rows) times, and a state opens fewer files of each size than this.
	Fan int // 0: 16
	// LeastWorn is the rows of the smallest file whose live rows get a file of their own: smaller ones cost the same
	// however few of them are live.
	LeastWorn int64 // 0: 256
}

func (p CompactionPolicy) filled() CompactionPolicy {
	return CompactionPolicy{Fan: cmp.Or(p.Fan, 16), LeastWorn: cmp.Or(p.LeastWorn, 256)}
}

// Bounds of one run.
const (
	compactMost = 2048      // files that are read
	compactRows = 1_000_000 // rows that are written, unless one file has more
)

// planner plans the compaction of a state.
type planner struct {
	*snapshot.Snapshot
	policy CompactionPolicy
	avoid  func(*catalog.File) bool // reports whether a file can't be read
}

// compaction is a compacted file that is to be made.
type compaction struct {
	kind    schema.Kind
	parts   []snapshot.Part
	sources []*catalog.File
	without []*catalog.File
	rows    int64 // that it will have
}

// bytes returns the size of the files that are read for it.
func (c compaction) bytes() (n int64) {
	for _, p := range c.parts {
		n += p.Bytes
	}
	return n
}

// plan returns the first compacted file that a state is to get; ok is false if it needs none.
func (p planner) plan() (c compaction, ok bool) {
	data := p.DataParts()
	if parts := p.run(p.stretches(data)); parts != nil {
		return compactionOf(p.Snapshot, schema.Compacted, parts), true
	}
	rollbacks := p.RollbackParts()
	// Positions have no order, so the rollback files of a schema need not be neighbours.
	slices.SortStableFunc(rollbacks, func(p, q snapshot.Part) int { return cmp.Compare(p.SchemaID, q.SchemaID) })
	if parts := p.run(p.stretches(rollbacks)); parts != nil {
		return compactionOf(p.Snapshot, schema.CompactedRollback, parts), true
	}
	return p.worn(data)
}

// stretches divides parts into runs of neighbours that can become one file: of one schema, and not too large. Files of
// very many columns are left alone: a statement that reads them all takes too long to plan.
func (p planner) stretches(parts []snapshot.Part) (out [][]snapshot.Part) {
	extends := false
	for _, part := range parts {
		if part.Rows >= compactRows || !p.canRead(part) {
			extends = false
			continue
		}
		if last := len(out) - 1; extends && out[last][0].SchemaID == part.SchemaID {
			out[last] = append(out[last], part)
		} else {
			out = append(out, []snapshot.Part{part})
		}
		extends = true
	}
	return out
}

// canRead reports whether a part can be read, and the rollback files whose rows it does not have: what is made of it
// leaves these rows out too.
func (p planner) canRead(part snapshot.Part) bool {
	return !p.avoid(part.File) && len(p.SchemaOf(part.File).Stored()) <= snapshot.SliceColumns &&
		!slices.ContainsFunc(leftOut(p.Snapshot, part), p.avoid)
}

// run finds parts that are to become one file, the smallest first; nil: there are none.
func (p planner) run(stretches [][]snapshot.Part) []snapshot.Part {
	fan := int64(p.policy.Fan)
	for size := fan; size <= compactRows*fan; size *= fan {
		for _, stretch := range stretches {
			if run := runBelow(stretch, size, fan); run != nil {
				return run
			}
		}
	}
	return nil
}

// runBelow finds fan neighbours or more of fewer rows than size each, which are enough to become a file of that size;
// nil: there are none.
func runBelow(parts []snapshot.Part, size, fan int64) []snapshot.Part {
	var run []snapshot.Part
	var rows int64
	enough := func() bool { return int64(len(run)) >= fan && (rows >= size || size == fan) }
	for _, p := range parts {
		fits := p.Rows < size
		if enough() && (!fits || len(run) >= compactMost || rows+p.Rows > compactRows) {
			return run
		}
		if !fits {
			run, rows = nil, 0
			continue
		}
		run, rows = append(run, p), rows+p.Rows
	}
	if !enough() {
		return nil
	}
	return run
}

// compactionOf makes one file of parts. Where most of its rows would be of files that have no live row any more, it
// does without these: it is for the states that are read most, the newest.
func compactionOf(s *snapshot.Snapshot, kind schema.Kind, parts []snapshot.Part) compaction {
	c := compaction{kind: kind, parts: parts}
	var dead int64
	gone := s.Gone()
	for _, p := range parts {
		c.sources = append(c.sources, p.Holds...)
		c.without = append(c.without, leftOut(s, p)...)
	}
	c.sources = distinct(c.sources) // were a file in two parts, the rows that are written would not be as many
	for _, f := range c.sources {
		c.rows += f.Rows
		if gone[f.ID] {
			dead += f.Rows
		}
	}
	if kind == schema.Compacted && dead > c.rows/2 {
		c.parts, c.sources, c.rows = nil, nil, c.rows-dead
		for _, p := range parts {
			p.Holds = slices.DeleteFunc(slices.Clone(p.Holds), func(f *catalog.File) bool { return gone[f.ID] })
			c.parts, c.sources = append(c.parts, p), append(c.sources, p.Holds...)
		}
	}
	return c.completed()
}

// distinct returns files in the order of their ids, each once.
func distinct(files []*catalog.File) []*catalog.File {
	slices.SortFunc(files, func(f, g *catalog.File) int { return cmp.Compare(f.ID, g.ID) })
	return slices.CompactFunc(files, func(f, g *catalog.File) bool { return f.ID == g.ID })
}

// leftOut returns the rollback files whose rows a part does not have.
func leftOut(s *snapshot.Snapshot, p snapshot.Part) []*catalog.File {
	if p.Compacted == nil || len(p.Compacted.Without) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Rollbacks), func(r *catalog.File) bool {
		_, ok := slices.BinarySearch(p.Compacted.Without, r.ID)
		return !ok
	})
}

// completed orders the sources and the rollback files, and subtracts the rows that are left out.
func (c compaction) completed() compaction {
	c.sources, c.without = distinct(c.sources), distinct(c.without)
	for _, r := range c.without {
		for _, f := range c.sources {
			c.rows -= r.Targets[f.ID]
		}
	}
	return c
}

// A file is worn when so many of its rows are displaced that reading the others from a file of their own is worth
// writing them again: a tenth of a large file, half of a small one.
const (
	wornSmall = 122_880 // rows, one row group
	wornPart  = 10
	wornOfFew = 2
	wornMost  = 10_000 // rollback files that displaced them
)

// worn finds a file that is worn, and leaves its live rows.
func (p planner) worn(parts []snapshot.Part) (c compaction, ok bool) {
	wear := p.Wear()
	for _, part := range parts {
		if part.Rows < p.policy.LeastWorn || !p.canRead(part) {
			continue
		}
		share := int64(wornPart)
		if part.Rows <= wornSmall {
			share = wornOfFew
		}
		displaced, by := wear(part)
		if displaced*share < part.Rows || len(by) > wornMost || slices.ContainsFunc(by, p.avoid) {
			continue
		}
		c = compaction{
			kind: schema.Compacted, parts: []snapshot.Part{part}, sources: slices.Clone(part.Holds),
			without: append(leftOut(p.Snapshot, part), by...),
		}
		for _, f := range c.sources {
			c.rows += f.Rows
		}
		return c.completed(), true
	}
	return c, false
}
