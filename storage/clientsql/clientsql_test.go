package clientsql

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// sandbox opens one that can read nothing.
func sandbox(t *testing.T) *duck.Conn {
	t.Helper()
	boxes := NewSandboxes(func() duck.Limits { return duck.Limits{Threads: 1} }, nil)
	t.Cleanup(boxes.Close)
	box, err := boxes.OpenLocked(context.Background(), false, nil, "CREATE VIEW records AS SELECT 1 AS a, 'x' AS b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	return box
}

// refusal is an error's code, with the place of what is refused where that is known.
func refusal(err error) string {
	var e *fault.Error
	var r *Refusal
	switch {
	case err == nil:
		return ""
	case errors.As(err, &r) && r.Offset >= 0:
		errors.As(err, &e)
		return fmt.Sprint(e.Code, " at ", r.Offset)
	case errors.As(err, &e):
		return e.Code
	}
	return "internal: " + err.Error()
}

func TestStatementsNameTablesAndParameters(t *testing.T) {
	box := sandbox(t)
	for _, c := range []struct{ sql, tables, parameters, refused string }{
		{"SELECT * FROM d", "d@14", "", ""},
		{`SELECT * FROM "d@1.0.0" JOIN s.e USING (k) WHERE v = $w AND u = $v`, "d@1.0.0@14 s.e@29", "v w", ""},
		{"WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b, c", "c@62", "", ""},
		{"WITH a AS (SELECT * FROM a) SELECT 1", "a@25", "", ""},
		{"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT * FROM r", "", "", ""},
		{"SELECT (WITH a AS (SELECT 1) SELECT * FROM a), * FROM a", "a@54", "", ""},
		{"SELECT * FROM d AT (VERSION => '1.0.0')", "d@14 VERSION 1.0.0", "", ""},
		{"SELECT * FROM d AT (TIMESTAMP => CAST($t AS TIMESTAMP))", "d@14 TIMESTAMP $t", "t", ""},
		{"WITH a AS (SELECT 1) SELECT * FROM a AT (VERSION => 1)", "", "", "invalid_sql at 35"},
		{"SELECT * FROM d WHERE a = ? OR b = ?", "d@14", "1 2", ""},
		{"SELECT current_setting('threads')", "", "", "forbidden_sql at 7"},
		{"SELECT * FROM read_csv('/etc/passwd')", "", "", "forbidden_sql at 14"},
		{"SELECT * FROM unnest([1]) WHERE current_setting('threads') = ''", "", "", "forbidden_sql at 32"},
		{"SELECT uper('a')", "", "", "invalid_sql at 7"},
		{"SELECT * FROM (SHOW TABLES)", "", "", "forbidden_sql"},
		{"SELECT * FROM (DESCRIBE SELECT 1)", "", "", ""},
		{"SELEC 1", "", "", "invalid_sql at 0"},
		{"SELECT 1; SELECT 2", "", "", "invalid_sql"},
		{"CREATE TABLE t (a INT)", "", "", "invalid_sql"},
	} {
		s, err := ParseSelect(context.Background(), box, c.sql)
		if got := refusal(err); got != c.refused {
			t.Errorf("%s: %q, not %q", c.sql, got, c.refused)
		}
		got := tablesOf(s)
		if err == nil && (got != c.tables || strings.Join(s.Parameters, " ") != c.parameters) {
			t.Errorf("%s: tables %q, parameters %q", c.sql, got, s.Parameters)
		}
	}
}

func tablesOf(s Select) string {
	var list []string
	for _, t := range s.Tables {
		text := fmt.Sprintf("%s@%d", t.Name, t.Offset)
		if t.Schema != "" {
			text = t.Schema + "." + text
		}
		if t.Unit != "" {
			text += " " + t.Unit + " " + t.Point
		}
		if t.Parameter != "" {
			text += "$" + t.Parameter
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

// What DuckDB would plan for minutes, or die of, is refused before it is planned.
func TestStatementsThatAreTooLargeAreRefused(t *testing.T) {
	box := sandbox(t)
	deep := func(before, inside, after string, n int) string {
		return strings.Repeat(before, n) + inside + strings.Repeat(after, n)
	}
	doubling := "WITH a0 AS NOT MATERIALIZED (SELECT 1 AS n)"
	aliases := "SELECT 1 AS a0"
	for i := range 14 {
		doubling += fmt.Sprintf(", a%d AS NOT MATERIALIZED (SELECT x.n FROM a%d x, a%d y)", i+1, i, i)
		aliases += fmt.Sprintf(", a%d + a%d AS a%d", i, i, i+1)
	}
	for name, sql := range map[string]string{
		"queries":     deep("SELECT * FROM (", "SELECT 1", ")", maxQueriesDeep+1),
		"subqueries":  deep("SELECT (", "SELECT 1", ")", maxSubqueriesDeep+1),
		"expressions": "SELECT " + deep("abs(", "1", ")", maxExpressionDeep+1),
		"brackets":    "SELECT " + deep("(", "1", ")", maxBracketsDeep+1),
		"tables":      doubling + " SELECT * FROM a14",
		"aliases":     aliases,
		"columns":     "SELECT " + strings.TrimSuffix(strings.Repeat("1, ", maxColumns+1), ", "),
		"stars":       "WITH a AS (SELECT " + strings.Repeat("1, ", 2000) + "1) SELECT *, *, *, *, *, * FROM a",
		"parts":       "SELECT 1 IN (" + strings.TrimSuffix(strings.Repeat("1234, ", 150_000), ", ") + ")",
	} {
		if _, err := ParseSelect(context.Background(), box, sql); refusal(err) != "too_complex" {
			t.Errorf("%s: %v", name, err)
		}
	}
	fine := strings.ReplaceAll(doubling, "NOT MATERIALIZED ", "") + " SELECT * FROM a14"
	if _, err := ParseSelect(context.Background(), box, fine); err != nil {
		t.Error(err)
	}
}

func TestAConditionIsOneConditionOnTheRecords(t *testing.T) {
	box := sandbox(t)
	for where, want := range map[string]string{
		"a = 1 AND b LIKE 'x%'":               "",
		"a IN (SELECT max(a) FROM records)":   "",
		"a = 1) GROUP BY (b":                  "invalid_condition",
		"true) ORDER BY (a":                   "invalid_condition",
		"true) UNION SELECT 1 WHERE (true":    "invalid_condition",
		"a = 1) OR (1 = 1":                    "invalid_condition",
		"(a = 1) OR (a = 2) -- two":           "",
		"a = $1":                              "invalid_condition",
		"a IN (SELECT a FROM other)":          "forbidden_sql",
		"a IN (SELECT 1 FROM main.records)":   "forbidden_sql",
		"current_setting('threads') <> ''":    "forbidden_sql",
		"a = ":                                "invalid_sql",
		"a = '\x00'":                          "invalid_condition",
		"(SELECT 1 FROM records LIMIT 1) = a": "",
	} {
		got, _, _ := strings.Cut(refusal(CheckCondition(context.Background(), box, where)), " at ")
		if got != want {
			t.Errorf("%s: %q, not %q", where, got, want)
		}
	}
}

func TestDerivationsAreBoundByID(t *testing.T) {
	box := sandbox(t)
	s := schema.Schema{Key: []int{1}, Columns: []schema.Column{
		{ID: 1, Name: "id", Type: schema.Of(schema.Bigint)},
		{ID: 2, Name: "name", Type: schema.Of(schema.Varchar)},
		{ID: 3, Name: `odd "one"`, Type: schema.ListOf(schema.Of(schema.Bigint))},
	}}
	for written, want := range map[string]string{
		"id * 2 + length(NAME)":                         `"c1" * 2 + length("c2") BIGINT`,
		`"odd ""one"""[1]`:                              `"c3"[1] BIGINT`,
		`list_transform("odd ""one""", lambda x: x+id)`: `list_transform("c3", lambda x: x+"c1") BIGINT[]`,
		"CASE id WHEN 1 THEN name END":                  `CASE "c1" WHEN 1 THEN "c2" END VARCHAR`,
		"id AS x":                                       "invalid_derivation",
		"id) + (id":                                     "invalid_derivation",
		"nam":                                           "invalid_derivation",
		"sum(id)":                                       "invalid_derivation",
		"random()":                                      "invalid_derivation",
		"age(TIMESTAMP '2026-01-01')":                   "invalid_derivation",
		"(SELECT 1)":                                    "invalid_derivation",
		"$1":                                            "invalid_derivation",
		"*":                                             "invalid_derivation",
		"row_number() OVER ()":                          "invalid_derivation",
		"derived + 1":                                   "invalid_derivation",
		"current_setting('x')":                          "forbidden_sql",
		"id +":                                          "invalid_derivation",
		"name + DATE '2026-01-01'":                      "derivation_refused",
	} {
		c := schema.Column{ID: 9, Name: "derived", Type: schema.Of(schema.Null)}
		got, err := BindDerivation(context.Background(), box, s, c, written)
		if err == nil {
			c.Derivation = got
			c.Type, err = DerivedType(context.Background(), box, s.With(c), c)
			got += " " + c.Type.String()
		}
		if err != nil {
			got = strings.Fields(refusal(err))[0]
		}
		if got != want {
			t.Errorf("%s: %q, not %q (%v)", written, got, want, err)
		}
	}
}

// Two names are one here exactly where they are one in SQL.
func TestNamesAreFoldedAsInSQL(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	box := sandbox(t)
	letters := []rune("aAkKsSiIzZ\u212aſİıßẞéÉ\u0301 _@`[{1\"")
	name := func() string {
		out := make([]rune, 1+random.IntN(2))
		for i := range out {
			out[i] = letters[random.IntN(len(letters))]
		}
		return string(out)
	}
	for range 300 {
		a, b := name(), name()
		var n int64
		query := fmt.Sprintf("SELECT %s FROM (SELECT CAST(1 AS BIGINT) AS %s)", duck.Ident(b), duck.Ident(a))
		err := box.Row(t.Context(), query, &n)
		if err != nil && duck.CauseOf(err) != duck.Input {
			t.Fatal(err)
		}
		if same := err == nil; same != schema.SameName(a, b) {
			t.Errorf("%q and %q: one name in SQL: %v", a, b, same)
		}
	}
}

func TestTypesAreTypesAlone(t *testing.T) {
	box := sandbox(t)
	for written, want := range map[string]string{
		"int": "INTEGER", "DECIMAL(10,2)": "DECIMAL(10,2)",
		"STRUCT(a INT, b VARCHAR[])": `STRUCT("a" INTEGER, "b" VARCHAR[])`,
		"INT) , (SELECT 1":           "unknown_type", "INT) AS x --": "unknown_type",
		"nosuch": "unknown_type", "": "unknown_type",
		"INT\x00": "unknown_type", "INT) FROM range(3) --": "unknown_type",
	} {
		typ, err := ParseType(context.Background(), box, written)
		got := typ.String()
		if err != nil {
			got = refusal(err)
		}
		if got != want {
			t.Errorf("%q: %q, not %q", written, got, want)
		}
	}
}
