package snapshot

import (
	"fmt"
	"slices"
	"strings"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/schema"
)

// Cast makes a value of one type out of another's. Columns that are all null are stored as INTEGER, which casts to
// little, so nulls are made anew. Binaries are text in base64.
func Cast(from, to schema.Type, expr string) string {
	byParts := from.Hollow() || hasBlob(to) && !hasBlob(from)
	switch {
	case from.Equal(to):
		return expr
	case from.Name == schema.Null:
		return "CAST(NULL AS " + to.SQL() + ")"
	case from.Name == schema.Varchar && to.Name == schema.Blob:
		return "from_base64(" + expr + ")"
	case from.Name == schema.Blob && to.Name == schema.Varchar:
		return "base64(" + expr + ")"
	case from.Name == schema.List && to.Name == schema.List && byParts:
		return fmt.Sprintf("list_transform(%s, lambda e: %s)", expr, Cast(*from.Elem, *to.Elem, "e"))
	case from.Name == schema.Struct && to.Name == schema.Struct && byParts:
		parts := make([]string, len(to.Fields))
		for i, f := range to.Fields {
			part := "CAST(NULL AS " + f.Type.SQL() + ")"
			if own, ok := from.Field(f.Name); ok {
				part = Cast(own.Type, f.Type, fmt.Sprintf("struct_extract(%s, %s)", expr, duck.Text(own.Name)))
			}
			parts[i] = duck.Ident(f.Name) + " := " + part
		}
		return fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN struct_pack(%s) END", expr, strings.Join(parts, ", "))
	}
	return "CAST(" + expr + " AS " + to.SQL() + ")"
}

// hasBlob reports whether a type is, or has a part that is, a binary.
func hasBlob(t schema.Type) bool {
	switch t.Name {
	case schema.List:
		return hasBlob(*t.Elem)
	case schema.Struct:
		return slices.ContainsFunc(t.Fields, func(f schema.Field) bool { return hasBlob(f.Type) })
	}
	return t.Name == schema.Blob
}

// FromFile is the value of column c in a file that was written with schema fs.
func FromFile(fs schema.Schema, c schema.Column) string {
	own, ok := fs.ByID(c.ID)
	if !ok {
		return "CAST(NULL AS " + c.Type.SQL() + ")"
	}
	value, typ := duck.Ident(own.Name), own.Type
	for _, next := range c.Since(own) {
		value, typ = Cast(typ, next, value), next
	}
	return value
}

// branch is a run of data files that one scan can read: written with one schema, and either none has displaced rows or
// the scan looks them all up.
type branch struct {
	schemaID  string
	files     []*catalog.File
	displaced bool
}

// smallFile is up to how many rows a file without displaced rows may be read by a scan that looks displaced rows up:
// a row group. Larger files are read plain, at the speed of the disk.
const smallFile = 122_880

// branches groups the data files into as few scans as keep their order.
func (s *Snapshot) branches() []branch {
	displacers := s.displacers()
	var out []branch
	for _, f := range s.Data {
		displaced := len(displacers[f.ID]) > 0
		if n := len(out) - 1; n >= 0 && out[n].takes(f, displaced) {
			out[n].files = append(out[n].files, f)
			out[n].displaced = out[n].displaced || displaced
			continue
		}
		out = append(out, branch{schemaID: f.SchemaID, files: []*catalog.File{f}, displaced: displaced})
	}
	return out
}

// takes reports whether the branch can read f as well: files with displaced rows share a scan only with small ones.
func (b branch) takes(f *catalog.File, displaced bool) bool {
	if b.schemaID != f.SchemaID {
		return false
	}
	large := func(f *catalog.File) bool { return f.Rows > smallFile }
	return !b.displaced && !displaced || !large(f) && !slices.ContainsFunc(b.files, large)
}

// Rows is the SQL of the snapshot's rows: its columns by field id (c1, c2, …), then _commit, and, with place, _file and
// _pos: where each row lives.
func (s *Snapshot) Rows(place bool) string {
	if len(s.Data) == 0 {
		return s.noRows(place)
	}
	return strings.Join(s.scans(place, s.selectList), "\nUNION ALL ")
}

// scans is the SQL of the snapshot's rows, a scan a part. list is what is selected from files of a schema.
func (s *Snapshot) scans(place bool, list func(fs schema.Schema) string) (parts []string) {
	displacers := s.displacers()
	for _, b := range s.branches() {
		parts = append(parts, s.scan(b, place, list(s.SchemaOf(b.files[0])), displacers))
	}
	return parts
}

// Records is the SQL of Rows with the derived columns beside the stored ones. It is for sandboxes.
func (s *Snapshot) Records(place bool) string {
	sql := s.Rows(place)
	for _, layer := range s.Schema.Layers() {
		list := "*"
		for _, c := range layer {
			list += fmt.Sprintf(", TRY(CAST((%s\n) AS %s)) AS %s", c.Derivation, c.Type.SQL(), schema.ColumnName(c.ID))
		}
		sql = "SELECT " + list + " FROM (" + sql + ")"
	}
	return sql
}

func (s *Snapshot) noRows(place bool) string {
	list := make([]string, 0, len(s.Schema.Columns)+4)
	for _, c := range s.Schema.Stored() {
		list = append(list, fmt.Sprintf("CAST(NULL AS %s) AS %s", c.Type.SQL(), schema.ColumnName(c.ID)))
	}
	list = append(list, "CAST(NULL AS BIGINT) AS _commit")
	if place {
		list = append(list, "CAST(NULL AS BIGINT) AS _file", "CAST(NULL AS BIGINT) AS _pos")
	}
	return "SELECT " + strings.Join(list, ", ") + " WHERE false"
}

// scan is the SQL of one branch. It is one layer: DuckDB keeps a block of 2,048 rows of every column for each.
func (s *Snapshot) scan(b branch, place bool, list string, displacers map[int64][]*catalog.File) string {
	if place {
		list += fmt.Sprintf(", %s AS _file, file_row_number AS _pos", fileOf(b.files, ""))
	}
	from := s.ReadFiles(b.files)
	if place || b.displaced {
		from = s.readNumbered(b.files)
	}
	if !b.displaced {
		return "SELECT " + list + " FROM " + from
	}
	var rollbacks []*catalog.File
	for _, f := range b.files {
		for _, r := range displacers[f.ID] {
			if !slices.Contains(rollbacks, r) {
				rollbacks = append(rollbacks, r)
			}
		}
	}
	positions := "SELECT _file, _pos FROM " + s.ReadFiles(rollbacks)
	on := fileOf(b.files, "s.") + " = d._file AND s.file_row_number = d._pos"
	if len(b.files) == 1 {
		positions += fmt.Sprintf(" WHERE _file = %d", b.files[0].ID)
		on = "s.file_row_number = d._pos"
	}
	return fmt.Sprintf("SELECT %s FROM %s s ANTI JOIN (%s) d ON %s", list, from, positions, on)
}

func (s *Snapshot) selectList(fs schema.Schema) string {
	list := make([]string, 0, len(s.Schema.Columns)+2)
	for _, c := range s.Schema.Stored() {
		list = append(list, FromFile(fs, c)+" AS "+schema.ColumnName(c.ID))
	}
	return strings.Join(append(list, "_commit"), ", ")
}

// ReadFiles is the SQL of a scan of files.
func (s *Snapshot) ReadFiles(files []*catalog.File) string {
	return "read_parquet(" + duck.Texts(s.pathsOf(files)) + ", hive_partitioning = false)"
}

// readNumbered is the SQL of a scan of files that has the rows' numbers.
func (s *Snapshot) readNumbered(files []*catalog.File) string {
	return "read_parquet(" + duck.Texts(s.pathsOf(files)) + ", hive_partitioning = false, file_row_number = true)"
}

// fileOf is the SQL of the id of the file that a row of such a scan lies in. scan is the scan's name and a dot, or empty.
func fileOf(files []*catalog.File, scan string) string {
	if len(files) == 1 {
		return fmt.Sprintf("CAST(%d AS BIGINT)", files[0].ID)
	}
	ids := make([]int64, len(files))
	for i, f := range files {
		ids[i] = f.ID
	}
	return duck.Ints(ids) + "[CAST(" + scan + "file_index AS BIGINT) + 1]"
}

func (s *Snapshot) pathsOf(files []*catalog.File) []string {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = s.path(f)
	}
	return paths
}

// Order is the SQL of an order in which the records, selected from the snapshot's table, are the same every time: that
// of the key where some rows of its files are not live, as the others then come in no fixed order; else empty, for that
// of the files.
func (s *Snapshot) Order() string {
	if !slices.ContainsFunc(s.branches(), func(b branch) bool { return b.displaced }) {
		return ""
	}
	names := make([]string, 0, 1)
	for _, c := range s.Schema.KeyColumns() {
		names = append(names, duck.Ident(c.Name))
	}
	return " ORDER BY " + strings.Join(names, ", ")
}

// Table is the SQL of the snapshot as people see it: _id first where the server assigned it, the columns by name, then
// _commit. What clients wrote as derivations is in it: it is for sandboxes.
func (s *Snapshot) Table() string {
	return "SELECT " + underNames(s.TableColumns()) + " FROM (" + s.Records(false) + ")"
}

// PlacedTable is Table with _file and _pos: where each record lies.
func (s *Snapshot) PlacedTable() string {
	return "SELECT " + underNames(s.TableColumns()) + ", _file, _pos FROM (" + s.Records(true) + ")"
}

// StoredTable is Table without the derived columns.
func (s *Snapshot) StoredTable() string {
	stored := slices.DeleteFunc(s.TableColumns(), schema.Column.Derived)
	return "SELECT " + underNames(stored) + " FROM (" + s.Rows(false) + ")"
}

// underNames selects columns, by field id, under their names.
func underNames(columns []schema.Column) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		name := schema.ColumnName(c.ID)
		if c.ID == schema.CommitID {
			name = schema.CommitColumn
		}
		list[i] = name + " AS " + duck.Ident(c.Name)
	}
	return strings.Join(list, ", ")
}

// TableColumns returns the columns of the state's table in SQL (Snapshot.Table), in order.
func (s *State) TableColumns() []schema.Column {
	var out []schema.Column
	if !s.Schema.Keyed() {
		out = append(out, s.Schema.KeyColumns()...)
	}
	out = append(out, s.Schema.Columns...)
	return append(out, schema.Column{ID: schema.CommitID, Name: schema.CommitColumn, Type: schema.Of(schema.Bigint)})
}

// EveryValue is the SQL of every value that columns have in the files, live or not, by field id. One that is not live,
// and was not a value of this type when it was, is null; so is what a file does not have.
func (s *Snapshot) EveryValue(columns ...schema.Column) string {
	list := func(value func(schema.Column) string) string {
		out := make([]string, len(columns))
		for i, c := range columns {
			out[i] = value(c) + " AS " + schema.ColumnName(c.ID)
		}
		return "SELECT " + strings.Join(out, ", ")
	}
	none := func(c schema.Column) string { return "CAST(NULL AS " + c.Type.SQL() + ")" }
	parts := []string{list(none) + " WHERE false"}
	for _, group := range BySchema(s.Files()) {
		fs := s.SchemaOf(group[0])
		has := func(c schema.Column) bool { _, ok := fs.ByID(c.ID); return ok }
		if !slices.ContainsFunc(columns, has) {
			continue
		}
		parts = append(parts, list(func(c schema.Column) string {
			if !has(c) {
				return none(c)
			}
			return "TRY(" + FromFile(fs, c) + ")"
		})+" FROM "+s.ReadFiles(group))
	}
	return strings.Join(parts, " UNION ALL ")
}

// Only returns the stored file that has the snapshot's records and columns and no others, if there is one. The files of
// datasets without a declared key have _id elsewhere.
func (s *Snapshot) Only() *catalog.File {
	if len(s.Data) != 1 || len(s.Rollbacks) > 0 || !s.Schema.Keyed() ||
		slices.ContainsFunc(s.Schema.Columns, schema.Column.Derived) {
		return nil
	}
	if f := s.Data[0]; f.SchemaID == s.SchemaID() && f.Rows == s.Total() {
		return f
	}
	return nil
}
