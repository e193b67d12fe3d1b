package snapshot

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/schema"
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

// NewCompacted returns the compacted files of a family. usable reports whether one can be read now.
func NewCompacted(list []*catalog.Compacted, usable func(*catalog.Compacted) bool) *Compacted {
	out := &Compacted{bySource: map[int64][]*catalog.Compacted{}, usable: usable}
	for _, c := range list {
		for _, id := range c.Sources {
			out.bySource[id] = append(out.bySource[id], c)
		}
	}
	return out
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

// Part is a file that is opened to read files of a snapshot: one of them, or a compacted one in place of several.
type Part struct {
	*catalog.File
	Compacted *catalog.Compacted // nil: the file is one of the snapshot's
	Holds     []*catalog.File    // the files of the snapshot whose rows are read from it
}

// isWhole reports whether all rows of the file are read.
func (p Part) isWhole() bool { return p.Compacted == nil || len(p.Holds) == len(p.Compacted.Sources) }

// condition returns the SQL that selects the rows to read, where these are not all. column is _file or _end.
func (p Part) condition(column string) string {
	if p.isWhole() {
		return "true"
	}
	ids := make([]int64, len(p.Holds))
	for i, f := range p.Holds {
		ids[i] = f.ID
	}
	slices.Sort(ids)
	first, _ := slices.BinarySearch(p.Compacted.Sources, ids[0])
	last, _ := slices.BinarySearch(p.Compacted.Sources, ids[len(ids)-1])
	if last-first == len(ids)-1 {
		return fmt.Sprintf("%s BETWEEN %d AND %d", column, ids[0], ids[len(ids)-1])
	}
	return "list_contains(" + duck.Ints(ids) + ", " + column + ")"
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

// DataParts returns what is opened to read the data files, in their order. Files without live rows are not opened for
// themselves.
func (s *Snapshot) DataParts() []Part { return s.dataParts(s.displacers()) }

func (s *Snapshot) dataParts(displacers map[int64][]*catalog.File) (parts []Part) {
	isLive := func(f *catalog.File) bool { return !isGone(f, displacers[f.ID]) }
	covers := s.covers(filter(s.Data, isLive))
	chosen := map[*catalog.Compacted]bool{}
	for _, c := range covers {
		chosen[c] = true
	}
	for _, f := range s.Data {
		c := covers[f.ID]
		if c == nil && !isLive(f) {
			// Where its rows are in a file that is read, subtracting them is cheaper than leaving out the file.
			i := slices.IndexFunc(s.compacted.of(f), func(c *catalog.Compacted) bool { return chosen[c] })
			if i < 0 {
				continue
			}
			c = s.compacted.of(f)[i]
		}
		parts = joined(parts, f, c)
	}
	return slices.DeleteFunc(parts, func(p Part) bool { return !slices.ContainsFunc(p.Holds, isLive) })
}

// joined appends a file to the parts: to the last of them, if that is read from the same compacted file.
func joined(parts []Part, f *catalog.File, c *catalog.Compacted) []Part {
	switch last := len(parts) - 1; {
	case c == nil:
		return append(parts, Part{File: f, Holds: []*catalog.File{f}})
	case last >= 0 && parts[last].Compacted == c:
		parts[last].Holds = append(parts[last].Holds, f)
		return parts
	}
	return append(parts, Part{File: &c.File, Compacted: c, Holds: []*catalog.File{f}})
}

// rollbackParts returns what is opened to read rollback files. All rows of exactly these are read.
func (s *Snapshot) rollbackParts(files []*catalog.File) (parts []Part) {
	covers := s.covers(files)
	at := map[*catalog.Compacted]int{}
	for _, f := range files {
		c := covers[f.ID]
		if i, ok := at[c]; ok && c != nil {
			parts[i].Holds = append(parts[i].Holds, f)
			continue
		}
		at[c] = len(parts)
		parts = joined(parts, f, c)
	}
	return parts
}

// positionParts is rollbackParts for positions that are subtracted: what other rollback files of the snapshot displaced
// may be among them.
func (s *Snapshot) positionParts(files []*catalog.File) []Part {
	parts := s.rollbackParts(files)
	for i, p := range parts {
		if p.isWhole() {
			continue
		}
		sources := map[int64]bool{}
		for _, id := range p.Compacted.Sources {
			sources[id] = true
		}
		parts[i].Holds = filter(s.inState(), func(f *catalog.File) bool { return sources[f.ID] })
	}
	return parts
}

// displacersOf returns the rollback files with positions that a scan of a part has to look up.
func (p Part) displacersOf(displacers map[int64][]*catalog.File) []*catalog.File {
	var out []*catalog.File
	seen := map[int64]bool{}
	if p.Compacted != nil {
		for _, id := range p.Compacted.Without {
			seen[id] = true
		}
	}
	for _, f := range p.Holds {
		for _, r := range displacers[f.ID] {
			if !seen[r.ID] {
				seen[r.ID] = true
				out = append(out, r)
			}
		}
	}
	return out
}

// positions returns the SQL of the positions in parts of rollback files: those in one data file only, if that is not 0.
func (s *Snapshot) positions(parts []Part, file int64) string {
	where := "true"
	if file != 0 {
		where = fmt.Sprintf("_file = %d", file)
	}
	var whole []*catalog.File
	var selects []string
	for _, p := range parts {
		if p.isWhole() {
			whole = append(whole, p.File)
			continue
		}
		selects = append(selects, duck.Fill(somePositions, duck.Parts{
			"files": s.ReadFiles([]*catalog.File{p.File}), "where": where + " AND " + p.condition(schema.EndColumn),
		}))
	}
	if len(whole) > 0 {
		selects = append(selects, duck.Fill(somePositions, duck.Parts{"files": s.ReadFiles(whole), "where": where}))
	}
	return strings.Join(selects, " UNION ALL ")
}

const somePositions = `SELECT _file, _pos FROM {files} WHERE {where}`

// RollbackParts returns what is opened to find the displaced positions.
func (s *Snapshot) RollbackParts() []Part {
	var needed []*catalog.File
	for _, b := range s.branches() {
		needed = append(needed, Without(b.rollbacks, needed)...)
	}
	slices.SortFunc(needed, byID)
	return s.positionParts(needed)
}

// Wear returns what counts how many rows that a part has are displaced, by which rollback files. Those that the part
// does not have do not count.
func (s *Snapshot) Wear() func(Part) (rows int64, by []*catalog.File) {
	displacers := s.displacers()
	return func(p Part) (rows int64, by []*catalog.File) {
		by = p.displacersOf(displacers)
		for _, r := range by {
			for _, f := range p.Holds {
				rows += r.Targets[f.ID]
			}
		}
		return rows, by
	}
}

// Gone returns the ids of the data files of which no row is live.
func (s *Snapshot) Gone() map[int64]bool {
	displacers, gone := s.displacers(), map[int64]bool{}
	for _, f := range s.Data {
		if isGone(f, displacers[f.ID]) {
			gone[f.ID] = true
		}
	}
	return gone
}

// Gathered returns the SQL of the rows of parts, which have one schema, as a compacted file of a kind has them: the
// columns of that schema, _commit, _file, _pos and perhaps _end, in the order of the parts. Rows that some rollback
// files displaced are left out.
func (s *Snapshot) Gathered(parts []Part, kind schema.Kind, without []*catalog.File) string {
	var scans []string
	for len(parts) > 0 {
		n := 1
		for n < len(parts) && parts[0].isWhole() && parts[n].isWhole() &&
			(parts[n].Compacted == nil) == (parts[0].Compacted == nil) {
			n++
		}
		scans, parts = append(scans, s.gatheredFrom(parts[:n], kind, without)), parts[n:]
	}
	return strings.Join(scans, "\nUNION ALL ")
}

// gatheredFrom is Gathered for parts that one scan can read.
func (s *Snapshot) gatheredFrom(parts []Part, kind schema.Kind, without []*catalog.File) string {
	files, list := filesOf(parts), ""
	for _, c := range s.SchemaOf(files[0]).Stored() {
		list += "s." + duck.Ident(c.Name) + ", "
	}
	column, place := schema.FileColumn, fileOf(files, "s.")+" AS _file, s.file_row_number AS _pos"
	switch compacted := parts[0].Compacted != nil; {
	case kind == schema.CompactedRollback && compacted:
		column, place = schema.EndColumn, "s._file, s._pos, s._end"
	case kind == schema.CompactedRollback:
		place = "s._file, s._pos, " + fileOf(files, "s.") + " AS _end"
	case compacted:
		place = "s._file, s._pos"
	}
	sql := duck.Fill(gather, duck.Parts{
		"columns": list + "s._commit, " + place, "files": s.readNumbered(files),
		"where": parts[0].condition("s." + column),
	})
	if len(without) > 0 {
		sql = duck.Fill(gatherWithout, duck.Parts{"rows": sql, "positions": s.positions(s.rollbackParts(without), 0)})
	}
	return sql
}

const (
	gather        = `SELECT {columns} FROM {files} s WHERE {where}`
	gatherWithout = `SELECT g.* FROM ({rows}) g ANTI JOIN ({positions}) d ON g._file = d._file AND g._pos = d._pos`
)

// PartsOf returns files as they are.
func PartsOf(files []*catalog.File) (parts []Part) {
	for _, f := range files {
		parts = joined(parts, f, nil)
	}
	return parts
}
