//go:build duckdb_arrow

package output

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// query returns the query of a select list, with its columns as DuckDB types them.
func query(t *testing.T, conn *duck.Conn, sql string) Query {
	t.Helper()
	q := Query{SQL: sql}
	describe := "SELECT column_name, column_type FROM (DESCRIBE " + sql + ")"
	err := conn.Rows(t.Context(), describe, func(scan duck.Scan) error {
		var name, typ string
		if err := scan(&name, &typ); err != nil {
			return err
		}
		parsed, err := schema.Parse(typ)
		q.Columns = append(q.Columns, schema.Column{Name: name, Type: parsed})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func written(t *testing.T, conn *duck.Conn, q Query, format intake.Format) (string, Cut, error) {
	t.Helper()
	var out bytes.Buffer
	cut, err := Write(t.Context(), conn, q, format, &out, filepath.Join(t.TempDir(), "scratch"))
	return out.String(), cut, err
}

// A Parquet file of hundreds of columns of text takes little memory, where there are few rows.
func TestManyTextsAsParquet(t *testing.T) {
	conn := ducktest.ConnOf(t, duck.Limits{Threads: 2, Memory: 300e6, TempDir: t.TempDir()})
	list := make([]string, 200)
	for i := range list {
		list[i] = "c" + strconv.Itoa(i) + " := {'a': i, 'b': 'text ' || i || '-" + strconv.Itoa(i) + "'}"
	}
	record := "struct_pack(" + strings.Join(list, ", ") + ")"
	q := query(t, conn, "SELECT i, "+record+" AS before, "+record+" AS after FROM range(500) r(i) ORDER BY i")
	if text, _, err := written(t, conn, q, intake.Parquet); err != nil || !strings.HasPrefix(text, "PAR1") {
		t.Fatal(err)
	}
}

// How values of each type are written as text: in NDJSON, and in CSV.
func TestValuesAsText(t *testing.T) {
	conn := ducktest.Conn(t)
	for _, c := range []struct{ value, json, csv string }{
		{"NULL::VARCHAR", "null", ""},
		{"''", `""`, `""`},
		{"'say \"x\", ' || chr(10) || 'y'", `"say \"x\", \ny"`, "\"say \"\"x\"\", \ny\""},
		{"' x'", `" x"`, `" x"`},
		{"true", "true", "true"},
		{"(-9223372036854775808)::BIGINT", "-9223372036854775808", "-9223372036854775808"},
		{"18446744073709551615::UBIGINT", "18446744073709551615", "18446744073709551615"},
		{"0.10::DECIMAL(4,2)", "0.1", "0.10"},
		{"0.5::DECIMAL(3,3)", "0.5", "0.500"},
		{"-0.5::DECIMAL(3,3)", "-0.5", "-0.500"},
		{"0.1::DECIMAL(38,38)", `"0.10000000000000000000000000000000000000"`, "0.10000000000000000000000000000000000000"},
		{"12345678901234567890123456789012345678::DECIMAL(38,0)", "12345678901234567890123456789012345678",
			"12345678901234567890123456789012345678"},
		{"0.1::DOUBLE", "0.1", "0.1"},
		{"'nan'::DOUBLE", "null", "nan"},
		{"'-inf'::FLOAT", "null", "-inf"},
		{"DATE '2024-02-29'", `"2024-02-29"`, "2024-02-29"},
		{"TIME '01:02:03.5'", `"01:02:03.5"`, "01:02:03.5"},
		{"TIMESTAMP '2024-01-01 10:00:00'", `"2024-01-01T10:00:00"`, "2024-01-01T10:00:00"},
		{"TIMESTAMPTZ '2024-01-01 10:00:00+02'", `"2024-01-01T08:00:00Z"`, "2024-01-01T08:00:00Z"},
		{"TIMESTAMP_NS '2024-01-01 10:00:00.000000001'", `"2024-01-01T10:00:00.000000001"`, "2024-01-01T10:00:00.000000001"},
		{`'\x00\xFF'::BLOB`, `"AP8="`, "AP8="},
		{"UUID '00112233-4455-6677-8899-aabbccddeeff'", `"00112233-4455-6677-8899-aabbccddeeff"`,
			"00112233-4455-6677-8899-aabbccddeeff"},
		{`'{"a": 12345678901234567890.10}'::JSON`, `{"a": 12345678901234567890.10}`,
			"\"{\"\"a\"\": 12345678901234567890.10}\""},
		{"['a', NULL]", `["a",null]`, `"[""a"",null]"`},
		{"{'t': TIMESTAMP '2024-01-01 10:00:00', 'n': 'nan'::DOUBLE}", `{"t":"2024-01-01T10:00:00","n":null}`,
			`"{""t"":""2024-01-01T10:00:00"",""n"":null}"`},
		{"MAP {TIMESTAMP '2024-01-01 10:00:00': 'inf'::DOUBLE}", `{"2024-01-01T10:00:00":null}`,
			`"{""2024-01-01T10:00:00"":null}"`},
		{"NULL::STRUCT(t TIMESTAMP)", "null", ""},
		{"[NULL, {'t': TIMESTAMP '2024-01-01 10:00:00'}]", `[null,{"t":"2024-01-01T10:00:00"}]`,
			`"[null,{""t"":""2024-01-01T10:00:00""}]"`},
	} {
		q := query(t, conn, "SELECT "+c.value+" AS v")
		if got, _, err := written(t, conn, q, intake.NDJSON); err != nil || got != `{"v":`+c.json+"}\n" {
			t.Errorf("%s in NDJSON: %s, %v", c.value, got, err)
		}
		if got, _, err := written(t, conn, q, intake.CSV); err != nil || got != "v\n"+c.csv+"\n" {
			t.Errorf("%s in CSV: %q, %v", c.value, got, err)
		}
	}
}

func TestEmptyResults(t *testing.T) {
	conn := ducktest.Conn(t)
	q := query(t, conn, `SELECT 1 AS a, 2 AS "b,c" WHERE false`)
	for format, want := range map[intake.Format]string{intake.JSON: "[]\n", intake.NDJSON: "", intake.CSV: "a,\"b,c\"\n"} {
		if got, cut, err := written(t, conn, q, format); err != nil || got != want || cut != Whole {
			t.Errorf("%s: %q, %q, %v", format, got, cut, err)
		}
	}
}

// A limit cuts a result only if there is more, in every format.
func TestLimits(t *testing.T) {
	conn := ducktest.Conn(t)
	for _, format := range []intake.Format{intake.JSON, intake.NDJSON, intake.CSV, intake.Arrow, intake.Parquet} {
		for limit, want := range map[int64]Cut{0: AtLimit, 2: AtLimit, 3: Whole, 9: Whole} {
			q := query(t, conn, "SELECT i FROM range(3) t(i)")
			q.Limit = &limit
			got, cut, err := written(t, conn, q, format)
			if err != nil || cut != want {
				t.Errorf("%s, limit %d: %q, %v", format, limit, cut, err)
			}
			if format == intake.NDJSON && strings.Count(got, "\n") != int(min(limit, 3)) {
				t.Errorf("limit %d: %s", limit, got)
			}
		}
	}
}

// A result that is too large is cut, except as Parquet, which is refused and leaves no file.
func TestTooManyBytes(t *testing.T) {
	conn := ducktest.Conn(t)
	for _, format := range []intake.Format{intake.JSON, intake.NDJSON, intake.CSV, intake.Arrow, intake.Parquet} {
		q := query(t, conn, "SELECT hash(i) AS h, hash(i + 1) AS g FROM range(2_000_000) t(i)")
		q.Bytes = 100_000
		var out bytes.Buffer
		dir := t.TempDir()
		cut, err := Write(t.Context(), conn, q, format, &out, filepath.Join(dir, "scratch"))
		if format == intake.Parquet {
			if !errors.Is(err, ErrTooLarge) || out.Len() > 0 {
				t.Errorf("Parquet: %d bytes, %v", out.Len(), err)
			}
		} else if err != nil || cut != AtBytes || out.Len() > 20<<20 {
			t.Errorf("%s: %d bytes, %q, %v", format, out.Len(), cut, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s leaves %v, %v", format, left, err)
		}
	}
}

func TestTypesThatAFormatDoesNotHave(t *testing.T) {
	for _, c := range []struct {
		typ            string
		arrow, parquet string // the refused type; empty: none
	}{
		{"BIGINT", "", ""},
		{"INTERVAL", "", "INTERVAL"},
		{"TIME_NS[]", "", "TIME_NS"},
		{"UNION(a BIGINT)", "UNION", "UNION"},
		{"STRUCT(a MAP(VARCHAR, UNION(b BIGINT)))", "UNION", "UNION"},
		{"MAP(INTERVAL, BIGINT)", "", "INTERVAL"},
	} {
		typ, err := schema.Parse(c.typ)
		if err != nil {
			t.Fatal(err)
		}
		columns := []schema.Column{{Name: "ok", Type: schema.Of(schema.Bigint)}, {Name: "v", Type: typ}}
		for format, want := range map[intake.Format]string{intake.Arrow: c.arrow, intake.Parquet: c.parquet, intake.CSV: ""} {
			err := CheckTypes(columns, format)
			var refused *TypeError
			isRefused := errors.As(err, &refused)
			if isRefused != (want != "") || isRefused && (refused.Type != want || refused.Column.Name != "v") {
				t.Errorf("%s in %s: %v", c.typ, format, err)
			}
		}
	}
}

// A stream has all rows in order, in parts of about the requested size, and stops at a limit.
func TestStreamsAreSplit(t *testing.T) {
	conn := ducktest.Conn(t)
	const most = 64 << 10
	limit := int64(50_000)
	for _, c := range []struct {
		limit *int64
		rows  int64
		cut   Cut
	}{{nil, 60_000, Whole}, {&limit, 50_000, AtLimit}} {
		q := query(t, conn, "SELECT i, hash(i) AS h FROM range(60_000) t(i)")
		q.Limit = c.limit
		s, err := Open(t.Context(), conn, q, most)
		if err != nil {
			t.Fatal(err)
		}
		var rows int64
		parts := 0
		for {
			b, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			if b == nil {
				break
			}
			if got := b.Column(0).ValueStr(0); got != strconv.FormatInt(rows, 10) {
				t.Fatalf("row %d has %s", rows, got)
			}
			if size, err := encodedSize(b); err != nil || size > most+most/8 {
				t.Errorf("a batch of %d bytes, %v", size, err)
			}
			rows += b.NumRows()
			parts++
			b.Release()
		}
		if rows != c.rows || s.Cut() != c.cut || parts < 10 {
			t.Errorf("%d rows in %d parts, cut %q", rows, parts, s.Cut())
		}
		s.Close()
	}
}
