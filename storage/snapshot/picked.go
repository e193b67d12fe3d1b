package snapshot

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// Found is a live row of a snapshot: where it is read, and the place that it has in the snapshot's own files.
type Found struct {
	Part  Part
	Row   int64 // its number in the part
	Place Place
	Key   int // which of the keys that were sought it has

	// Values are the columns of the part by field id, each as an item of a select list that reads no file; nil: they have
	// to be read from the part.
	Values map[int]string

	// Record is its values by field id, each an array of one, in the types of the part; nil: as with Values.
	Record map[int]arrow.Array
}

// Picked returns the snapshot with only some of its rows, which were found to be live. Reading it opens the files of
// these rows only, and of them only the row groups.
func (s *Snapshot) Picked(rows []Found) *Snapshot {
	part := *s
	if part.whole == nil {
		part.whole = s
	}
	part.isPicked, part.picked = true, rows
	part.Rollbacks, part.Data = nil, nil
	for _, f := range s.Data {
		if slices.ContainsFunc(rows, func(r Found) bool { return r.Place.File == f.ID }) {
			part.Data = append(part.Data, f)
		}
	}
	return &part
}

// Found returns the rows of the snapshot where they are known; ok is false where they have to be read.
func (s *Snapshot) Found() (rows []Found, ok bool) { return s.picked, s.isPicked || len(s.Data) == 0 }

// pickedScans is scans for picked rows.
func (s *Snapshot) pickedScans(place bool, list func(fs schema.Schema) string) (scans []string) {
	for _, group := range s.readTogether() {
		first := group[0]
		parts := duck.Parts{"columns": list(s.SchemaOf(first.Part.File)), "place": "", "row": first.Row}
		if place {
			parts["place"] = placeOf(first.Place)
		}
		switch {
		case len(group) > 1:
			scans = append(scans, s.scanRows(group, place, parts))
		case first.Values != nil:
			parts["values"] = s.valuesOf(first)
			scans = append(scans, duck.Fill(scanValues, parts))
		default:
			parts["files"] = s.readPart(first.Part)
			scans = append(scans, duck.Fill(scanRow, parts))
		}
	}
	return scans
}

// valuesOf returns the select list of the values of a row that the snapshot has columns for.
func (s *Snapshot) valuesOf(r Found) string {
	var list []string
	for _, c := range append(s.Schema.Stored(), schema.Column{ID: schema.CommitID}) {
		if value, ok := r.Values[c.ID]; ok {
			list = append(list, value)
		}
	}
	return strings.Join(list, ", ")
}

// mostListed is how many values of rows are put into a statement. A plain scan takes about as long for a value of a
// block of 2,048 rows as the parser for one that is written out.
const mostListed = 1000

// readTogether groups the picked rows by the scan that reads them: the rows of a file that would make a long statement,
// and make up enough of the file to read it, have one scan.
func (s *Snapshot) readTogether() (groups [][]Found) {
	of := map[int64][]Found{}
	for _, r := range s.picked {
		of[r.Part.ID] = append(of[r.Part.ID], r)
	}
	columns := int64(len(s.Schema.Stored()))
	for _, r := range s.picked {
		rows := of[r.Part.ID]
		n := int64(len(rows))
		switch {
		case n < 2 || n*columns <= mostListed || r.Part.Rows > n*2048:
			groups = append(groups, []Found{r})
		case rows[0].Row == r.Row:
			groups = append(groups, rows)
		}
	}
	return groups
}

// scanRows returns the SQL that reads rows of one file.
func (s *Snapshot) scanRows(rows []Found, place bool, parts duck.Parts) string {
	part, numbers := rows[0].Part, make([]string, len(rows))
	for i, r := range rows {
		numbers[i] = duck.Int(r.Row)
	}
	if place && part.Compacted == nil {
		parts["place"] = ", " + duck.Int(part.ID) + " AS _file, s.file_row_number AS _pos"
	} else if place {
		parts["place"] = ", s._file, s._pos"
	}
	parts["files"], parts["rows"] = s.readPart(part), strings.Join(numbers, ", ")
	return duck.Fill(scanRows, parts)
}

// readPart returns the SQL of a scan of a part with row numbers.
func (s *Snapshot) readPart(p Part) string {
	if p.Compacted != nil {
		return s.readNumbered([]*catalog.File{p.File})
	}
	return s.read([]*catalog.File{p.File}, true)
}

// placeOf selects the place of a row.
func placeOf(p Place) string {
	return ", " + duck.Int(p.File) + " AS _file, " + duck.Int(p.Row) + " AS _pos"
}

const (
	scanValues = `SELECT {columns}{place} FROM (SELECT {values}) s`
	scanRow    = `SELECT {columns}{place} FROM {files} s WHERE s.file_row_number = {row}`
	scanRows   = `SELECT {columns}{place} FROM {files} s WHERE s.file_row_number IN ({rows})`
)

// pickedFiles returns the files that picked rows are read from.
func (s *Snapshot) pickedFiles() (files []*catalog.File) {
	for _, group := range s.readTogether() {
		if len(group) > 1 || group[0].Values == nil {
			files = append(files, group[0].Part.File)
		}
	}
	return distinct(files)
}

// Displacers returns what is read to learn which rows of a part are displaced: parts of rollback files, of which only
// the rows of the files that they hold count.
func (s *Snapshot) Displacers(p Part) []Part { return s.rollbackParts(p.displacersOf(s.displacers())) }
