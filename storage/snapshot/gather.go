package snapshot

import (
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// What compaction asks of a state: what is opened to read it, what of that is worn, and its rows as a compacted file
// has them.

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
