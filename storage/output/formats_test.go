//go:build duckdb_arrow

package output

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// everything has a value at the limits of every type that a result can have, and what is nested in others.
var everything = []string{
	"true", "(-128)::TINYINT", "(-32768)::SMALLINT", "(-2147483648)::INTEGER", "(-9223372036854775808)::BIGINT",
	"255::UTINYINT", "65535::USMALLINT", "4294967295::UINTEGER", "18446744073709551615::UBIGINT", "1.5::FLOAT",
	"0.1::DOUBLE", "1e308::DOUBLE", "5e-324::DOUBLE", "'nan'::DOUBLE", "'inf'::FLOAT", "-0.0::DOUBLE",
	"0.05::DECIMAL(2,2)", "(-0.5)::DECIMAL(18,18)",
	"0.1::DECIMAL(38,38)", "99999999999999999999999999999999999999::DECIMAL(38,0)",
	"'it''s \"x\"' || chr(9) || chr(10) || '🦆\\'", "''", "'\\x00\\xFF'::BLOB", "'{\"a\": [1.50]}'::JSON", "'null'::JSON",
	"('[1,' || chr(10) || '2]')::JSON", "UUID '00112233-4455-6677-8899-aabbccddeeff'", "DATE '0044-03-15 (BC)'",
	"DATE '9999-12-31'", "TIME '23:59:59.999999'", "TIMESTAMP '1066-10-14 09:00:00.000001'",
	"TIMESTAMP_NS '2024-01-01 00:00:00.000000001'", "TIMESTAMPTZ '2024-01-01 00:00:00.5+05:30'", "[]::INTEGER[]",
	"[1, NULL]", "[['a'], [], NULL]", "[0.5::DOUBLE, 'nan'::DOUBLE, NULL]",
	"{'a b': 1, 'c': {'d': TIMESTAMP '2024-01-01'}}",
	"[{'x': 0.5::DECIMAL(1,1)}, NULL]", "MAP {'k': [1.5::DOUBLE]}", "MAP {DATE '2024-01-01': NULL::DOUBLE}",
	"MAP {0.5::DECIMAL(1,1): '\\x01'::BLOB}",
	"{'b': '\\xFF'::BLOB, 'n': NULL::BLOB}", "12345678901234567890::HUGEINT", "[{'sum': 12345678901234567890::UHUGEINT}]",

	"'a'::ENUM('a', 'b')", "'101'::BIT", "TIMETZ '01:02:03+04'",
}

// wide is a result with every value and a null of its type, in two rows, under odd names.
func wide(t *testing.T, conn *duck.Conn) Query {
	t.Helper()
	list := make([]string, len(everything))
	for i, value := range everything {
		list[i] = fmt.Sprintf(`CASE WHEN n = 1 THEN %s END AS "c,%d "" ü"`, value, i)
	}
	return query(t, conn, "SELECT "+strings.Join(list, ", ")+" FROM (VALUES (1), (2)) t(n)")
}

// JSON is JSON whatever the values are, with every name in its place, and a line for each record where it has to be.
func TestJSONIsValid(t *testing.T) {
	conn := ducktest.Conn(t)
	q := wide(t, conn)
	lines, _, err := written(t, conn, q, intake.NDJSON)
	if err != nil {
		t.Fatal(err)
	}
	records := strings.SplitAfter(lines, "\n")
	if len(records) != 3 || records[2] != "" {
		t.Fatalf("%d lines", len(records))
	}
	whole, _, err := written(t, conn, q, intake.JSON)
	if err != nil || !json.Valid([]byte(whole)) {
		t.Errorf("%s, %v", whole, err)
	}
	if want := "[" + strings.TrimSpace(records[0]) + ",\n" + strings.TrimSpace(records[1]) + "]\n"; whole != want {
		t.Errorf("as an array %s, not %s", whole, want)
	}
	for row, record := range records[:2] {
		d := json.NewDecoder(strings.NewReader(record))
		d.Token()
		for i := range everything {
			name, err := d.Token()
			if want := fmt.Sprintf(`c,%d " ü`, i); err != nil || name != want {
				t.Fatalf("field %v, not %s (%v)", name, want, err)
			}
			var value json.RawMessage
			if err := d.Decode(&value); err != nil {
				t.Fatalf("%s: %v", everything[i], err)
			}
			if row == 1 && string(value) != "null" {
				t.Errorf("a null of the type of %s is %s", everything[i], value)
			}
		}
	}
}

// Every cell of CSV is read back as the text that it stands for, by any reader of CSV.
func TestCSVIsReadBack(t *testing.T) {
	conn := ducktest.Conn(t)
	q := wide(t, conn)
	text, _, err := written(t, conn, q, intake.CSV)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatal(len(rows), err)
	}
	for i, c := range q.Columns {
		if rows[0][i] != c.Name || rows[2][i] != "" {
			t.Errorf("%s: name %q, null %q", everything[i], rows[0][i], rows[2][i])
		}
		var want string
		plain := "SELECT " + csvValue(duck.Ident(c.Name), c.Type) + " FROM (" + q.SQL + ") LIMIT 1"
		if err := conn.Row(t.Context(), plain, &want); err != nil || rows[1][i] != want {
			t.Errorf("%s: %q, not %q (%v)", everything[i], rows[1][i], want, err)
		}
	}
}

// Whatever text a table has, and wherever it is null, it comes back from each format as it was.
func TestTextsComeBackFromEveryFormat(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	conn := ducktest.Conn(t)
	letters := []rune("ab ,;|\t\"'\\\n\r#é🦆0-{}[]:\u00a0\u2028")
	some := func() string {
		if random.IntN(5) == 0 {
			return "NULL"
		}
		out := make([]rune, random.IntN(6))
		for i := range out {
			out[i] = letters[random.IntN(len(letters))]
		}
		return duck.Text(string(out))
	}
	for range 15 {
		var rows []string
		for i := range 1 + random.IntN(20) {
			rows = append(rows, fmt.Sprintf("(%d, %s, %s)", i, some(), some()))
		}
		q := query(t, conn, "SELECT n, CAST(a AS VARCHAR) AS a, CAST(b AS VARCHAR) AS b FROM (VALUES "+
			strings.Join(rows, ", ")+") t(n, a, b) ORDER BY n")
		for _, format := range []intake.Format{intake.CSV, intake.JSON, intake.NDJSON, intake.Arrow, intake.Parquet} {
			body, _, err := written(t, conn, q, format)
			if err != nil {
				t.Fatal(err)
			}
			if differ := differences(t, conn, q, format, body); differ != 0 {
				t.Errorf("%d rows of %s came back otherwise from %s: %q", differ, rows, format, body)
			}
		}
	}
}

// differences reads a body as an upload, and counts the rows of texts that differ from those of the query.
func differences(t *testing.T, conn *duck.Conn, q Query, format intake.Format, body string) (n int64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := intake.Open(t.Context(), conn, intake.Upload{Format: format, Path: path, Size: int64(len(body))})
	if err != nil {
		t.Fatalf("%s: %v: %q", format, err, body)
	}
	sql, release, err := r.Relation(t.Context(), conn, intake.Want{Columns: []int{0, 1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := conn.Exec(t.Context(), "CREATE OR REPLACE TEMP TABLE back AS "+sql); err != nil {
		t.Fatalf("%s: %v: %q", format, r.Explain(err), body)
	}
	ask := `SELECT count(*) FROM (` + q.SQL + `) q FULL JOIN back ON q.n = CAST(back.o0 AS BIGINT)
		WHERE a IS DISTINCT FROM CAST(o1 AS VARCHAR) OR b IS DISTINCT FROM CAST(o2 AS VARCHAR) OR q.n IS DISTINCT FROM _n`
	if err := conn.Row(t.Context(), ask, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Arrow and Parquet keep every type and value.
func TestArrowAndParquetKeepEverything(t *testing.T) {
	conn := ducktest.Conn(t)
	q := wide(t, conn)
	want, err := conn.Batch(t.Context(), q.SQL)
	if err != nil {
		t.Fatal(err)
	}
	defer want.Release()
	stream, _, err := written(t, conn, q, intake.Arrow)
	if err != nil {
		t.Fatal(err)
	}
	in, err := ipc.NewReader(strings.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Release()
	if !in.Next() {
		t.Fatal(in.Err())
	}
	for i := range everything {
		if got := in.RecordBatch().Column(i); !array.Equal(got, want.Column(i)) && !isNaN(got) {
			t.Errorf("%s in Arrow: %v, not %v", everything[i], got, want.Column(i))
		}
	}
	file, _, err := written(t, conn, q, intake.Parquet)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "back.parquet")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, c := range q.Columns {
		var same bool
		var typ string
		kept := c.Type // what Parquet does not have, it has in the type in which that is stored
		if stored, ok := schema.Stored(c.Type); ok {
			kept = stored
		}
		ask := fmt.Sprintf(`SELECT bool_and(CAST(v AS %[4]s) IS NOT DISTINCT FROM w), any_value(typeof(w)) FROM
			(SELECT %[1]s AS v, row_number() OVER () AS n FROM (%[2]s)) JOIN
			(SELECT %[1]s AS w, row_number() OVER () AS n FROM %[3]s) USING (n)`,
			duck.Ident(c.Name), q.SQL, duck.Text(path), kept.SQL())
		if err := conn.Row(t.Context(), ask, &same, &typ); err != nil {
			t.Errorf("%s: %v", everything[i], err)
			continue
		}
		if got, err := schema.Parse(typ); err != nil || !same || !got.Equal(kept) {
			t.Errorf("%s in Parquet: the same value %v, of the type %s (%v)", everything[i], same, typ, err)
		}
	}
}

// An integer that no type of Parquet has is refused there, and not rounded.
func TestIntegersBeyond38DigitsInParquet(t *testing.T) {
	conn := ducktest.Conn(t)
	q := query(t, conn, "SELECT 170141183460469231731687303715884105727::HUGEINT AS x")
	_, _, err := written(t, conn, q, intake.Parquet)
	if duck.CauseOf(err) != duck.Input || !strings.Contains(fmt.Sprint(err), "DECIMAL(38,0)") {
		t.Errorf("%v", err)
	}
}

// isNaN reports whether an array has a NaN, which equals nothing.
func isNaN(a arrow.Array) bool { return strings.Contains(strings.ToLower(a.String()), "nan") }

// Fields are quoted where another reader could take them for something else, and read back as they were.
func TestQuotingOfFields(t *testing.T) {
	for text, want := range map[string]string{
		"a": "a", "": `""`, " a": `" a"`, "a ": `"a "`, "a b": "a b", `"`: `""""`, "a,b": `"a,b"`, "a;b": `"a;b"`,
		"a\tb": "\"a\tb\"", "a|b": `"a|b"`, "a\nb": "\"a\nb\"", "a\rb": "\"a\rb\"", "é": "é", "'": "'", "NULL": "NULL",
	} {
		got := csvField(text)
		if got != want {
			t.Errorf("%q is %s, not %s", text, got, want)
		}
		record, err := csv.NewReader(strings.NewReader(got + ",x\n")).Read()
		if back := strings.ReplaceAll(text, "\r\n", "\n"); err != nil || record[0] != back {
			t.Errorf("%q is read back as %q, %v", text, record, err)
		}
	}
}

// A record without columns is an empty object; JSON columns keep their text, numbers with all digits.
func TestRecordsAsSQL(t *testing.T) {
	conn := ducktest.Conn(t)
	jsonColumn := schema.Column{Name: "j", Type: schema.Of(schema.JSON)}
	for _, c := range []struct {
		columns []schema.Column
		from    string
		want    string
	}{
		{nil, "SELECT 1", "{}"},
		{[]schema.Column{jsonColumn}, `SELECT '{"a": 1.50, "b": 12345678901234567890123}' AS j`,
			`{"j":{"a": 1.50, "b": 12345678901234567890123}}`},
		{[]schema.Column{jsonColumn}, `SELECT NULL AS j`, `{"j":null}`},
		{[]schema.Column{jsonColumn}, `SELECT ('[1,' || chr(10) || '2]')::JSON AS j`, `{"j":[1,2]}`},
		{[]schema.Column{{Name: `it's "x"`, Type: schema.Of(schema.Bigint)}, jsonColumn},
			`SELECT 7 AS "it's ""x""", '"q"'::JSON AS j`, `{"it's \"x\"":7,"j":"q"}`},
		{[]schema.Column{{Name: "t", Type: schema.Of(schema.TimestampTZ)}, jsonColumn},
			`SELECT TIMESTAMPTZ '2024-01-01 00:00:00+00' AS t, 'true'::JSON AS j`, `{"t":"2024-01-01T00:00:00Z","j":true}`},
	} {
		var got string
		if err := conn.Row(t.Context(), "SELECT "+Record(c.columns, nameOf)+" FROM ("+c.from+")", &got); err != nil ||
			got != c.want {
			t.Errorf("%s: %s, not %s (%v)", c.from, got, c.want, err)
		}
	}
}

// The text of a record of many columns is made in pieces, and is that of one object; JSON among them changes nothing.
func TestRecordsOfManyColumnsAsSQL(t *testing.T) {
	conn := ducktest.Conn(t)
	values := []string{
		"range", "NULL", "'{\"é\u0301🙂}'", "'}'", "range::DOUBLE / 3", "{'a': range, 'b': '{'}", "''", "[range]", "TIMESTAMP '2024-01-01'",
	}
	types := []schema.Type{
		schema.Of(schema.Bigint), schema.Of(schema.Varchar), schema.Of(schema.Varchar), schema.Of(schema.Varchar),
		schema.Of(schema.Double), schema.Type{Name: schema.Struct, Fields: []schema.Field{
			{Name: "a", Type: schema.Of(schema.Bigint)}, {Name: "b", Type: schema.Of(schema.Varchar)},
		}}, schema.Of(schema.Varchar), schema.ListOf(schema.Of(schema.Bigint)), schema.Of(schema.Timestamp),
	}
	for _, n := range []int{objectColumns, objectColumns + 1, 2 * objectColumns, 2*objectColumns + 1} {
		var columns []schema.Column
		var list []string
		for i := range n {
			c := schema.Column{Name: fmt.Sprintf("ü %d", i), Type: types[i%len(types)]}
			columns, list = append(columns, c), append(list, values[i%len(values)]+" AS "+duck.Ident(c.Name))
		}
		from := " FROM (SELECT " + strings.Join(list, ", ") + " FROM range(3)) ORDER BY 1"
		want := textsOf(t, conn, "SELECT "+object(columns, nameOf)+from)
		if got := textsOf(t, conn, "SELECT "+Record(columns, nameOf)+from); got != want || !json.Valid([]byte("["+got+"]")) {
			t.Errorf("%d columns:\n%s\nnot\n%s", n, got, want)
		}
		if got := textsOf(t, conn, "SELECT "+spliced(columns, nameOf)+from); got != want {
			t.Errorf("%d columns, spliced:\n%s\nnot\n%s", n, got, want)
		}
	}
}

// textsOf returns the texts that a query selects, with commas between them.
func textsOf(t *testing.T, conn *duck.Conn, query string) string {
	t.Helper()
	var out []string
	err := conn.Rows(t.Context(), query, func(scan duck.Scan) error {
		var text string
		err := scan(&text)
		out = append(out, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, ",")
}

// A result that is cut is still whole in its format.
func TestCutResultsAreWellFormed(t *testing.T) {
	conn := ducktest.Conn(t)
	for _, format := range []intake.Format{intake.JSON, intake.NDJSON, intake.CSV, intake.Arrow} {
		q := query(t, conn, "SELECT i, repeat('x', 100) AS s FROM range(400_000) t(i)")
		q.Bytes = 1_000_000
		body, cut, err := written(t, conn, q, format)
		if err != nil || cut != AtBytes {
			t.Errorf("%s: cut %q, %v", format, cut, err)
		}
		rows := int64(strings.Count(body, "xxx\n"))
		switch format {
		case intake.JSON:
			if !json.Valid([]byte(body)) {
				t.Errorf("the cut array ends with %q", body[max(0, len(body)-20):])
			}
			continue
		case intake.NDJSON:
			rows = int64(strings.Count(body, "\"}\n"))
			if !strings.HasSuffix(body, "\"}\n") {
				t.Errorf("the cut lines end with %q", body[max(0, len(body)-20):])
			}
		case intake.Arrow:
			rows = rowsOf(t, body)
		}
		if rows == 0 || rows >= 400_000 {
			t.Errorf("%s: %d rows", format, rows)
		}
	}
}

// rowsOf reads an Arrow stream to its end and returns the number of rows.
func rowsOf(t *testing.T, stream string) (rows int64) {
	t.Helper()
	in, err := ipc.NewReader(strings.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Release()
	for in.Next() {
		rows += in.RecordBatch().NumRows()
	}
	if in.Err() != nil {
		t.Fatal(in.Err())
	}
	return rows
}

// A query that fails while its result is being written fails the writing, and leaves no file; so do a client that is
// gone and a request that has ended.
func TestFailuresWhileWriting(t *testing.T) {
	conn := ducktest.Conn(t)
	late := "SELECT CASE WHEN i = 299_999 THEN error('late') ELSE i END AS v FROM range(300_000) t(i)"
	gone := errors.New("the client is gone")
	for _, format := range []intake.Format{intake.JSON, intake.NDJSON, intake.CSV, intake.Arrow, intake.Parquet} {
		dir := t.TempDir()
		q := Query{SQL: late, Columns: []schema.Column{{Name: "v", Type: schema.Of(schema.Bigint)}}}
		var out bytes.Buffer
		_, err := Write(t.Context(), conn, q, format, &out, filepath.Join(dir, "scratch"))
		if err == nil || duck.CauseOf(err) != duck.Input || !strings.Contains(err.Error(), "late") {
			t.Errorf("%s of a query that fails: %v", format, err)
		}
		if format == intake.Arrow && bytes.HasSuffix(out.Bytes(), []byte{255, 255, 255, 255, 0, 0, 0, 0}) {
			t.Error("the stream of a query that failed has an end")
		}
		q.SQL = "SELECT i AS v FROM range(300_000) t(i)"
		if _, err := Write(t.Context(), conn, q, format, broken{gone}, filepath.Join(dir, "scratch")); !errors.Is(err, gone) {
			t.Errorf("%s to a client that is gone: %v", format, err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(gone)
		if _, err := Write(ctx, conn, q, format, &out, filepath.Join(dir, "scratch")); err == nil {
			t.Errorf("%s of a request that has ended was written", format)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s leaves %v, %v", format, left, err)
		}
	}
	if _, err := Write(t.Context(), conn, Query{SQL: "SELECT 1"}, "xml", &bytes.Buffer{}, ""); err == nil {
		t.Error("a format that does not exist was written")
	}
}

// broken is a writer that always fails.
type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

// Parameters have their values in every format, and a limit as large as there is means none.
func TestParametersAndLimits(t *testing.T) {
	conn := ducktest.Conn(t)
	none := int64(math.MaxInt64)
	for _, format := range []intake.Format{intake.JSON, intake.NDJSON, intake.CSV, intake.Arrow, intake.Parquet} {
		q := Query{
			SQL: "SELECT CAST($word AS VARCHAR) AS v FROM range(CAST($n AS BIGINT))", Limit: &none,
			Columns: []schema.Column{{Name: "v", Type: schema.Of(schema.Varchar)}},
			Params:  []duck.Param{{Name: "n", Value: int64(3)}, {Name: "word", Value: "it's"}},
		}
		body, cut, err := written(t, conn, q, format)
		if err != nil || cut != Whole || !strings.Contains(body, "it's") {
			t.Errorf("%s: %q, %v", format, cut, err)
		}
		if format == intake.NDJSON && body != strings.Repeat("{\"v\":\"it's\"}\n", 3) {
			t.Errorf("%s", body)
		}
	}
}

// The paths that may be written are known before, so that others can clean up.
func TestScratchFiles(t *testing.T) {
	if got := Scratch(intake.CSV, "/x"); got != nil {
		t.Errorf("CSV: %v", got)
	}
	if got := Scratch(intake.Parquet, "/x"); !slices.Equal(got, []string{"/x", "/x.delta", "/x.whole"}) {
		t.Errorf("Parquet: %v", got)
	}
}

// The refusal of a type says which column it is and what to do.
func TestTheRefusalOfAType(t *testing.T) {
	err := CheckTypes([]schema.Column{{Name: `a "b"`, Type: schema.ListOf(schema.Of("INTERVAL"))}}, intake.Parquet)
	want := `Column "a \"b\"" of the result has the type INTERVAL, which Parquet can't hold. ` +
		`Cast it, as in CAST("a ""b""" AS VARCHAR), or ask for JSON or CSV.`
	if err == nil || err.Error() != want {
		t.Errorf("%v, not %s", err, want)
	}
}

// A stream counts what is left of its bytes, ends where they do, and has its schema even without rows.
func TestBytesOfAStream(t *testing.T) {
	conn := ducktest.Conn(t)
	q := query(t, conn, "SELECT hash(i) AS h FROM range(200_000) t(i)")
	q.Bytes = 500_000
	s, err := Open(t.Context(), conn, q, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	left, rows := s.Left(), int64(0)
	for {
		b, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			break
		}
		size, err := encodedSize(b)
		if err != nil || left-s.Left() < b.NumRows()*8 || left-s.Left() > size+size/2 {
			t.Errorf("a batch of %d bytes took %d, %v", size, left-s.Left(), err)
		}
		left, rows = s.Left(), rows+b.NumRows()
		b.Release()
	}
	s.Close()
	if s.Cut() != AtBytes || left > 0 || rows == 0 || rows == 200_000 {
		t.Errorf("%d rows, %d bytes left, cut %q", rows, left, s.Cut())
	}
	empty, err := Open(t.Context(), conn, query(t, conn, "SELECT 1::BIGINT AS a, 'x' AS b WHERE false"), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	if b, err := empty.Next(); b != nil || err != nil || empty.Schema().NumFields() != 2 || empty.Cut() != Whole {
		t.Errorf("of an empty result: %v, %v, %v", b, err, empty.Schema())
	}
}

// A row that is larger than a batch should be comes in a batch of its own; rows are never lost by splitting.
func TestSplittingBatches(t *testing.T) {
	conn := ducktest.Conn(t)
	batch, err := conn.Batch(t.Context(),
		"SELECT i, repeat('x', CASE i WHEN 3 THEN 100_000 ELSE 10 END) AS s FROM range(9) t(i)")
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	for _, most := range []int64{1, 2_000, 1 << 30} {
		parts, err := split(nil, batch, most)
		if err != nil {
			t.Fatal(err)
		}
		var next int64
		for _, p := range parts {
			for i := range int(p.NumRows()) {
				if got := p.Column(0).ValueStr(i); got != strconv.FormatInt(next, 10) {
					t.Fatalf("at most %d bytes: row %s comes at %d", most, got, next)
				}
				next++
			}
			if p.NumRows() > 1 && p.size > most {
				t.Errorf("%d rows have %d bytes, of at most %d", p.NumRows(), p.size, most)
			}
			p.Release()
		}
		if next != 9 || most == 1 && len(parts) != 9 || most == 1<<30 && len(parts) != 1 {
			t.Errorf("at most %d bytes: %d rows in %d parts", most, next, len(parts))
		}
	}
}
