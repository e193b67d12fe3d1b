package snapshot

import (
	"cmp"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
)

// A compacted file holds the rows of several files, its sources, each with the place where it lies (_file, _pos). It
// stands in for them wherever a snapshot or a difference reads two or more of them: rows of other sources are left out
// by _file, or, in one of rollback files, by _end. Which files are live, what two states share and what a commit did
// are not affected: compaction only changes what is opened.

// Compacted is the compacted files of a fork family. It is immutable.
type Compacted struct {
	bySource map[int64][]*catalog.Compacted
	usable   func(*catalog.Compacted) bool
}

// NewCompacted returns the compacted files of a family. usable reports whether one can be read now. What holds a source
// twice is left out: former programs could make such files of rollback files. Upkeep makes others in their place.
func NewCompacted(list []*catalog.Compacted, usable func(*catalog.Compacted) bool) *Compacted {
	out := &Compacted{bySource: map[int64][]*catalog.Compacted{}, usable: usable}
	for _, c := range list {
		if isDoubled(c.Sources) {
			continue
		}
		for _, id := range c.Sources {
			out.bySource[id] = append(out.bySource[id], c)
		}
	}
	return out
}

// isDoubled reports whether ids, which are in order, have one twice.
func isDoubled(ids []int64) bool {
	for i := 1; i < len(ids); i++ {
		if ids[i] == ids[i-1] {
			return true
		}
	}
	return false
}

// of returns the compacted files that hold the rows of a file.
func (c *Compacted) of(f *catalog.File) []*catalog.Compacted {
	if c == nil {
		return nil
	}
	return c.bySource[f.ID]
}

// Substitute has the snapshot read compacted files in place of its own where that opens fewer. nil: it reads its own.
func (s *Snapshot) Substitute(c *Compacted) { s.compacted = c }

// AsWritten returns the snapshot reading its own files only: the truth that compacted files are made of.
func (s *Snapshot) AsWritten() *Snapshot {
	out := *s
	out.compacted = nil
	return &out
}

// covers chooses the compacted files to read in place of files, by the id of the file: those that hold most of them
// first. Each file is read from one.
func (s *Snapshot) covers(files []*catalog.File) map[int64]*catalog.Compacted {
	held := map[*catalog.Compacted][]*catalog.File{}
	for _, f := range files {
		for _, c := range s.compacted.of(f) {
			held[c] = append(held[c], f)
		}
	}
	order := make([]*catalog.Compacted, 0, len(held))
	for c := range held {
		order = append(order, c)
	}
	slices.SortFunc(order, func(a, b *catalog.Compacted) int {
		return cmp.Or(cmp.Compare(len(held[b]), len(held[a])), cmp.Compare(b.ID, a.ID))
	})
	out := map[int64]*catalog.Compacted{}
	for _, c := range order {
		open := filter(held[c], func(f *catalog.File) bool { return out[f.ID] == nil })
		if isWorthwhile(c, open) && s.hasAll(c.Without) && s.compacted.usable(c) {
			for _, f := range open {
				out[f.ID] = c
			}
		}
	}
	return out
}

// wasteful is how many times the rows that are wanted a compacted file may have, beyond those of a small file.
const wasteful = 16

// isWorthwhile reports whether reading files from a compacted one saves anything.
func isWorthwhile(c *catalog.Compacted, files []*catalog.File) bool {
	var rows int64
	for _, f := range files {
		rows += f.Rows
	}
	return (len(files) > 1 || len(c.Without) > 0 && len(files) > 0) && c.Rows <= smallFile+wasteful*rows
}

// hasAll reports whether all of these rollback files are live in the state.
func (s *Snapshot) hasAll(ids []int64) bool {
	if len(ids) == 0 {
		return true
	}
	live := make(map[int64]bool, len(s.Rollbacks))
	for _, r := range s.inState() {
		live[r.ID] = true
	}
	return !slices.ContainsFunc(ids, func(id int64) bool { return !live[id] })
}

// inState returns the rollback files of the whole state, of which the snapshot may have only some (Within).
func (s *Snapshot) inState() []*catalog.File {
	if s.whole != nil {
		return s.whole.Rollbacks
	}
	return s.Rollbacks
}
