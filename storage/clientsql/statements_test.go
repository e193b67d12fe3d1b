package clientsql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
)

// Where names are in a statement is counted in bytes of its text, whatever comes before them; and what a name refers to
// follows SQL's rules of scope.
func TestNamesAreFoundWhereTheyAre(t *testing.T) {
	box := sandbox(t)
	for _, c := range []struct{ sql, tables, parameters string }{
		{"SELECT 'ü🦆' FROM d", "d@21", ""},
		{"FROM d", "d@5", ""},
		{"-- a comment\nSELECT *\n  FROM d", "d@29", ""},
		{"SELECT * FROM d, e, d", "d@14 e@17 d@20", ""},
		{`SELECT * FROM "d e".f`, "d e.f@14", ""},
		{"SELECT * FROM a.b.c", "a.b.c@14", ""},
		{"SELECT * FROM d WHERE EXISTS (SELECT 1 FROM e WHERE e.k = d.k)", "d@14 e@44", ""},
		{"SELECT (SELECT max(v) FROM e) FROM d", "e@27 d@35", ""},
		{"SELECT * FROM d UNION ALL SELECT * FROM e ORDER BY 1", "d@14 e@40", ""},
		{"SELECT * FROM d SEMI JOIN e USING (k)", "d@14 e@26", ""},
		{"SELECT * FROM (VALUES (1)) v(x), d", "d@33", ""},
		{"SELECT * FROM d, LATERAL (SELECT * FROM e WHERE e.k = d.k)", "d@14 e@40", ""},
		{"WITH d AS (SELECT 1) SELECT * FROM D", "", ""},
		{"WITH d AS (SELECT 1) SELECT * FROM s.d", "s.d@35", ""},
		{"WITH d AS (SELECT * FROM e), e AS (SELECT 1) SELECT * FROM d, e", "e@25", ""},
		{"SELECT * FROM (WITH d AS (SELECT 1) FROM d) x, d", "d@47", ""},
		{"SELECT * FROM range(3) UNION FROM unnest([1])", "", ""},
		{"SELECT * FROM d AT (VERSION => 3)", "d@14 VERSION 3", ""},
		{"SELECT * FROM d AT (VERSION => $v)", "d@14 VERSION $v", "v"},
		{"SELECT * FROM d AT (TIMESTAMP => TIMESTAMP '2026-01-01')", "d@14 TIMESTAMP 2026-01-01", ""},
		{"SELECT * FROM d AT (VERSION => 1 + 1)", "d@14 VERSION ", ""},
		{"SELECT $b, $a, $b FROM d LIMIT $c", "d@23", "a b c"},
		{"SELECT $2, $1", "", "1 2"},
		{"PIVOT d ON k IN ('a', 'b') USING sum(v)", "d@6", ""},
		{"SELECT * FROM d TABLESAMPLE 10%", "d@14", ""},
		{"SELECT x FROM d GROUP BY ALL HAVING true QUALIFY 1 = (SELECT 1 FROM e)", "d@14 e@68", ""},
	} {
		s, err := ParseSelect(t.Context(), box, c.sql)
		if got := tablesOf(s); err != nil || got != c.tables || strings.Join(s.Parameters, " ") != c.parameters {
			t.Errorf("%s: tables %q, parameters %q, %v", c.sql, got, s.Parameters, err)
		}
	}
}

// Every function that clients may not call is refused by name, however its name is written.
func TestRefusedFunctions(t *testing.T) {
	box := sandbox(t)
	_, refused := functions()
	tried := 0
	for _, name := range refused {
		if !wordy.MatchString(name) {
			continue
		}
		_, err := ParseSelect(t.Context(), box, "SELECT "+duck.Ident(strings.ToUpper(name))+"(1)")
		if got := refusal(err); !strings.HasPrefix(got, "forbidden_sql") && !strings.HasPrefix(got, "invalid_sql at 0") {
			t.Errorf("%s: %q", name, got)
		}
		tried++
	}
	if tried < 100 {
		t.Errorf("only %d functions are refused", tried)
	}
	for _, sql := range []string{
		"SELECT main.current_setting('x')", "SELECT ('x').current_setting()", "SELECT system.main.current_setting('x')",
		"SELECT list_transform(['x'], lambda e: current_setting(e))", "SELECT 1 ORDER BY current_setting('x')",
		"SELECT 1 WHERE current_setting('x') = ''", "WITH a AS (SELECT current_setting('x')) SELECT 1",
		"SELECT * FROM range(length(current_setting('x')))", "SELECT 1 LIMIT length(current_setting('x'))",
		"SELECT count(*) FILTER (current_setting('x') = '')", "VALUES (current_setting('x'))",
		"SELECT sum(1) OVER (PARTITION BY current_setting('x'))", "SELECT 1 GROUP BY current_setting('x')",
		"SELECT CASE WHEN true THEN current_setting('x') END", "SELECT [current_setting('x')][1:2]",
		"SELECT * FROM read_parquet('x')", "SELECT * FROM main.read_text('x')", "FROM glob('*')", "FROM query('SELECT 1')",
		"FROM duckdb_settings()", "FROM pragma_version()", "SELECT * FROM (SHOW DATABASES)", "SHOW TABLES",
		"SELECT * REPLACE (current_setting('x') AS a) FROM (SELECT 1 AS a)",
	} {
		_, err := ParseSelect(t.Context(), box, sql)
		if got := refusal(err); !strings.HasPrefix(got, "forbidden_sql") {
			t.Errorf("%s: %q", sql, got)
		}
	}
}

// What is not a single SELECT is refused before anything of it is run.
func TestStatementsOfOtherKinds(t *testing.T) {
	box := sandbox(t)
	for _, sql := range []string{
		"", " ", ";",
		"INSERT INTO records VALUES (1)", "UPDATE records SET a = 1", "DELETE FROM records", "DROP VIEW records",
		"COPY records TO 'x'", "ATTACH 'x'", "SET threads = 1", "PRAGMA version", "INSTALL x", "LOAD x", "CALL range(1)",
		"EXPLAIN SELECT 1", "SELECT 1; DROP VIEW records", "CREATE TABLE t AS SELECT 1", "BEGIN", "CHECKPOINT",
		"EXPORT DATABASE 'x'", "PREPARE p AS SELECT 1", "EXECUTE p", "USE x", "VACUUM", "SELECT 1e999999",
	} {
		if _, err := ParseSelect(t.Context(), box, sql); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", sql, err)
		}
	}
	var n int64
	if err := box.Row(t.Context(), "SELECT count(*) FROM records", &n); err != nil || n != 1 {
		t.Errorf("the records are %d, %v", n, err)
	}
}

// A misspelt function is answered with those whose names are nearest.
func TestTheNearestNames(t *testing.T) {
	box := sandbox(t)
	for _, sql := range []string{"SELECT lenght('a')", "SELECT lenght('a') OVER ()"} {
		_, err := ParseSelect(t.Context(), box, sql)
		if err == nil || !strings.Contains(err.Error(), "There is no function lenght(); the nearest names are length") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if _, err := ParseSelect(t.Context(), box, "SELECT * FROM `d`"); err == nil {
		t.Error("a name in backquotes was accepted")
	}
	for _, c := range []struct {
		names []string
		like  string
		most  int
		want  string
	}{
		{[]string{"price", "prize", "Prise"}, "PRICE", 2, "price Prise"},
		{[]string{"b", "a", "c"}, "x", 9, "a b c"},
		{[]string{"it's", `"q"`}, "its", 1, "it's"},
		{nil, "x", 3, ""},
	} {
		got, err := Nearest(t.Context(), box, c.names, c.like, c.most)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%q: %q, %v", c.like, got, err)
		}
	}
}

// What is exactly as large as a statement may be is accepted; one more is not.
func TestTheLargestStatements(t *testing.T) {
	box := sandbox(t)
	for name, of := range map[string]struct {
		most int
		sql  func(n int) string
	}{
		"queries": {maxQueriesDeep, func(n int) string {
			return strings.Repeat("SELECT * FROM (", n-1) + "SELECT 1" + strings.Repeat(")", n-1)
		}},
		"subqueries": {maxSubqueriesDeep, func(n int) string {
			return strings.Repeat("SELECT (", n) + "SELECT 1" + strings.Repeat(")", n)
		}},
		"brackets": {maxBracketsDeep, func(n int) string {
			return "SELECT " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n)
		}},
		"columns": {maxColumns, func(n int) string { return "SELECT 1" + strings.Repeat(", 1", n-1) }},
		"tables": {maxTables, func(n int) string { // in groups: so many joins in one FROM are too deep
			sql := "SELECT 1 FROM "
			for ; n > 0; n -= 100 {
				sql += "(SELECT 1 FROM d" + strings.Repeat(", d", min(n, 100)-1) + "), "
			}
			return strings.TrimSuffix(sql, ", ")
		}},
	} {
		if _, err := ParseSelect(t.Context(), box, of.sql(of.most)); err != nil {
			t.Errorf("%d %s: %v", of.most, name, err)
		}
		if _, err := ParseSelect(t.Context(), box, of.sql(of.most+1)); refusal(err) != "too_complex" {
			t.Errorf("%d %s: %v", of.most+1, name, err)
		}
	}
}

// Brackets in quotes are text.
func TestBracketsAreCountedOutsideQuotes(t *testing.T) {
	many := strings.Repeat("([{", maxBracketsDeep)
	for text, fine := range map[string]bool{
		"'" + many + "'": true, `"` + many + `"`: true, "'it''s" + many + "'": true, many: false, "''" + many: false,
		strings.Repeat("()", maxBracketsDeep+1): true,
	} {
		if err := checkBrackets(text); (err == nil) != fine {
			t.Errorf("%.20s: %v", text, err)
		}
	}
}

// A part of a statement is read from whatever JSON the parser gives, in any shape.
func TestNodesOfAnyShape(t *testing.T) {
	for text, want := range map[string]*node{
		`7`:    {Offset: unplaced},
		`null`: {Offset: unplaced},
		`[{}]`: {Offset: unplaced},
		`{}`:   {Offset: unplaced},
		`{"type":1,"class":null,"column_names":["a",2,"b"],"query_location":18446744073709551615}`: {
			Columns: []string{"a", "", "b"}, Offset: unplaced,
		},
		`{"type":"T","class":"C","value":true,"query_location":3,"alias":"x"}`: {
			Type: "T", Class: "C", Value: true, Offset: 3, Alias: "x",
		},
		`{"b":{"type":"B"},"a":[{"type":"A1"},5,[{"type":"A2"}]],"cte_map":{"map":[{"key":"w","value":{"type":"W"}},3]}}`: {
			Offset: unplaced, Parts: []*node{
				{Place: with, Given: "w", Type: "W", Offset: unplaced}, {Place: with, Offset: unplaced},
				{Place: "a", Type: "A1", Offset: unplaced}, {Place: "a", Type: "A2", Offset: unplaced},
				{Place: "b", Type: "B", Offset: unplaced},
			},
		},
	} {
		var tree any
		if err := json.Unmarshal([]byte(text), &tree); err != nil {
			t.Fatal(err)
		}
		if got := nodeOf("", tree); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, not %+v", text, got, want)
		}
	}
	n := nodeOf("", map[string]any{"a": []any{map[string]any{"type": "1"}, map[string]any{"type": "2"}}})
	if len(n.all("a")) != 2 || n.one("a").Type != "1" || n.one("none").Offset != unplaced || !n.hasAny("x", "a") ||
		n.hasAny("x") {
		t.Errorf("%+v", n)
	}
}

// Types are written in any form that DuckDB has, and are stored as one that Parquet has.
func TestTypesAsClientsWriteThem(t *testing.T) {
	box := sandbox(t)
	for written, want := range map[string]string{
		"text": "VARCHAR", "INT8": "BIGINT", "float8": "DOUBLE", "numeric": "DECIMAL(18,3)", "decimal(5)": "DECIMAL(5,0)",
		"timestamptz": "TIMESTAMP WITH TIME ZONE", "INT[3]": "INTEGER[]", "int[][]": "INTEGER[][]", " date ": "DATE",
		"map(text, int)": "MAP(VARCHAR, INTEGER)", "HUGEINT": "DECIMAL(38,0)", "ENUM('a', 'b')": "VARCHAR",
		"row(a int, b text)": `STRUCT("a" INTEGER, "b" VARCHAR)`, `struct("a b" date)`: `STRUCT("a b" DATE)`,
		"timestamp_s": "TIMESTAMP", "json": "JSON", "uuid": "UUID", "int -- a comment": "unknown_type",
		"INTERVAL": "unknown_type", "UNION(a int)": "unknown_type", "DECIMAL(39,0)": "unknown_type",
		"DECIMAL(3,4)": "unknown_type", "int, int": "unknown_type", "int) + (1": "unknown_type", "'int'": "unknown_type",
		"int COLLATE x": "unknown_type", "STRUCT(a int, A int)": "unknown_type",
	} {
		typ, err := ParseType(t.Context(), box, written)
		got := typ.String()
		if err != nil {
			got = refusal(err)
		}
		if got != want {
			t.Errorf("%q: %q, not %q (%v)", written, got, want, err)
		}
	}
}

// An error that the client's SQL caused is told with what DuckDB says; others are not the client's.
func TestErrorsOfClientsSQL(t *testing.T) {
	box := sandbox(t)
	run := func(sql string) error {
		_, err := box.Exec(t.Context(), sql)
		return err
	}
	other := errors.New("other")
	for _, c := range []struct {
		err        error
		code, says string
	}{
		{run("SELECT x FROM records"), "invalid_sql", `Referenced column "x" not found`},
		{run("SELECT CAST('x' AS INTEGER)"), "invalid_sql", "Could not convert string 'x' to INT32"},
		{run("SELECT * FROM read_text('/etc/passwd')"), "forbidden_sql", "can read records and nothing else"},
		{other, "internal: other", "other"},
	} {
		err := Explain(c.err)
		if refusal(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v became %v", c.err, err)
		}
	}
	if Explain(nil) != nil {
		t.Error("no error became one")
	}
	for _, c := range []struct{ message, position, want string }{
		{"syntax error\nLINE 1: x", "5", "The SQL can't be parsed: syntax error. at 5"},
		{`syntax error at or near "@"`, "1", `in double quotes, as "name@ref". at 1`},
		{"", "", "The SQL can't be parsed: it is not one statement. at -1"},
		{"Only SELECT statements can be serialized to json!", "x", "it is not one SELECT"},
	} {
		var r *Refusal
		err := unparsed(c.message, c.position)
		if !errors.As(err, &r) || !strings.Contains(fmt.Sprint(err, " at ", r.Offset), c.want) {
			t.Errorf("%q: %v at %d", c.message, err, r.Offset)
		}
	}
}

// A locked sandbox reads the files that it was given, and does nothing else, whatever the statement is.
func TestALockedSandbox(t *testing.T) {
	boxes := NewSandboxes(func() duck.Limits { return duck.Limits{Threads: 1} }, nil)
	t.Cleanup(boxes.Close)
	dir := t.TempDir()
	mine, other := filepath.Join(dir, "mine.csv"), filepath.Join(dir, "other.csv")
	for _, path := range []string{mine, other} {
		if err := os.WriteFile(path, []byte("a\n1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	box, err := boxes.OpenLocked(t.Context(), true, []string{mine, mine}, "CREATE VIEW records AS FROM "+duck.Text(mine))
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	var n int64
	if err := box.Row(t.Context(), "SELECT a FROM records", &n); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	for _, sql := range []string{
		"FROM " + duck.Text(other), "FROM read_text(" + duck.Text(other) + ")", "FROM glob(" + duck.Text(dir+"/*") + ")",
		"COPY records TO " + duck.Text(filepath.Join(dir, "out.csv")), "COPY records TO " + duck.Text(other),
		"ATTACH " + duck.Text(filepath.Join(dir, "x.db")), "INSTALL httpfs", "LOAD httpfs", "SET threads = 2",
		"RESET allowed_paths", "SET enable_external_access = true", "SET lock_configuration = false",
		"EXPORT DATABASE " + duck.Text(filepath.Join(dir, "all")), "FROM " + duck.Text(filepath.Join(dir, "..", "mine.csv")),
		"SET allowed_paths = ['/']", "SET temp_directory = " + duck.Text(dir),
	} {
		if _, err := box.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s was run", sql)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Errorf("there are %v, %v", files, err)
	}
	if body, err := os.ReadFile(other); err != nil || string(body) != "a\n1\n" {
		t.Errorf("the other file has %q, %v", body, err)
	}
}

// So many statements run at once, and no more; commits do not wait for readers, and who is gone does not wait at all.
func TestSandboxesAreLimited(t *testing.T) {
	boxes := NewSandboxes(func() duck.Limits { return duck.Limits{Threads: 1} }, nil)
	t.Cleanup(boxes.Close)
	var open []*duck.Conn
	take := func(ctx context.Context, commit bool) error {
		box, err := boxes.Open(ctx, commit)
		if err == nil {
			open = append(open, box)
		}
		return err
	}
	defer func() {
		for _, box := range open {
			box.Close()
		}
	}()
	for range maxReaders {
		if err := take(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	gone, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the client is gone")
	cancel(why)
	if err := take(gone, false); !errors.Is(err, why) {
		t.Errorf("one more reader: %v", err)
	}
	if err := take(t.Context(), true); err != nil {
		t.Errorf("a commit: %v", err)
	}
	open[0].Close() // its place is free once it has ended
	open = slices.Delete(open, 0, 1)
	if err := take(t.Context(), false); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
	if err := NotStarted(gone, why); err != why {
		t.Errorf("of a request that is gone: %v", err)
	}
	if err := NotStarted(t.Context(), why); fault.KindOf(err) != fault.Unavailable || !errors.Is(err, why) {
		t.Errorf("of one that is not: %v", err)
	}
}
