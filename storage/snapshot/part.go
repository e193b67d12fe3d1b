package snapshot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

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
// may be among them. Each file is in one part: two compacted files may both hold it.
func (s *Snapshot) positionParts(files []*catalog.File) []Part {
	parts, taken := s.rollbackParts(files), map[int64]bool{}
	for _, p := range parts {
		for _, f := range p.Holds {
			taken[f.ID] = true
		}
	}
	for i, p := range parts {
		if p.isWhole() {
			continue
		}
		more := map[int64]bool{}
		for _, id := range p.Compacted.Sources {
			more[id] = !taken[id]
			taken[id] = true
		}
		for _, f := range p.Holds {
			more[f.ID] = true
		}
		parts[i].Holds = filter(s.inState(), func(f *catalog.File) bool { return more[f.ID] })
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

// Dead returns the SQL of the numbers of the rows in a compacted part's file that the state does not have: they are of
// other files than those that the part holds, or displaced. It is empty if there are none.
func (s *Snapshot) Dead(p Part) string {
	rollbacks := p.displacersOf(s.displacers())
	if p.isWhole() && len(rollbacks) == 0 {
		return ""
	}
	parts := duck.Parts{"files": s.readNumbered([]*catalog.File{p.File}), "held": p.condition("s." + schema.FileColumn)}
	if len(rollbacks) == 0 {
		return duck.Fill(otherRows, parts)
	}
	parts["positions"] = s.positions(s.positionParts(rollbacks), 0)
	return duck.Fill(otherRows+" UNION ALL "+displacedRowsOf, parts)
}

const (
	otherRows       = `SELECT s.file_row_number FROM {files} s WHERE NOT ({held})`
	displacedRowsOf = `SELECT s.file_row_number FROM {files} s
		SEMI JOIN ({positions}) d ON s._file = d._file AND s._pos = d._pos WHERE {held}`
)
