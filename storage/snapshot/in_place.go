package snapshot

import (
	"maps"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// A rollback file has a row as it was seen when it was displaced: without the columns that had been dropped by then,
// and in the types of that moment. A state that has such a column, since the drop was undone, must read the row where
// it lies.

// copiesFor divides rollback files that only another snapshot has into those whose copies a snapshot sees as it sees
// the rows themselves, with its columns as in own, and the others.
func (s *Snapshot) copiesFor(
	own schema.Schema, rollbacks []*catalog.File, other *Snapshot,
) (alike, others []*catalog.File) {
	view := *s
	view.Schema = own
	view.Schemas = maps.Clone(other.Schemas)
	maps.Copy(view.Schemas, s.Schemas)
	for _, r := range rollbacks {
		if view.heldAlike(r) {
			alike = append(alike, r)
		} else {
			others = append(others, r)
		}
	}
	return alike, others
}

// opensInPlace returns what reading rows where they lie opens.
func (s side) opensInPlace() (files []*catalog.File) {
	for _, r := range s.inPlace {
		files = append(append(files, r), s.targetsOf(r)...)
	}
	return files
}

// targetsOf returns the files that both snapshots have and in which a rollback file has positions.
func (s side) targetsOf(r *catalog.File) []*catalog.File {
	return filter(s.shared, func(f *catalog.File) bool { return r.Targets[f.ID] > 0 })
}

// rowsInPlace is displacedRows for one rollback file, from the files in which the rows lie.
func (s side) rowsInPlace(r *catalog.File, names columnNames) (scans []string) {
	rollback := s.own.ReadFiles([]*catalog.File{r})
	for _, group := range BySchema(s.targetsOf(r)) {
		file, but := fileOf(group, "s."), ""
		if len(s.also) > 0 {
			but = duck.Fill(butPlaces, duck.Parts{
				"positions": s.own.positions(s.own.positionParts(s.also), 0), "file": file,
			})
		}
		scans = append(scans, duck.Fill(displacedInPlace, duck.Parts{
			"columns": s.list(s.own.SchemaOf(group[0]), names), "files": s.own.readNumbered(group), "file": file,
			"rollback": rollback,
		})+but)
	}
	return scans
}

const butPlaces = `
	ANTI JOIN ({positions}) e ON {file} = e._file AND s.file_row_number = e._pos`
