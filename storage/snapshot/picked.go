package snapshot

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/schema"
)

// Found is a live row of a snapshot: where it is read, and the place that it has in the snapshot's own files.
type Found struct {
	Part   Part
	Row    int64 // its number in the part
	Place  Place
	Key    int    // which of the keys that were sought it has
	Values string // the columns of the part, by name, as a select list that reads no file; empty: read it from the part

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
	for _, r := range s.picked {
		parts := duck.Parts{
			"columns": list(s.SchemaOf(r.Part.File)), "place": "", "values": r.Values, "row": r.Row,
		}
		if place {
			parts["place"] = placeOf(r.Place)
		}
		sql := scanValues
		if r.Values == "" {
			sql, parts["files"] = scanRow, s.readNumbered([]*catalog.File{r.Part.File})
		}
		scans = append(scans, duck.Fill(sql, parts))
	}
	return scans
}

// placeOf selects the place of a row.
func placeOf(p Place) string {
	return ", " + duck.Int(p.File) + " AS _file, " + duck.Int(p.Row) + " AS _pos"
}

const (
	scanValues = `SELECT {columns}{place} FROM (SELECT {values}) s`
	scanRow    = `SELECT {columns}{place} FROM {files} s WHERE s.file_row_number = {row}`
)

// pickedFiles returns the files that picked rows are read from.
func (s *Snapshot) pickedFiles() (files []*catalog.File) {
	for _, r := range s.picked {
		if r.Values == "" {
			files = append(files, r.Part.File)
		}
	}
	return distinct(files)
}

// Displacers returns what is read to learn which rows of a part are displaced: parts of rollback files, of which only
// the rows of the files that they hold count.
func (s *Snapshot) Displacers(p Part) []Part { return s.rollbackParts(p.displacersOf(s.displacers())) }
