package snapshot

import (
	"strings"

	"github.com/rowback/rowback/storage/schema"
)

// EveryRecord returns the SQL of all rows of the data files as the state sees records (PlacedTable), whether they are
// live or not, which is for snapshots without rollback files. Values that the state's types can't hold, which it does
// not have, are null. It contains derivations, which are clients' SQL, so it may only run in sandboxes.
func (s *Snapshot) EveryRecord() string {
	scans := s.scans(true, func(fs schema.Schema) string {
		list := make([]string, 0, len(s.Schema.Columns)+2)
		for _, c := range s.Schema.Stored() {
			list = append(list, tryFrom(fs, c)+" AS "+schema.ColumnName(c.ID))
		}
		return strings.Join(append(list, "_commit"), ", ")
	})
	sql := s.noRows(true)
	if len(scans) > 0 {
		sql = strings.Join(scans, "\nUNION ALL ")
	}
	return "SELECT " + underNames(s.TableColumns()) + ", _file, _pos FROM (" + s.Derive(sql) + ")"
}

// EveryKey returns the SQL of the keys of all rows of the data files, by field id, with _file and _pos, in the types
// that the state has them in. Keys that these can't hold are null.
func (s *Snapshot) EveryKey() string {
	scans := s.scans(true, func(fs schema.Schema) string {
		var list []string
		for _, c := range s.Schema.KeyColumns() {
			list = append(list, tryFrom(fs, c)+" AS "+schema.ColumnName(c.ID))
		}
		return strings.Join(list, ", ")
	})
	return strings.Join(scans, "\nUNION ALL ")
}

// tryFrom returns the SQL of column c in a file that was written with schema fs; null where the value can't be cast.
func tryFrom(fs schema.Schema, c schema.Column) string {
	value := FromFile(fs, c)
	if own, ok := fs.ByID(c.ID); ok && !own.Type.Equal(c.Type) {
		return "TRY(" + value + ")"
	}
	return value
}
