package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// A state's digest is the sum of its data files' digests without those of the rows that its rollback files displace
// (package digest). What is here says which values of a file these are, and when a file's digest serves another state.

// DigestColumns returns the columns that a state's digest is computed from: those that are stored, except _id, which
// says nothing about a record.
func (s *State) DigestColumns() []schema.Column {
	return slices.DeleteFunc(s.Schema.Stored(), func(c schema.Column) bool { return c.ID == schema.RowID })
}

// digested returns the columns that files with schema fs have values of.
func (s *State) digested(fs schema.Schema) []schema.Column {
	return slices.DeleteFunc(s.DigestColumns(), func(c schema.Column) bool {
		own, ok := fs.ByID(c.ID)
		return !ok || own.Type.Name == schema.Null
	})
}

// DigestViews identifies how the state sees the values of each file, by the file's id. Where two states have the same
// view of a file, it has the same digest in both: the view changes when one of the file's columns is renamed, retyped
// or dropped, but not when columns are added or widened, which changes no value.
//
// The rows of a rollback file are those that it displaces, where they lie. It has copies of them, which are read in
// their place unless a column has come and gone, or changed its type, between the two.
func (s *Snapshot) DigestViews(files []*catalog.File) map[int64]string {
	out, bySchema := map[int64]string{}, map[string]string{}
	viewOf := func(f *catalog.File) string {
		if bySchema[f.SchemaID] == "" {
			bySchema[f.SchemaID] = s.viewOf(s.SchemaOf(f))
		}
		return bySchema[f.SchemaID]
	}
	for _, f := range files {
		if s.heldAlike(f) {
			out[f.ID] = viewOf(f)
			continue
		}
		text := "in place"
		for _, target := range s.targetsOf(f) {
			text += fmt.Sprintf("\n%d\n%s", target.ID, viewOf(target))
		}
		out[f.ID] = hashed(text)
	}
	return out
}

func (s *State) viewOf(fs schema.Schema) string {
	var text strings.Builder
	for _, c := range s.digested(fs) {
		own, _ := fs.ByID(c.ID)
		fmt.Fprintf(&text, "%d %q", c.ID, c.Name)
		if steps := c.Since(own); len(steps) > 1 || !keepsValues(own.Type, c.Type) {
			fmt.Fprint(&text, steps)
		}
		text.WriteByte('\n')
	}
	return hashed(text.String())
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// keepsValues reports whether a cast to another type leaves the encoding of every value as it is.
func keepsValues(from, to schema.Type) bool {
	switch {
	case from.Equal(to), from.Name == schema.Null:
		return true
	case from.Name != to.Name || !from.Nested():
		return to.Holds(from)
	case from.Name == schema.List:
		return keepsValues(*from.Elem, *to.Elem)
	case from.Name == schema.Map:
		return keepsValues(*from.Key, *to.Key) && keepsValues(*from.Elem, *to.Elem)
	}
	return !slices.ContainsFunc(from.Fields, func(f schema.Field) bool {
		other, ok := to.Field(f.Name)
		return !ok || other.Name != f.Name || !keepsValues(f.Type, other.Type)
	})
}

// targetsOf returns the files that a rollback file displaces rows of, in the order of their ids, as Data is.
func (s *Snapshot) targetsOf(r *catalog.File) []*catalog.File {
	ids := make(map[int64]bool, len(r.Targets))
	for id := range r.Targets {
		ids[id] = true
	}
	return find(s.Data, ids)
}

// heldAlike reports whether the state sees the rows that a file holds as it sees those that they are copies of.
func (s *Snapshot) heldAlike(f *catalog.File) bool {
	if f.Kind != schema.Rollback {
		return true
	}
	known := map[string]bool{f.SchemaID: true}
	for _, target := range s.targetsOf(f) {
		if !known[target.SchemaID] && !s.seesAlike(s.SchemaOf(target), s.SchemaOf(f)) {
			return false
		}
		known[target.SchemaID] = true
	}
	return true
}

// seesAlike reports whether the state sees a row in a file with schema lay as it sees the copy that was made of it in
// one with schema held.
func (s *State) seesAlike(lay, held schema.Schema) bool {
	return !slices.ContainsFunc(s.digested(lay), func(c schema.Column) bool {
		from, _ := lay.ByID(c.ID)
		by, ok := held.ByID(c.ID)
		return !ok || !passes(from, by, c)
	})
}

// passes reports whether values get from a column to a later form of it unchanged by the form between the two.
func passes(from, between, to schema.Column) bool {
	earlier := len(between.Earlier)
	if len(from.Earlier) == earlier && from.Type.Equal(between.Type) {
		return true
	}
	if len(from.Earlier) > earlier || earlier > len(to.Earlier) ||
		!slices.EqualFunc(between.Earlier, to.Earlier[:earlier], schema.Type.Equal) {
		return false
	}
	next := to.Since(between)[0]
	if len(from.Earlier) < earlier {
		return next.Equal(between.Type)
	}
	return keepsValues(from.Type, between.Type) && keepsValues(between.Type, next)
}

// DigestScan is one statement that reads rows of files to digest them.
type DigestScan struct {
	Columns []schema.Column // whose values it returns first
	Files   []*catalog.File // of which the row is, by the last column: its index in this list
	SQL     string
	More    bool // the next statement returns more rows of the file
}

// digestedAtOnce is how many files a statement reads at most; of files with more than wideDigest columns one, as every
// file that is read at a time takes memory for each column.
const (
	digestedAtOnce = 256
	wideDigest     = 1000
)

// DigestScans returns the statements that read the rows of files, or those that rollback files displace. A value that
// can't be cast is null: rows that are no longer live may have such.
func (s *Snapshot) DigestScans(files []*catalog.File) (out []DigestScan) {
	inPlace := func(f *catalog.File) bool { return !s.heldAlike(f) }
	for _, group := range BySchema(slices.DeleteFunc(slices.Clone(files), inPlace)) {
		columns, most := s.digested(s.SchemaOf(group[0])), digestedAtOnce
		if len(columns) > wideDigest {
			most = 1
		}
		for some := range slices.Chunk(group, most) {
			list := s.digestList(s.SchemaOf(some[0]), columns, indexIn(len(some)))
			sql := "SELECT " + list + " FROM " + s.readDigested(some, columns)
			out = append(out, DigestScan{Columns: columns, Files: some, SQL: sql})
		}
	}
	for _, r := range filter(files, inPlace) {
		groups := BySchema(s.targetsOf(r))
		for i, group := range groups {
			columns := s.digested(s.SchemaOf(group[0]))
			list := s.digestList(s.SchemaOf(group[0]), columns, "0")
			sql := duck.Fill(displacedInPlace, duck.Parts{
				"columns": list, "files": s.readNumbered(group), "file": fileOf(group, "s."),
				"rollback": s.ReadFiles([]*catalog.File{r}),
			})
			out = append(out, DigestScan{columns, []*catalog.File{r}, sql, i < len(groups)-1})
		}
	}
	return out
}

const displacedInPlace = `SELECT {columns} FROM {files} s
	SEMI JOIN (SELECT _file, _pos FROM {rollback}) d ON {file} = d._file AND s.file_row_number = d._pos`

// readDigested returns the SQL of a scan of files with columns of the state.
func (s *Snapshot) readDigested(files []*catalog.File, columns []schema.Column) string {
	if len(files) > 1 { // none of them has very many columns
		return s.ReadFiles(files)
	}
	fs, names := s.SchemaOf(files[0]), make([]string, len(columns))
	for i, c := range columns {
		own, _ := fs.ByID(c.ID)
		names[i] = own.Name
	}
	return s.readSome(files, names, false)
}

// indexIn returns the SQL of the index of a row's file in a scan.
func indexIn(files int) string {
	if files == 1 {
		return "0"
	}
	return "file_index"
}

// digestList returns the select list of the columns and the index of the file, as c0, c1, ….
func (s *Snapshot) digestList(fs schema.Schema, columns []schema.Column, index string) string {
	list := make([]string, len(columns), len(columns)+1)
	for i, c := range columns {
		own, _ := fs.ByID(c.ID)
		list[i] = FromFile(fs, c)
		if steps := c.Since(own); len(steps) > 1 || !own.Type.Equal(c.Type) {
			list[i] = "TRY(" + list[i] + ")"
		}
		list[i] += fmt.Sprintf(" AS c%d", i)
	}
	return strings.Join(append(list, fmt.Sprintf("CAST(%s AS BIGINT) AS c%d", index, len(columns))), ", ")
}

// DigestPiece returns what is read of a file to digest it without a statement, and the columns whose values these are;
// ok is false where a statement has to read it.
func (s *Snapshot) DigestPiece(f *catalog.File) (p Piece, columns []schema.Column, ok bool) {
	columns = s.digested(s.SchemaOf(f))
	if !s.heldAlike(f) || !areReadHere([]*catalog.File{f}, columns) {
		return p, nil, false
	}
	own, ok := laid(columns)(s.SchemaOf(f))
	return Piece{f, own, slices.Repeat([]bool{true}, int(f.Rows))}, columns, ok
}

// LiveDigestScan returns the statement that reads the live rows of the state as its readers do.
func (s *Snapshot) LiveDigestScan() DigestScan {
	columns := s.DigestColumns()
	list := make([]string, len(columns), len(columns)+1)
	for i, c := range columns {
		list[i] = schema.ColumnName(c.ID)
	}
	sql := "SELECT " + strings.Join(append(list, "CAST(0 AS BIGINT) AS file"), ", ") + " FROM (" + s.Rows(false) + ")"
	return DigestScan{Columns: columns, Files: make([]*catalog.File, 1), SQL: sql}
}
