package snapshot

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// RecordKey is the key of one record.
type RecordKey struct {
	Columns []schema.Column // of the key
	Values  []string        // SQL, in the columns' types
	Bounds  *catalog.Bounds // of the first value; nil: any file may have it
}

// MayBeIn reports whether a file that was written with schema fs may have rows with the key, by its bounds.
func (k RecordKey) MayBeIn(f *catalog.File, fs schema.Schema) bool {
	order := OrderOf(k.Columns[0].Type)
	own, ok := fs.ByID(k.Columns[0].ID)
	// Bounds that were stored before the key was widened may have another order.
	return !ok || OrderOf(own.Type) != order || order.Overlap(f.Bounds, k.Bounds)
}

// in returns the SQL of the condition that a row has the key, in files that were written with schema fs.
func (k RecordKey) in(fs schema.Schema) string {
	parts := make([]string, len(k.Columns))
	for i, c := range k.Columns {
		value := FromFile(fs, c)
		if own, ok := fs.ByID(c.ID); ok && !own.Type.Equal(c.Type) {
			value = "TRY(" + value + ")"
		}
		parts[i] = value + " " + Equals(c.Type) + " " + k.Values[i]
	}
	return strings.Join(parts, " AND ")
}

// Equals is the operator that finds equal keys, none of which is null. By = a NaN finds no NaN in a file that has
// others too: what DuckDB passes over by the least and the greatest value has it.
func Equals(t schema.Type) string {
	if t.Name == schema.Float || t.Name == schema.Double {
		return "IS NOT DISTINCT FROM"
	}
	return "="
}

// Place is where a row is stored: the id of a data file, and the row's number in it.
type Place struct{ File, Row int64 }

// Located returns the SQL of the places of all rows of a record in the data files, live or not: _file and _pos.
func (s *Snapshot) Located(k RecordKey) string {
	return s.withKey(s.Data, k, "true", func(schema.Schema) string { return "" })
}

// Displaced returns the SQL of the positions of a record in the rollback files: the rollback file's id, _file and _pos.
func (s *Snapshot) Displaced(k RecordKey) string {
	var parts []string
	for _, group := range BySchema(s.Rollbacks) {
		parts = append(parts, duck.Fill(rowsWithKey, duck.Parts{
			"columns": fileOf(group, "") + " AS _rollback, _file, _pos", "files": s.ReadFiles(group),
			"has_key": k.in(s.SchemaOf(group[0])),
		}))
	}
	return strings.Join(parts, "\nUNION ALL ")
}

const rowsWithKey = `SELECT {columns} FROM {files} WHERE {has_key}`

// withKey returns the SQL of a record's rows in data files, those that fulfil a condition: what list selects for files
// of a schema, and the place.
func (s *Snapshot) withKey(
	files []*catalog.File, k RecordKey, where string, list func(fs schema.Schema) string,
) string {
	var parts []string
	for _, group := range BySchema(files) {
		fs := s.SchemaOf(group[0])
		parts = append(parts, duck.Fill(rowsWithKey, duck.Parts{
			"columns": list(fs) + fileOf(group, "") + " AS _file, file_row_number AS _pos",
			"files":   s.readNumbered(group), "has_key": where + " AND " + k.in(fs),
		}))
	}
	return strings.Join(parts, "\nUNION ALL ")
}

// Step is a change of a record: its row before and after; nil where there is none.
type Step struct{ Before, After *Place }

// Steps are changes of one record, all from states with the schema of A to states with that of B. The data files of
// either are those that the places are in.
type Steps struct {
	A, B   *Snapshot
	Schema schema.Schema // the columns that are compared, as in a Difference
	Key    RecordKey
	List   []Step
}

// Joined returns the SQL of the steps with some columns before, as a<id>, and after, as b<id>; n is the number of the
// step, from 0.
func (s Steps) Joined(columns []schema.Column) string {
	common := narrowed(s.Schema, columns)
	rows := make([]string, len(s.List))
	for i, step := range s.List {
		rows[i] = fmt.Sprintf("(%d, %s, %s)", i, step.Before.sql(), step.After.sql())
	}
	return duck.Fill(joinSteps, duck.Parts{
		"steps":  strings.Join(rows, ", "),
		"side_a": s.side(s.A, common, "a"), "side_b": s.side(s.B, common, "b"),
	})
}

const joinSteps = `SELECT * FROM (VALUES {steps}) steps(n, a_file, a_pos, b_file, b_pos)
	LEFT JOIN ({side_a}) a ON a._file = a_file AND a._pos = a_pos
	LEFT JOIN ({side_b}) b ON b._file = b_file AND b._pos = b_pos`

// side returns the SQL of the record's rows on one side.
func (s Steps) side(of *Snapshot, common schema.Schema, prefix string) string {
	own := *of
	own.Schema = seenIn(common, of.Schema)
	one := side{own: &own, common: common}
	names := columnNames{prefix: prefix, commit: prefix + "_commit"}
	if len(own.Data) == 0 {
		return "SELECT " + one.noValues(names) + ", CAST(NULL AS BIGINT) AS _file, CAST(NULL AS BIGINT) AS _pos WHERE false"
	}
	// By their numbers, which exclude the row groups that have none of the rows.
	return own.withKey(own.Data, s.Key, "file_row_number IN ("+s.rows()+")",
		func(fs schema.Schema) string { return one.list(fs, names) + ", " })
}

// rows lists the numbers of all rows of the steps.
func (s Steps) rows() string {
	var rows []string
	for _, step := range s.List {
		for _, p := range []*Place{step.Before, step.After} {
			if p != nil {
				rows = append(rows, strconv.FormatInt(p.Row, 10))
			}
		}
	}
	return strings.Join(rows, ", ")
}

func (p *Place) sql() string {
	if p == nil {
		return "CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)"
	}
	return duck.Int(p.File) + ", " + duck.Int(p.Row)
}

// Positions returns the SQL of the positions that rollback files of one schema have in a data file, each with the id of
// the rollback file.
func (s *Snapshot) Positions(rollbacks []*catalog.File, target int64) string {
	return duck.Fill(positionsIn, duck.Parts{
		"rollback": fileOf(rollbacks, ""), "files": s.ReadFiles(rollbacks), "target": target,
	})
}

const positionsIn = `SELECT {rollback}, _pos FROM {files} WHERE _file = {target}`

// Lines returns the SQL of the lines of rollback files of one schema: r, the id of the file, _file and _pos.
func (s *Snapshot) Lines(rollbacks []*catalog.File) string {
	return "SELECT " + fileOf(rollbacks, "") + " AS r, _file, _pos FROM " + s.ReadFiles(rollbacks)
}
