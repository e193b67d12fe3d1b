package snapshot

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/schema"
)

func typed(t *testing.T, text string) schema.Type {
	t.Helper()
	typ, err := schema.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

// Values are cast from the type that a file has to the type of the column, at any depth, without a value that DuckDB's
// own cast would refuse or change.
func TestCasts(t *testing.T) {
	conn := ducktest.Conn(t)
	for _, c := range []struct{ from, to, value, want string }{
		{"INTEGER", "BIGINT", "7", "7"},
		{"INTEGER", "INTEGER", "7", "7"},
		{"NULL", "BLOB", "NULL::INTEGER", "null"},
		{"NULL", "STRUCT(a DATE)", "NULL::INTEGER", "null"},
		{"NULL[]", "DATE[]", "[NULL, NULL]::INTEGER[]", `[null,null]`},
		{"NULL[][]", "UUID[][]", "[[NULL], [], NULL]::INTEGER[][]", `[[null],[],null]`},
		{"VARCHAR", "BLOB", "'AP8='", `"\\x00\\xFF"`},
		{"BLOB", "VARCHAR", `'\x00\xFF'::BLOB`, `"AP8="`},
		{"VARCHAR[]", "BLOB[]", "['AP8=', NULL]", `["\\x00\\xFF",null]`},
		{"STRUCT(a VARCHAR)", "STRUCT(a BLOB)", "{'a': 'AP8='}", `{"a":"\\x00\\xFF"}`},
		{"STRUCT(a VARCHAR)[]", "STRUCT(a BLOB)[]", "[{'a': 'AP8='}, NULL]", `[{"a":"\\x00\\xFF"},null]`},
		{"STRUCT(a NULL)", "STRUCT(a DATE, b INTEGER)", "{'a': NULL::INTEGER}", `{"a":null,"b":null}`},
		{"STRUCT(a NULL)", "STRUCT(a DATE)", "NULL::STRUCT(a INTEGER)", "null"},
		{`STRUCT("it's" NULL, "B" INTEGER)`, `STRUCT("it's" BOOLEAN, b BIGINT)`, `{'it''s': NULL::INTEGER, 'B': 2}`,
			`{"it's":null,"b":2}`},
		{"STRUCT(b INTEGER, a INTEGER)", "STRUCT(a BIGINT, b BIGINT)", "{'b': 1, 'a': 2}", `{"a":2,"b":1}`},
		{"STRUCT(a INTEGER)", "STRUCT(b INTEGER)", "NULL::STRUCT(a INTEGER)", "null"},
		{"STRUCT(a INTEGER)[]", "STRUCT(b INTEGER)[]", "[NULL::STRUCT(a INTEGER)]", "[null]"},
		{"STRUCT(c STRUCT(a INTEGER))", "STRUCT(c STRUCT(b DATE))", "{'c': NULL::STRUCT(a INTEGER)}", `{"c":null}`},
		{"MAP(VARCHAR, STRUCT(a INTEGER))", "MAP(VARCHAR, STRUCT(b DATE))", "MAP {'x': NULL::STRUCT(a INTEGER)}",
			`{"x":null}`},
		{"DECIMAL(4,2)", "DECIMAL(20,4)", "1.25::DECIMAL(4,2)", "1.2500"},
		{"MAP(VARCHAR, INTEGER)", "MAP(VARCHAR, BIGINT)", "MAP {'a': 1}", `{"a":1}`},
	} {
		sql := Cast(typed(t, c.from), typed(t, c.to), "v")
		var got, typ string
		query := "SELECT coalesce(CAST(to_json(w) AS VARCHAR), 'null'), typeof(w) FROM (SELECT " + sql +
			" AS w FROM (SELECT " + c.value + " AS v))"
		if err := conn.Row(t.Context(), query, &got, &typ); err != nil {
			t.Errorf("%s from %s to %s: %v", c.value, c.from, c.to, err)
			continue
		}
		if got != c.want || !typed(t, typ).Equal(typed(t, c.to)) {
			t.Errorf("%s from %s to %s: %s of type %s, not %s", c.value, c.from, c.to, got, typ, c.want)
		}
	}
}

// A value goes through every type that the column has had, each cast starting from what users saw.
func TestValuesAreCastThroughEarlierTypes(t *testing.T) {
	conn := ducktest.Conn(t)
	own := schema.Column{ID: 1, Name: "n", Type: schema.Of(schema.Double)}
	now := own.As(schema.Of(schema.Bigint)).As(schema.Of(schema.Varchar))
	sql := FromFile(schema.Schema{Columns: []schema.Column{own}}, now)
	var got string
	if err := conn.Row(t.Context(), "SELECT "+sql+" FROM (SELECT 2.7::DOUBLE AS n)", &got); err != nil || got != "3" {
		t.Errorf("%s gives %q, %v", sql, got, err)
	}
	if sql := FromFile(schema.Schema{}, now); sql != "CAST(NULL AS VARCHAR)" {
		t.Errorf("of a file without the column: %s", sql)
	}
}

// A state without files has its columns, in their types, and no rows.
func TestAStateWithoutFiles(t *testing.T) {
	conn := ducktest.Conn(t)
	s := with()
	s.Schema = s.Schema.With(schema.Column{ID: 3, Name: "half", Type: schema.Of(schema.Double), Derivation: `"c1" / 2`})
	for name, sql := range map[string]string{
		"c1 BIGINT, c2 VARCHAR, _commit BIGINT":                                        s.Rows(false),
		"c1 BIGINT, c2 VARCHAR, _commit BIGINT, _file BIGINT, _pos BIGINT":             s.Rows(true),
		"c1 BIGINT, c2 VARCHAR, _commit BIGINT, c3 DOUBLE":                             s.Records(false),
		"id BIGINT, v VARCHAR, half DOUBLE, _commit BIGINT":                            s.Table(),
		"id BIGINT, v VARCHAR, half DOUBLE, _commit BIGINT, _file BIGINT, _pos BIGINT": s.PlacedTable(),
		"id BIGINT, v VARCHAR, _commit BIGINT":                                         s.StoredTable(),
	} {
		var got string
		query := "SELECT string_agg(column_name || ' ' || column_type, ', ') FROM (DESCRIBE " + sql + ")"
		if err := conn.Row(t.Context(), query, &got); err != nil || got != name {
			t.Errorf("%s, not %s (%v)", got, name, err)
		}
		var n int64
		if err := conn.Row(t.Context(), "SELECT count(*) FROM ("+sql+")", &n); err != nil || n != 0 {
			t.Errorf("%s: %d rows, %v", name, n, err)
		}
	}
}

// What the server numbers comes first in the table, and _commit last.
func TestColumnsOfTheTable(t *testing.T) {
	s := with()
	names := func() (out string) {
		for _, c := range s.TableColumns() {
			out += c.Name + " "
		}
		return out
	}
	if got := names(); got != "id v _commit " {
		t.Error(got)
	}
	s.Schema.Key = nil
	if got := names(); got != "_id id v _commit " {
		t.Error(got)
	}
}

// Records come in the order of the files where nothing is displaced, and by key otherwise.
func TestTheOrderOfRecords(t *testing.T) {
	for _, c := range []struct {
		s    *Snapshot
		want string
	}{
		{with(), ""},
		{with(data(1), data(2)), ""},
		{with(data(1), rollback(5, 9)), ""}, // of a file that is not there
		{with(data(1), data(2), rollback(5, 2)), ` ORDER BY "id"`},
	} {
		if got := c.s.Order(); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}

// A file is sent as it is only if it has exactly the records and columns of the state.
func TestTheOnlyFile(t *testing.T) {
	derived := schema.Column{ID: 3, Name: "d", Type: schema.Of(schema.Bigint), Derivation: `"c1"`}
	for name, c := range map[string]struct {
		change func(*Snapshot)
		only   bool
	}{
		"one file":       {func(*Snapshot) {}, true},
		"another file":   {func(s *Snapshot) { s.Data = append(s.Data, data(2)) }, false},
		"displaced rows": {func(s *Snapshot) { s.Rollbacks = append(s.Rollbacks, rollback(5, 1)) }, false},
		"a file without live rows before it": {func(s *Snapshot) {
			s.Data = append([]*catalog.File{data(0)}, s.Data...)
			s.Rollbacks = []*catalog.File{rollback(5, 0), rollback(6, 0), rollback(8, 0)}
		}, true},
		"another schema":     {func(s *Snapshot) { s.Commit.SchemaID = "t" }, false},
		"rows that it lacks": {func(s *Snapshot) { s.Commit.Total = 8 }, false},
		"a derived column":   {func(s *Snapshot) { s.Schema = s.Schema.With(derived) }, false},
		"no declared key":    {func(s *Snapshot) { s.Schema.Key = nil }, false},
		"no files":           {func(s *Snapshot) { s.Data = nil }, false},
	} {
		file := data(1)
		file.Rows = 7
		s := with(file)
		s.Commit = catalog.Commit{ID: 1, SchemaID: "s", Total: 7}
		if c.change(s); (s.Only() == file) != c.only {
			t.Errorf("%s: %v", name, s.Only())
		}
	}
}

// The documents of a state before the first commit are those of the dataset.
func TestDocumentsOfAState(t *testing.T) {
	s := State{Dataset: catalog.Dataset{SchemaID: "s0", PropertiesID: "p0"}}
	if s.SchemaID() != "s0" || s.PropertiesID() != "p0" {
		t.Errorf("before the first commit: %s, %s", s.SchemaID(), s.PropertiesID())
	}
	s.Commit = catalog.Commit{ID: 1, SchemaID: "s1", PropertiesID: "p1", Total: 5}
	if s.SchemaID() != "s1" || s.PropertiesID() != "p1" || s.Total() != 5 {
		t.Errorf("after it: %s, %s, %d", s.SchemaID(), s.PropertiesID(), s.Total())
	}
}

// The next snapshot has the files that the commit opened, and not those that it closed, by id; the one before keeps its
// own.
func TestTheNextSnapshot(t *testing.T) {
	one, two, five, three, four := data(1), data(2), rollback(5, 2), data(3), rollback(4, 1)
	before := with(one, two, five)
	next := before.Next(State{Commit: catalog.Commit{ID: 9}}, []*catalog.File{four, three}, []*catalog.File{one, five},
		map[string]schema.Schema{"t": {}})
	if !slices.Equal(next.Data, []*catalog.File{two, three}) || !slices.Equal(next.Rollbacks, []*catalog.File{four}) {
		t.Errorf("%v, %v", next.Data, next.Rollbacks)
	}
	if _, known := next.Schemas["t"]; !known || len(before.Schemas) != 1 || next.Commit.ID != 9 {
		t.Errorf("schemas %v, and before %v", next.Schemas, before.Schemas)
	}
	if len(before.Data) != 2 || len(before.Rollbacks) != 1 {
		t.Errorf("the one before has %v, %v", before.Data, before.Rollbacks)
	}
	if got := next.pathsOf(next.Files()); !slices.Equal(got, []string{"/2", "/3", "/4"}) {
		t.Errorf("paths %v", got)
	}
}

func TestFilesAreGroupedBySchema(t *testing.T) {
	files := []*catalog.File{{ID: 1, SchemaID: "a"}, {ID: 2, SchemaID: "b"}, {ID: 3, SchemaID: "a"}}
	var got []string
	for _, group := range BySchema(files) {
		ids := ""
		for _, f := range group {
			ids += fmt.Sprint(f.ID)
		}
		got = append(got, group[0].SchemaID+ids)
	}
	if !slices.Equal(got, []string{"a13", "b2"}) {
		t.Error(got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a file without a known schema was read")
		}
	}()
	with().SchemaOf(&catalog.File{SchemaID: "unknown"})
}

// Slices have all columns in order, none more than a statement may read, and about as many each.
func TestSlices(t *testing.T) {
	for _, c := range []struct {
		n, most int
		want    string
	}{
		{0, 3, "[0]"}, {1, 3, "[1]"}, {3, 3, "[3]"}, {4, 3, "[2 2]"}, {7, 3, "[3 3 1]"}, {10, 4, "[4 4 2]"},
		{5, 1, "[1 1 1 1 1]"},
	} {
		columns := make([]schema.Column, c.n)
		for i := range columns {
			columns[i].ID = i
		}
		var sizes []int
		var all []schema.Column
		for _, slice := range SlicesOf(columns, c.most) {
			sizes, all = append(sizes, len(slice)), append(all, slice...)
		}
		if fmt.Sprint(sizes) != c.want || c.n > 0 && !reflect.DeepEqual(all, columns) {
			t.Errorf("%d columns in slices of %d: %v", c.n, c.most, sizes)
		}
	}
	if n := len(InSlices(make([]schema.Column, 2*SliceColumns+1))); n != 3 {
		t.Errorf("%d slices", n)
	}
}

// A narrow snapshot has the requested columns and the key, as the state has them.
func TestNarrowSnapshots(t *testing.T) {
	s := with(data(1))
	renamed := schema.Column{ID: 2, Name: "as it was", Type: schema.Of(schema.Date)}
	gone := schema.Column{ID: 9, Name: "gone", Type: schema.Of(schema.Date)}
	for _, c := range []struct {
		columns []schema.Column
		want    string
	}{{nil, "id"}, {[]schema.Column{renamed, gone}, "v id"}, {s.Schema.Columns[:1], "id"}} {
		part := s.Narrow(c.columns)
		var names []string
		for _, column := range part.Schema.Columns {
			names = append(names, column.Name)
		}
		if got := strings.Join(names, " "); got != c.want || len(part.Data) != 1 || len(s.Schema.Columns) != 2 {
			t.Errorf("%s, not %s", got, c.want)
		}
	}
}

// Columns for quality and categories are found by their default names, or those that people gave; a column that can't
// serve is none, and people are told if they named it.
func TestColumnsOfQualityAndCategories(t *testing.T) {
	column := func(id int, name, typ string) schema.Column {
		return schema.Column{ID: id, Name: name, Type: typed(t, typ)}
	}
	derived := column(8, "derived", "DOUBLE")
	derived.Derivation = `"c1"`
	plain := schema.Schema{Columns: []schema.Column{
		column(1, "Quality_Score", "DECIMAL(3,2)"), column(2, "CATEGORY", "BOOLEAN"), column(3, "text", "VARCHAR"),
		column(4, "list", "VARCHAR[]"), derived,
	}}
	for _, c := range []struct {
		p                 catalog.Properties
		quality, category int
		warnings          string
	}{
		{catalog.Properties{}, 1, 2, "[]"},
		{catalog.Properties{QualityColumn: "quality_score", CategoryColumn: "text"}, 1, 3, "[]"},
		{catalog.Properties{QualityColumn: "text"}, 0, 2,
			`[quality_column is "text", which the dataset does not have as a column of numbers.]`},
		{catalog.Properties{CategoryColumn: "list"}, 1, 0,
			`[category_column is "list", which the dataset does not have as a column of single values.]`},
		{catalog.Properties{QualityColumn: "none"}, 0, 2,
			`[quality_column is "none", which the dataset does not have as a column of numbers.]`},
		{catalog.Properties{QualityColumn: "derived"}, 0, 2,
			`[quality_column is "derived", which the dataset does not have as a column of numbers.]`},
	} {
		s := State{Schema: plain, Properties: c.p}
		q, okQuality := s.QualityColumn()
		cat, okCategory := s.CategoryColumn()
		if okQuality != (c.quality > 0) || okQuality && q.ID != c.quality || okCategory != (c.category > 0) ||
			okCategory && cat.ID != c.category {
			t.Errorf("%+v: quality %d (%v), category %d (%v)", c.p, q.ID, okQuality, cat.ID, okCategory)
		}
		if got := fmt.Sprint(s.Warnings()); got != c.warnings {
			t.Errorf("%+v: %s", c.p, got)
		}
	}
	if none := (&State{}).Warnings(); none == nil || len(none) > 0 {
		t.Errorf("of a state without such columns: %v", none)
	}
}

// Where a column is renamed, the properties follow it, also those that named it by default.
func TestPropertiesFollowRenamedColumns(t *testing.T) {
	before := schema.Schema{Columns: []schema.Column{
		{ID: 1, Name: "quality_score"}, {ID: 2, Name: "kind"}, {ID: 3, Name: "other"},
	}}
	after := schema.Schema{Columns: []schema.Column{{ID: 1, Name: "score"}, {ID: 2, Name: "Kind"}, {ID: 3, Name: "other"}}}
	required := []string{"KIND", "other", "gone"}
	p := catalog.Properties{CategoryColumn: "kind", Required: required}
	FollowNames(before, after, &p)
	if p.QualityColumn != "score" || p.CategoryColumn != "Kind" || fmt.Sprint(p.Required) != "[Kind other gone]" {
		t.Errorf("%+v", p)
	}
	if required[0] != "KIND" {
		t.Error("the properties before have changed")
	}
	same := catalog.Properties{}
	FollowNames(before, before, &same)
	if same.QualityColumn != "" || same.CategoryColumn != "" {
		t.Errorf("nothing was renamed, and the properties became %+v", same)
	}
}

// The columns of a comparison are those of both sides, in types for the values of both.
func TestColumnsOfAComparison(t *testing.T) {
	column := func(id int, name, typ string) schema.Column {
		return schema.Column{ID: id, Name: name, Type: typed(t, typ)}
	}
	derived := column(6, "derived", "DATE")
	derived.Derivation = `"c1"`
	a := schema.Schema{Key: []int{1}, Columns: []schema.Column{
		column(1, "id", "INTEGER"), column(2, "old", "DATE"), column(3, "only a", "DATE"), column(5, "dropped", "DATE"),
		derived,
	}}
	b := schema.Schema{Key: []int{1}, Columns: []schema.Column{
		column(1, "id", "BIGINT"), column(4, "only b", "DATE"), column(2, "new", "VARCHAR"),
	}, Dropped: []int{5}}
	var got []string
	for _, c := range CommonSchema(a, b).Columns {
		got = append(got, c.Name+" "+c.Type.String())
	}
	if want := "id BIGINT, only b DATE, new VARCHAR, only a DATE"; strings.Join(got, ", ") != want {
		t.Errorf("%s, not %s", strings.Join(got, ", "), want)
	}
}

// Columns that both sides added under one definition are compared as one; a column that the other side had, or dropped,
// is not the same.
func TestColumnsThatBothSidesAdded(t *testing.T) {
	add := func(id int, typ string) schema.Schema {
		return with().Schema.With(schema.Column{ID: id, Name: "new", Type: typed(t, typ)})
	}
	dropped := add(8, "DATE")
	dropped.Dropped = []int{7}
	for name, c := range map[string]struct {
		a, b schema.Schema
		n    int // columns that are compared
	}{
		"the same":            {add(7, "DATE"), add(8, "DATE"), 3},
		"a wider type":        {add(7, "BIGINT"), add(8, "INTEGER"), 3},
		"another type":        {add(7, "VARCHAR"), add(8, "INTEGER"), 4},
		"added on one side":   {with().Schema, add(8, "DATE"), 3},
		"the same column":     {add(8, "DATE"), add(8, "DATE"), 3},
		"dropped on one side": {add(7, "DATE"), dropped, 3},
	} {
		one, two := with(data(1)), with(data(2))
		one.Schema, two.Schema = c.a, c.b
		d := Diff(one, two)
		if got := len(d.Schema.Columns); got != c.n {
			t.Errorf("%s: %d columns, not %d", name, got, c.n)
		}
		if name == "the same" && (d.A.Schema.Columns[2].ID != 8 || one.Schema.Columns[2].ID != 7) {
			t.Errorf("the compared side has %+v, the snapshot itself %+v", d.A.Schema.Columns[2], one.Schema.Columns[2])
		}
	}
}

// Requests for changes of an unknown kind are refused; none means all.
func TestKindsOfChanges(t *testing.T) {
	d := Diff(with(data(1)), with(data(2)))
	if _, _, err := d.Records("added", "renamed"); err == nil || !strings.Contains(err.Error(), `no change "renamed"`) {
		t.Errorf("%v", err)
	}
	all, _, err := d.Records()
	some, columns, err2 := d.Records(Added, Modified, Removed)
	if err != nil || err2 != nil || all != some {
		t.Errorf("%v, %v\n%s\n%s", err, err2, all, some)
	}
	var names []string
	for _, c := range columns {
		names = append(names, c.Name+" "+c.Type.String())
	}
	record := `STRUCT("id" BIGINT, "v" VARCHAR)`
	if got := strings.Join(names, ", "); got != "_change VARCHAR, id BIGINT, before "+record+", after "+record {
		t.Error(got)
	}
}

// Bounds that are too long, or unknown, are not kept; those in nanoseconds are rounded down to microseconds.
func TestWhichBoundsAreKept(t *testing.T) {
	long, short, nanos := strings.Repeat("é", 129), "a", "-1"
	for _, c := range []struct {
		typ             string
		least, greatest *string
		want            *catalog.Bounds
	}{
		{"VARCHAR", &short, &short, &catalog.Bounds{Least: "a", Greatest: "a"}},
		{"VARCHAR", &short, &long, nil},
		{"VARCHAR", nil, nil, nil},
		{"UUID", &short, &short, nil},
		{"DOUBLE", &short, &short, nil},
		{"TIMESTAMP_NS", &nanos, &nanos, &catalog.Bounds{Least: "-1", Greatest: "-1"}},
		{"TIMESTAMP", &nanos, &nanos, &catalog.Bounds{Least: "-1", Greatest: "-1"}},
	} {
		if got := OrderOf(typed(t, c.typ)).Bounds(c.least, c.greatest); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, not %+v", c.typ, got, c.want)
		}
	}
	for nanos, want := range map[string]string{"1999": "1", "-1": "-1", "-1000": "-1", "-1001": "-2", "0": "0", "x": "x"} {
		if got := micros(nanos); got != want {
			t.Errorf("%s ns are %s µs, not %s", nanos, got, want)
		}
	}
}
