package flight_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"google.golang.org/grpc/codes"

	"github.com/rowback/rowback/server/flight"
	"github.com/rowback/rowback/storage/catalog"
)

// bound prepares a statement, binds rows to it, and runs it.
func (c *client) bound(sql string, s *arrow.Schema, rows string) (answer, error) {
	c.Helper()
	ctx := context.Background()
	p, err := c.Prepare(ctx, sql)
	if err != nil {
		return answer{}, err
	}
	defer p.Close(ctx)
	b := c.batch(s, rows)
	defer b.Release()
	p.SetParameters(b)
	info, err := p.Execute(ctx)
	if err != nil {
		return answer{}, err
	}
	return c.fetch(ctx, info)
}

// columns is a schema of columns a, b, …, of those types.
func columns(types ...arrow.DataType) *arrow.Schema {
	fields := make([]arrow.Field, len(types))
	for i, t := range types {
		fields[i] = arrow.Field{Name: string(rune('a' + i)), Type: t, Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

func TestParametersOfEachType(t *testing.T) {
	c := dial(t, address)
	for _, b := range []struct {
		typ          arrow.DataType
		value        string // JSON
		became, want string // the column's type, and its value as text
	}{
		{arrow.FixedWidthTypes.Boolean, `true`, "bool", "true"},
		{arrow.PrimitiveTypes.Int8, `-8`, "int64", "-8"},
		{arrow.PrimitiveTypes.Int16, `-16`, "int64", "-16"},
		{arrow.PrimitiveTypes.Int32, `-32`, "int64", "-32"},
		{arrow.PrimitiveTypes.Int64, `-9223372036854775808`, "int64", "-9223372036854775808"},
		{arrow.PrimitiveTypes.Uint8, `8`, "int64", "8"},
		{arrow.PrimitiveTypes.Uint16, `16`, "int64", "16"},
		{arrow.PrimitiveTypes.Uint32, `4294967295`, "int64", "4294967295"},
		{arrow.PrimitiveTypes.Uint64, `18446744073709551615`, "decimal(20, 0)", "18446744073709551615"},
		{arrow.FixedWidthTypes.Float16, `1.5`, "float64", "1.5"},
		{arrow.PrimitiveTypes.Float32, `1.5`, "float64", "1.5"},
		{arrow.PrimitiveTypes.Float64, `0.1`, "float64", "0.1"},
		{arrow.BinaryTypes.String, `"text'; --"`, "utf8", "text'; --"},
		{arrow.BinaryTypes.LargeString, `"large"`, "utf8", "large"},
		{arrow.BinaryTypes.StringView, `"view"`, "utf8", "view"},
		{arrow.BinaryTypes.Binary, `"AAH/"`, "binary", `\x00\x01\xFF`},
		{arrow.BinaryTypes.LargeBinary, `""`, "binary", ""},
		{&arrow.FixedSizeBinaryType{ByteWidth: 2}, `"AAE="`, "binary", `\x00\x01`},
		{&arrow.Decimal128Type{Precision: 10, Scale: 2}, `"-1.50"`, "decimal(3, 2)", "-1.50"},
		{&arrow.Decimal256Type{Precision: 40, Scale: 1}, `"12.5"`, "decimal(3, 1)", "12.5"},
		{arrow.FixedWidthTypes.Date32, `"2026-01-31"`, "date32", "2026-01-31"},
		{arrow.FixedWidthTypes.Date64, `"1969-12-31"`, "date32", "1969-12-31"},
		{arrow.FixedWidthTypes.Time32s, `"01:02:03"`, "time64[us]", "01:02:03"},
		{arrow.FixedWidthTypes.Time64us, `"01:02:03.000004"`, "time64[us]", "01:02:03.000004"},
		{arrow.FixedWidthTypes.Time64ns, `"01:02:03.000004000"`, "time64[us]", "01:02:03.000004"},
		{&arrow.TimestampType{Unit: arrow.Second}, `"2026-01-31 10:00:00"`, "timestamp[us]", "2026-01-31 10:00:00"},
		{&arrow.TimestampType{Unit: arrow.Nanosecond}, `"2026-01-31 10:00:00.123456789"`, "timestamp[ns]",
			"2026-01-31 10:00:00.123456789"},
		{&arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}, `"2026-01-31 10:00:00.5Z"`, "timestamp[us, tz=UTC]",
			"2026-01-31 10:00:00.5+00"},
		{arrow.ListOf(arrow.PrimitiveTypes.Int32), `[1,null,3]`, "list<l: int64, nullable>", "[1, NULL, 3]"},
		{arrow.LargeListOf(arrow.BinaryTypes.String), `["a"]`, "list<l: utf8, nullable>", "[a]"},
		{arrow.ListOf(&arrow.Decimal128Type{Precision: 20, Scale: 2}), `["12345678901234567.89","1.50"]`,
			"list<l: decimal(19, 2), nullable>", "[12345678901234567.89, 1.50]"},
		{arrow.FixedSizeListOf(2, arrow.FixedWidthTypes.Date32), `["2026-01-31",null]`, "list<l: date32, nullable>",
			"[2026-01-31, NULL]"},
		{&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}, `"word"`, "utf8",
			"word"},
	} {
		got, err := c.bound("SELECT $1 AS v, CAST($1 AS VARCHAR) AS written", columns(b.typ),
			`[{"a":`+b.value+`},{"a":null}]`)
		if err != nil {
			t.Errorf("%s: %v", b.typ, err)
			continue
		}
		if became := got.schema.Field(0).Type.String(); became != b.became ||
			!strings.Contains(got.lines[0], `"written":`+quoted(b.want)) || got.lines[1] != `{"v":null,"written":null}` {
			t.Errorf("%s: %s %v; want %s %s", b.typ, became, got.lines, b.became, b.want)
		}
	}
}

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `\`, `\\`) + `"` }

func TestRowsOfParametersFollowEachOther(t *testing.T) {
	c := dial(t, address)
	got, err := c.bound("SELECT id, ? AS asked FROM employees WHERE id = ? ORDER BY id",
		columns(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64),
		`[{"a":null,"b":4},{"a":"x","b":1},{"a":"y","b":2},{"a":"z","b":null}]`)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the rows", strings.Join(got.lines, "\n"), `{"asked":null,"id":4}
{"asked":"y","id":2}`)
	got, err = c.bound("SELECT $one AS a, $two AS b",
		arrow.NewSchema(
			[]arrow.Field{{Name: "two", Type: arrow.PrimitiveTypes.Int64}, {Name: "one", Type: arrow.BinaryTypes.String}}, nil),
		`[{"one":"x","two":2}]`)
	if err != nil || got.lines[0] != `{"a":"x","b":2}` {
		t.Error(got.lines, err)
	}
	got, err = c.bound("SELECT ? AS v, city FROM employees AT (VERSION => ?) WHERE id = 2",
		columns(arrow.BinaryTypes.String, arrow.BinaryTypes.String), `[{"a":"x","b":"1.0.0"},{"a":"y","b":"1.0.1"}]`)
	if err != nil || strings.Join(got.lines, "\n") != `{"city":"Turin","v":"x"}
{"city":"Milan","v":"y"}` {
		t.Error(got.lines, err)
	}
	got, err = c.bound("SELECT id FROM employees WHERE id = ? OR ? IS NULL ORDER BY id", columns(arrow.Null, arrow.Null),
		`[{}]`)
	if err != nil || len(got.lines) != 3 {
		t.Error(got.lines, err)
	}
	many := columns(slices.Repeat([]arrow.DataType{arrow.PrimitiveTypes.Int64}, 11)...)
	got, err = c.bound("SELECT [?,?,?,?,?,?,?,?,?,?,?] AS v", many,
		`[{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"k":11}]`)
	if err != nil || got.lines[0] != `{"v":[1,2,3,4,5,6,7,8,9,10,11]}` {
		t.Error(got.lines, err)
	}
}

func TestParametersThatAreRefused(t *testing.T) {
	c := dial(t, address)
	integer, text := columns(arrow.PrimitiveTypes.Int64), columns(arrow.BinaryTypes.String)
	for _, b := range []struct {
		sql    string
		schema *arrow.Schema
		rows   string
		part   string
	}{
		{"SELECT ?, ?", integer, `[{"a":1}]`, "has 2 parameters, and the rows have 1 columns"},
		{"SELECT $b", integer, `[{"a":1}]`, "no column of the rows has that name"},
		{"SELECT ?", columns(arrow.FixedWidthTypes.Duration_s), `[{"a":"1s"}]`, "has the Arrow type duration"},
		{"SELECT ?", columns(arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int64})), `[{"a":{"x":1}}]`,
			"has the Arrow type struct"},
		{"SELECT ?", columns(arrow.ListOf(arrow.ListOf(arrow.PrimitiveTypes.Int64))), `[{"a":[[1]]}]`, "list of lists"},
		{"SELECT ?", columns(&arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}),
			`[{"a":"2026-01-31 10:00:00.000000001Z"}]`, "parts of microseconds"},
		{"SELECT ?", columns(&arrow.TimestampType{Unit: arrow.Second}), `[{"a":9223372036854775}]`, "outside the range"},
		{"SELECT ?", columns(arrow.FixedWidthTypes.Time32s), `[{"a":86400}]`, "outside the range"},
		{"SELECT id FROM employees WHERE id = ?", text, `[{"a":"not a number"}]`, "Could not convert"},
	} {
		_, err := c.bound(b.sql, b.schema, b.rows)
		refused(t, b.sql+" "+b.part, err, codes.InvalidArgument, b.part)
	}
	_, err := c.bound("SELECT ?", text, `[{"a":"`+strings.Repeat("x", 2<<20)+`"}]`)
	refused(t, "too much", err, codes.ResourceExhausted, "Bind fewer at a time")
	p, err := c.Prepare(context.Background(), "SELECT ?")
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Execute(context.Background())
	refused(t, "without values", err, codes.InvalidArgument, "has no value")
}

func TestWhatPreparingTells(t *testing.T) {
	c, ctx := dial(t, address), context.Background()
	p, err := c.Prepare(ctx, "SELECT id, name FROM employees WHERE id = ? AND city = ?")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.DatasetSchema().String(); !strings.Contains(got, "id: type=int64") ||
		!strings.Contains(got, "name: type=utf8") {
		t.Error(got)
	}
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
	_, err = p.GetSchema(ctx)
	if err == nil {
		t.Error("a closed statement has a schema")
	}
	_, err = c.Prepare(ctx, "SELECT nosuch FROM employees WHERE id = ?")
	refused(t, "an unknown column", err, codes.InvalidArgument, "Line 1, column 8")
}

// Some drivers convert each value to the parameter's type, so that must hold every value that the parameter may have.
func TestTheTypesOfParametersAreTold(t *testing.T) {
	c, ctx := dial(t, address), context.Background()
	const row = "(SELECT 1::TINYINT AS i, 2::UBIGINT AS u, 3::HUGEINT AS h, 1.5::FLOAT AS f, 1.25::DECIMAL(10, 2) AS " +
		"d, 'a'::ENUM('a', 'b') AS e, DATE '2026-01-31' AS day, TIMESTAMP '2026-01-31 10:00:00' AS t, TIMESTAMPTZ " +
		"'2026-01-31 10:00:00Z' AS z, true AS b, [1] AS l)"
	for where, want := range map[string]string{
		"i = ? AND i IN (SELECT id FROM employees WHERE id = ?)": "1: int64, 2: int64",
		"u = ? AND h = ? AND f = ? AND d = ?":                    "1: uint64, 2: int64, 3: float64, 4: decimal(10, 2)",
		"day = ? AND t = ? AND z = ? AND b = ?": "1: date32, 2: timestamp[ms], 3: " +
			"timestamp[ms, tz=UTC], 4: bool",
		"e = ? AND i = $2 AND e = $1": "1: utf8, 2: int64",
		"l = $list AND i = $count":    "count: int64, list: list<l: int32, nullable>",
		"$1 IS NULL":                  "1: utf8",
		"i = $1 OR e = $1":            "1: utf8",
	} {
		p, err := c.Prepare(ctx, "SELECT i FROM "+row+" WHERE "+where)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		var got []string
		for _, f := range p.ParameterSchema().Fields() {
			got = append(got, f.Name+": "+f.Type.String())
		}
		same(t, where, strings.Join(got, ", "), want)
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	}
}

func TestAPreparedStatementIsLookedAtAnew(t *testing.T) {
	c, ctx := dial(t, address), context.Background()
	id := newDataset(1, "growing")
	t.Cleanup(func() { drop(t, id) })
	commit(id, catalog.Append, `[{"a":1}]`)
	p, err := c.Prepare(ctx, "SELECT * FROM growing")
	if err != nil {
		t.Fatal(err)
	}
	for rows := 1; rows < 4; rows++ {
		info, err := p.Execute(ctx)
		if err != nil {
			t.Fatal(err)
		}
		commit(id, catalog.Append, `[{"a":1,"b":"new"}]`) // after the look: not in the answer
		if got, err := c.fetch(ctx, info); err != nil || len(got.lines) != rows {
			t.Errorf("%v, %v; want %d rows", got.lines, err, rows)
		}
	}
}

// Two connections use one handle: the last binding counts, and nothing breaks.
func TestAPreparedStatementOfTwoConnections(t *testing.T) {
	c, ctx := dial(t, address), context.Background()
	p, err := c.Prepare(ctx, "SELECT ?::INTEGER AS n")
	if err != nil {
		t.Fatal(err)
	}
	var at sync.WaitGroup
	for range 4 {
		same := flightsql.NewPreparedStatement(c.Client, p.Handle())
		b := c.batch(columns(arrow.PrimitiveTypes.Int64), `[{"a":7}]`)
		defer b.Release()
		same.SetParameters(b)
		defer same.SetParameters(nil)
		at.Go(func() {
			for range 5 {
				info, err := same.Execute(ctx) // binds anew
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := c.fetch(ctx, info); err != nil || !slices.Equal(got.lines, []string{`{"n":7}`}) {
					t.Error(got.lines, err)
				}
			}
		})
	}
	at.Wait()
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
}

// A statement is in its handle, with what is bound to it: any server runs it, as does one that has forgotten it.
func TestAnyServerRunsAPreparedStatement(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	first := dial(t, other(t, flight.Options{Now: func() time.Time { return now }}))
	second, ctx := dial(t, other(t, flight.Options{})), context.Background()
	id := newDataset(1, "roaming")
	t.Cleanup(func() { drop(t, id) })
	commit(id, catalog.Append, `[{"a":1},{"a":2}]`)
	p, err := first.Prepare(ctx, "SELECT ? AS asked, * EXCLUDE (_id, _commit) FROM roaming WHERE a = $1 ORDER BY _id")
	if err != nil {
		t.Fatal(err)
	}
	b := first.batch(columns(arrow.PrimitiveTypes.Int64), `[{"a":2},{"a":1}]`)
	defer b.Release()
	p.SetParameters(b)
	defer p.SetParameters(nil)
	info, err := p.Execute(ctx)
	if err != nil {
		t.Fatal(err)
	}
	commit(id, catalog.Append, `[{"a":1,"b":"after the look"}]`)
	want := []string{`{"a":2,"asked":2}`, `{"a":1,"asked":1}`}
	for name, c := range map[string]*client{"the server that described it": first, "another one": second} {
		if got, err := c.fetch(ctx, info); err != nil || !slices.Equal(got.lines, want) {
			t.Errorf("the ticket at %s: %v, %v", name, got.lines, err)
		}
	}
	there := flightsql.NewPreparedStatement(second.Client, p.Handle())
	info, err = there.Execute(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want = []string{`{"a":2,"asked":2,"b":null}`, `{"a":1,"asked":1,"b":null}`, `{"a":1,"asked":1,"b":"after the look"}`}
	if got, err := second.fetch(ctx, info); err != nil || !slices.Equal(got.lines, want) {
		t.Errorf("bound at one server and described at another: %v, %v", got.lines, err)
	}
	if err := there.Close(ctx); err != nil {
		t.Error(err)
	}
	var all []*flightsql.PreparedStatement
	for range 129 { // more than are remembered
		now = now.Add(time.Second)
		p, err := first.Prepare(ctx, one)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	now = now.Add(31 * time.Minute)
	for i, p := range map[int]*flightsql.PreparedStatement{0: all[0], 128: all[128]} {
		if _, err := p.Execute(ctx); err != nil {
			t.Errorf("statement %d, which is forgotten: %v", i, err)
		}
	}
}

func TestAHandleThatIsNone(t *testing.T) {
	c, ctx := dial(t, address), context.Background()
	whole, err := c.Prepare(ctx, one)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]byte{nil, whole.Handle()[:1], whole.Handle()[:20], {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} {
		_, err := flightsql.NewPreparedStatement(c.Client, part).Execute(ctx)
		refused(t, string(part), err, codes.NotFound, "Prepare it again")
	}
	_, err = flightsql.NewPreparedStatement(c.Client, append(whole.Handle(), "rows that are none"...)).Execute(ctx)
	refused(t, "rows that are none", err, codes.InvalidArgument, "")
	p := flightsql.NewPreparedStatement(c.Client, []byte("none"))
	defer p.Close(ctx)
	_, err = p.Execute(ctx)
	refused(t, "execute", err, codes.NotFound, "Prepare it again")
	b := c.batch(columns(arrow.PrimitiveTypes.Int64), `[{"a":1}]`)
	defer b.Release()
	p.SetParameters(b)
	_, err = p.Execute(ctx)
	refused(t, "bind", err, codes.NotFound, "Prepare it again")
	_, err = p.ExecuteUpdate(ctx)
	refused(t, "update", err, codes.Unimplemented, "ingest")
}
