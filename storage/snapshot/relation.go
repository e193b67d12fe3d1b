package snapshot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// Cast returns the SQL that converts a value from one type to another. Columns of nulls are stored as INTEGER, which
// casts to few types, so they are replaced by nulls of the target type. Binaries are converted to and from text as
// base64.
func Cast(from, to schema.Type, expr string) string {
	byParts := from.Hollow() || hasBlob(to) && !hasBlob(from) || haveDisjointStructs(from, to)
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
	case from.Name == schema.Map && to.Name == schema.Map && byParts:
		return fmt.Sprintf("CASE WHEN %[1]s IS NOT NULL THEN map_from_entries("+
			"list_transform(map_entries(%[1]s), lambda e: struct_pack(k := %[2]s, v := %[3]s))) END", expr,
			Cast(*from.Key, *to.Key, "struct_extract(e, 'key')"), Cast(*from.Elem, *to.Elem, "struct_extract(e, 'value')"))
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

// haveDisjointStructs reports whether two types have structs in the same place that share no field. DuckDB casts none
// of these, not even null: which is all there is where a rollback file has a column in a type that it got after the
// record, and it got another one since.
func haveDisjointStructs(a, b schema.Type) bool {
	switch {
	case a.Name != b.Name:
		return false
	case a.Name == schema.List:
		return haveDisjointStructs(*a.Elem, *b.Elem)
	case a.Name == schema.Map:
		return haveDisjointStructs(*a.Key, *b.Key) || haveDisjointStructs(*a.Elem, *b.Elem)
	case a.Name != schema.Struct:
		return false
	}
	shared := 0
	for _, f := range a.Fields {
		if other, ok := b.Field(f.Name); ok {
			shared++
			if haveDisjointStructs(f.Type, other.Type) {
				return true
			}
		}
	}
	return shared == 0
}

// hasBlob reports whether a type is binary or has a binary part.
func hasBlob(t schema.Type) bool {
	switch t.Name {
	case schema.List, schema.Map:
		return hasBlob(*t.Elem)
	case schema.Struct:
		return slices.ContainsFunc(t.Fields, func(f schema.Field) bool { return hasBlob(f.Type) })
	}
	return t.Name == schema.Blob
}

// FromFile returns the SQL of column c in a file that was written with schema fs.
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

// branch is a run of parts with the same schema that one scan reads: either none of them has displaced rows, or the
// scan looks up the displaced positions of all.
type branch struct {
	schemaID  string
	parts     []Part
	rollbacks []*catalog.File // with the displaced positions
}

// smallFile is the most rows, one row group, of a file without displaced rows that is read by a scan with a look-up.
// Larger files get a plain scan, which is faster.
const smallFile = 122_880

// branches groups the data files into scans, as few as possible in their order. Files without live rows are not read.
func (s *Snapshot) branches() []branch {
	displacers := s.displacers()
	var out []branch
	for _, p := range s.dataParts(displacers) {
		rollbacks := p.displacersOf(displacers)
		if n := len(out) - 1; n >= 0 && out[n].takes(p, len(rollbacks) > 0) {
			out[n].parts, out[n].rollbacks = append(out[n].parts, p), append(out[n].rollbacks, rollbacks...)
			continue
		}
		out = append(out, branch{schemaID: p.SchemaID, parts: []Part{p}, rollbacks: rollbacks})
	}
	for i, b := range out {
		out[i].rollbacks = distinct(b.rollbacks)
	}
	return out
}

// takes reports whether the branch can read a part as well. Files with displaced rows share a scan only with small
// ones. A file of which some rows are left out has a scan of its own.
func (b branch) takes(p Part, displaced bool) bool {
	if b.schemaID != p.SchemaID || !p.isWhole() || !b.parts[0].isWhole() || b.isCompacted() != (p.Compacted != nil) {
		return false
	}
	large := func(p Part) bool { return p.Rows > smallFile }
	return len(b.rollbacks) == 0 && !displaced || !large(p) && !slices.ContainsFunc(b.parts, large)
}

// isCompacted reports whether the branch reads compacted files, which have the places of their rows in columns.
func (b branch) isCompacted() bool { return b.parts[0].Compacted != nil }

// files returns the files that the branch opens, apart from rollback files.
func (b branch) files() []*catalog.File { return filesOf(b.parts) }

func filesOf(parts []Part) []*catalog.File {
	files := make([]*catalog.File, len(parts))
	for i, p := range parts {
		files[i] = p.File
	}
	return files
}

// Rows returns the SQL of the snapshot's rows: its columns by field id (c1, c2, …), then _commit, and, with place,
// _file and _pos, the place of each row.
func (s *Snapshot) Rows(place bool) string {
	scans := s.scans(place, s.selectList)
	if len(scans) == 0 {
		return s.noRows(place)
	}
	return strings.Join(scans, "\nUNION ALL ")
}

// scans returns the SQL of the snapshot's rows, one part for each scan. list returns the select list for files of a
// schema.
func (s *Snapshot) scans(place bool, list func(fs schema.Schema) string) (parts []string) {
	if s.isPicked {
		return s.pickedScans(place, list)
	}
	for _, b := range s.branches() {
		parts = append(parts, s.scan(b, place, list(s.SchemaOf(b.parts[0].File))))
	}
	return parts
}

// Records returns the SQL of Rows with the derived columns too. It contains clients' SQL, so it may only run in
// sandboxes.
func (s *Snapshot) Records(place bool) string { return s.Derive(s.Rows(place)) }

// Derive returns the SQL of rows, whose columns are named by field id, with the derived columns too. It contains
// clients' SQL, so it may only run in sandboxes.
func (s *Snapshot) Derive(sql string) string {
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

// scan returns the SQL of one branch, as a single SELECT: DuckDB keeps a block of 2,048 rows of every column for each
// nested one.
func (s *Snapshot) scan(b branch, place bool, list string) string {
	files := b.files()
	from, file, pos := "", "s._file", "s._pos"
	if b.isCompacted() {
		from = s.ReadFiles(files)
	} else {
		from = s.read(files, place || len(b.rollbacks) > 0)
		file, pos = fileOf(files, "s."), "s.file_row_number"
	}
	if place {
		list += ", " + file + " AS _file, " + pos + " AS _pos"
	}
	where := b.parts[0].condition("s._file")
	if len(b.rollbacks) == 0 {
		return duck.Fill(scanAll, duck.Parts{"columns": list, "files": from, "where": where})
	}
	sql, parts := scanSome, duck.Parts{"columns": list, "files": from, "where": where, "file": file, "pos": pos}
	only := int64(0)
	if len(b.parts) == 1 && len(b.parts[0].Holds) == 1 {
		only, sql = b.parts[0].Holds[0].ID, scanSomeOfOne
	}
	parts["positions"] = s.positions(s.positionParts(b.rollbacks), only)
	if only != 0 && b.parts[0].Rows > smallFile {
		sql = scanSomeOfLarge
		parts["live"] = duck.IsLive(pos, duck.Fill(onlyPositions, parts))
	}
	return duck.Fill(sql, parts)
}

// The SQL of a scan whose files have no displaced rows, and of one whose files have some. Of one file, the number of
// the row tells which they are: the join has one column, and the positions in other files are left out before it. Of a
// large one, the reader tests them (duck.IsLive), which reads the positions when the statement is planned.
const (
	scanAll  = `SELECT {columns} FROM {files} s WHERE {where}`
	scanSome = `SELECT {columns} FROM {files} s
		ANTI JOIN ({positions}) d ON {file} = d._file AND {pos} = d._pos WHERE {where}`
	scanSomeOfOne = `SELECT {columns} FROM {files} s
		ANTI JOIN ({positions}) d ON {pos} = d._pos WHERE {where}`
	scanSomeOfLarge = `SELECT {columns} FROM {files} s WHERE {live} AND {where}`
	onlyPositions   = `SELECT CAST(_pos AS BIGINT) FROM ({positions})`
)

// selectList makes the columns of the snapshot of those that a file has: by field id, cast where the type has changed,
// null where the file is older than the column.
func (s *Snapshot) selectList(fs schema.Schema) string {
	list := make([]string, 0, len(s.Schema.Columns)+2)
	for _, c := range s.Schema.Stored() {
		list = append(list, FromFile(fs, c)+" AS "+schema.ColumnName(c.ID))
	}
	return strings.Join(append(list, "_commit"), ", ")
}

// ReadFiles returns the SQL of a scan of files.
func (s *Snapshot) ReadFiles(files []*catalog.File) string {
	return "read_parquet(" + duck.Texts(s.pathsOf(files)) + ", hive_partitioning = false)"
}

// readNumbered returns the SQL of a scan of files with row numbers.
func (s *Snapshot) readNumbered(files []*catalog.File) string {
	return "read_parquet(" + duck.Texts(s.pathsOf(files)) + ", hive_partitioning = false, file_row_number = true)"
}

// fileOf returns the SQL of the id of the file of a row in such a scan. scan is the scan's name and a dot, or empty.
func fileOf(files []*catalog.File, scan string) string {
	if len(files) == 1 {
		return duck.Int(files[0].ID)
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

// Sortable is how many rows are cheap to sort. More are read and written in the order in which they come.
const Sortable = 1_000_000

// ByKey returns an ORDER BY of the key.
func (s *Snapshot) ByKey() string {
	names := make([]string, 0, 1)
	for _, c := range s.Schema.KeyColumns() {
		names = append(names, duck.Ident(c.Name))
	}
	return " ORDER BY " + strings.Join(names, ", ")
}

// Order returns an ORDER BY that makes the order of records from the snapshot's table deterministic. If some rows of
// its files are displaced, DuckDB returns the others in no fixed order, so it is by key; otherwise it is empty, and the
// order is that of the files. It is the same before and after the state is compacted: pages of one state do not
// overlap.
func (s *Snapshot) Order() string {
	if !slices.ContainsFunc(s.AsWritten().branches(), func(b branch) bool { return len(b.rollbacks) > 0 }) {
		return ""
	}
	return s.ByKey()
}

// Table returns the SQL of the snapshot as users see it: _id first, if the server assigns it, the columns by name, then
// _commit. It contains derivations, which are clients' SQL, so it may only run in sandboxes.
func (s *Snapshot) Table() string {
	return "SELECT " + underNames(s.TableColumns()) + " FROM (" + s.Records(false) + ")"
}

// PlacedTable is Table with _file and _pos, the place of each record.
func (s *Snapshot) PlacedTable() string {
	return "SELECT " + underNames(s.TableColumns()) + ", _file, _pos FROM (" + s.Records(true) + ")"
}

// StoredTable is Table without the derived columns.
func (s *Snapshot) StoredTable() string {
	stored := slices.DeleteFunc(s.TableColumns(), schema.Column.Derived)
	return "SELECT " + underNames(stored) + " FROM (" + s.Rows(false) + ")"
}

// underNames returns a select list of columns by field id, named as users see them.
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

// EveryValue returns the SQL of every value of some columns in the files, by field id, including rows that are not
// live. Values that can't be cast to the column's type are null, as are those of a column that a file does not have.
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

// Only returns the file that has exactly the snapshot's records and columns, if there is one, so that it can be sent as
// it is. Files of datasets without a declared key do not qualify: they have _id in another place than the table.
func (s *Snapshot) Only() *catalog.File {
	branches := s.branches()
	if len(branches) != 1 || !s.Schema.Keyed() || slices.ContainsFunc(s.Schema.Columns, schema.Column.Derived) {
		return nil
	}
	only := branches[0]
	if len(only.parts) != 1 || len(only.rollbacks) > 0 || only.isCompacted() {
		return nil
	}
	if f := only.parts[0].File; f.SchemaID == s.SchemaID() && f.Rows == s.Total() {
		return f
	}
	return nil
}
