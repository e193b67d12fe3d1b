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

// oddColumns have names that need quotes, look like references, or are words of SQL.
var oddColumns = schema.Schema{Key: []int{1}, Columns: []schema.Column{
	{ID: 1, Name: "id", Type: schema.Of(schema.Bigint)},
	{ID: 2, Name: "c3", Type: schema.Of(schema.Bigint)}, // the reference of the next one
	{ID: 3, Name: `say "x"`, Type: schema.Of(schema.Bigint)},
	{ID: 4, Name: "größe", Type: schema.Of(schema.Bigint)},
	{ID: 5, Name: "select", Type: schema.Of(schema.Bigint)},
	{ID: 12, Name: "End", Type: schema.Of(schema.Bigint)},
}}

// randomNumber returns an expression over those columns whose value is a number.
func randomNumber(random *rand.Rand, depth int) string {
	if depth == 0 || random.IntN(5) == 0 {
		c := oddColumns.Columns[random.IntN(len(oddColumns.Columns))]
		names := []string{duck.Ident(c.Name), duck.Ident(strings.ToUpper(c.Name))}
		if c.ID <= 2 {
			names = append(names, c.Name)
		}
		if c.ID == 4 { // ToUpper changes the ö, which SQL does not fold
			names = []string{duck.Ident(c.Name), c.Name}
		}
		names = append(names, fmt.Sprint(random.IntN(9)), "length('it''s \"id\" -- c3')")
		return names[random.IntN(len(names))]
	}
	one := func() string { return randomNumber(random, depth-1) }
	switch random.IntN(7) {
	case 0:
		return "(" + one() + " + " + one() + ")"
	case 1:
		return "CASE " + one() + " WHEN 1 THEN " + one() + " WHEN " + one() + " THEN 7 ELSE " + one() + " END"
	case 2:
		return "greatest(" + one() + ",\n\t" + one() + " /* \"id\" */)"
	case 3:
		return "list_sum(list_transform([" + one() + ", " + one() + "], lambda x: x * " + one() + "))"
	case 4:
		return "CASE WHEN " + one() + " BETWEEN " + one() + " AND 9 THEN " + one() + " END"
	case 5:
		return "coalesce(nullif(" + one() + ", " + one() + "), - " + one() + ")"
	}
	return "(" + one() + " IN (" + one() + ", 2))::INT"
}

// A derivation that is bound by ids has the value of what was written, whatever columns are called. Shown with names,
// it binds to the same again.
func TestBoundDerivationsMeanWhatWasWritten(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	box := sandbox(t)
	var named, byID []string
	for i, c := range oddColumns.Columns {
		named = append(named, fmt.Sprintf("(n * %d) %% 7 AS %s", i+1, duck.Ident(c.Name)))
		byID = append(byID, fmt.Sprintf("(n * %d) %% 7 AS %s", i+1, schema.Reference(c.ID)))
	}
	c := schema.Column{ID: 99, Name: "derived"}
	for range 150 {
		written := randomNumber(random, 3)
		bound, err := BindDerivation(t.Context(), box, oddColumns, c, written)
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		var same bool
		query := fmt.Sprintf(`SELECT bool_and(a IS NOT DISTINCT FROM b) FROM
			(SELECT n, (%s) AS a FROM (SELECT n, %s FROM range(6) t(n)) records) JOIN
			(SELECT n, (%s) AS b FROM (SELECT n, %s FROM range(6) t(n)) records) USING (n)`,
			written, strings.Join(named, ", "), bound, strings.Join(byID, ", "))
		if err := box.Row(t.Context(), query, &same); err != nil || !same {
			t.Errorf("%s\nbound as %s has other values (%v)", written, bound, err)
		}
		again, err := BindDerivation(t.Context(), box, oddColumns, c, oddColumns.WithNames(bound))
		if err != nil || again != bound {
			t.Errorf("%s\nis bound as %s, and shown and bound again as %s (%v)", written, bound, again, err)
		}
	}
}

// bound binds a derivation of a column over odd columns, and returns the code of the error and its sentence if that
// fails.
func bound(box *duck.Conn, s schema.Schema, written string) (code, text string) {
	text, err := BindDerivation(context.Background(), box, s, schema.Column{ID: 99, Name: "derived"}, written)
	if err != nil {
		return strings.Fields(refusal(err))[0], err.Error()
	}
	return "", text
}

// Why a derivation is refused is said in a sentence that names the part.
func TestSentencesOfRefusedDerivations(t *testing.T) {
	box := sandbox(t)
	for written, says := range map[string]string{
		"":                              "neither empty nor with NUL characters",
		" \n":                           "neither empty nor with NUL characters",
		"id\x00":                        "neither empty nor with NUL characters",
		"id) FROM records WHERE (true":  "it can't be parsed",
		"id) FROM records -- ":          "",
		"1) FROM other; SELECT (1":      "it can't be parsed",
		"(SELECT max(id) FROM records)": "it has a subquery",
		"EXISTS (SELECT 1)":             "it has a subquery",
		"max(id) OVER ()":               "it has a window function",
		"? + 1":                         "it has a parameter",
		"#1":                            "it has a column's number",
		"COLUMNS('i')":                  "it has *",
		"idd":                           `there is no column "idd"; the nearest is "id"`,
		"groesse":                       `there is no column "groesse"; the nearest is "größe"`,
		"derived":                       `variable "derived" can't be derived from itself`,
		"DERIVED + 1":                   `variable "derived" can't be derived from itself`,
		"count(id)":                     "count() is not a function of one record's values alone",
		"now()":                         "now() is not a function of one record's values alone",
		"uuid()":                        "uuid() is not a function of one record's values alone",
		"age(DATE '2020-01-01')":        "age() with one argument depends on today's date",
		`id + length('"c3"')`:           `it has a "c" and a number in quotes`,
		"list_transform([1], lambda c1: c1 + id)": `the lambda's "c1" needs another name`,
	} {
		code, text := bound(box, oddColumns, written)
		if says != "" && (code != "invalid_derivation" || !strings.HasPrefix(text, "The derivation is refused: ") ||
			!strings.Contains(text, says)) {
			t.Errorf("%q: %s, %s", written, code, text)
		}
		if says == "" && code == "" && text != `"c1"` {
			t.Errorf("%q is bound as %s", written, text)
		}
	}
	if _, text := bound(box, schema.Schema{}, "x"); !strings.HasSuffix(text, `there is no column "x".`) {
		t.Errorf("of a dataset without columns: %s", text)
	}
}

// The key that the server assigns can be named, unless another key is declared; names in a lambda are its own.
func TestNamesInDerivations(t *testing.T) {
	box := sandbox(t)
	plain := oddColumns
	plain.Key = nil
	for _, c := range []struct {
		s             schema.Schema
		written, want string
	}{
		{plain, "_id + 1", `"c2147483540" + 1`},
		{plain, `"_ID"`, `"c2147483540"`},
		{oddColumns, "_id + 1", "invalid_derivation"},
		{oddColumns, "list_transform([id], lambda id: id + 1)", `list_transform(["c1"], lambda id: id + 1)`},
		{oddColumns, "list_transform([1], lambda x, i: x + i + id)", `list_transform([1], lambda x, i: x + i + "c1")`},
		{oddColumns, `"select" AND "End" > 0`, `"c5" AND "c12" > 0`},
		{oddColumns, "größe+größe", `"c4"+"c4"`},
		{oddColumns, "id -- a comment", `"c1" -- a comment`},
		{oddColumns, "  id\n", `"c1"`},
		{oddColumns, "{'id': id}", `{'id': "c1"}`},
		{oddColumns, "id::VARCHAR || 'id'", `"c1"::VARCHAR || 'id'`},
	} {
		code, text := bound(box, c.s, c.written)
		if got := strings.Join(append(strings.Fields(code), text)[:1], ""); got != c.want {
			t.Errorf("%s: %s %s, not %s", c.written, code, text, c.want)
		}
	}
}

// The type of a derived column is found without its values, which may all fail; what can't be written in every format
// is refused.
func TestDerivedTypes(t *testing.T) {
	box := sandbox(t)
	for derivation, want := range map[string]string{
		`"c1" + 1`: "BIGINT", `"c1" / 2`: "DOUBLE", `"c1" / 0`: "DOUBLE", `CAST('x' AS INTEGER)`: "INTEGER",
		`"c1" > 1`: "BOOLEAN", `[ "c1" ]`: "BIGINT[]", `{'a': "c1"}`: `STRUCT("a" BIGINT)`, `NULL`: "INTEGER",
		`1.5`: "DECIMAL(2,1)", `"c1"::HUGEINT`: "DECIMAL(38,0)", `'a'::ENUM('a')`: "VARCHAR",
		`row("c1", 2)`:   "derivation_refused",
		`INTERVAL 1 DAY`: "derivation_refused", `"c1" || DATE '2020-01-01'`: "VARCHAR", `upper("c1")`: "derivation_refused",
		`"c1" + "c77"`: "derivation_unbound", `"c1", 2`: "derivation_refused", `"c1" -- 1`: "BIGINT",
	} {
		c := schema.Column{ID: 99, Name: "derived", Type: schema.Of(schema.Null), Derivation: derivation}
		typ, err := DerivedType(t.Context(), box, oddColumns.With(c), c)
		got := typ.String()
		if err != nil {
			got = refusal(err)
		}
		if got != want {
			t.Errorf("%s: %s, not %s (%v)", derivation, got, want, err)
		}
		if want == "derivation_refused" && err != nil {
			var e *fault.Error
			if !errors.As(err, &e) || e.Fields["variable"] != "derived" || !errors.Is(err, ErrUnderived) ||
				strings.Contains(e.Detail, `"c1"`) || strings.Contains(e.Detail, "TRY") {
				t.Errorf("%s: %+v", derivation, e)
			}
		}
	}
}

// A derived column may use other derived ones, in any order.
func TestDerivationsOfDerivations(t *testing.T) {
	box := sandbox(t)
	s := schema.Schema{Key: []int{1}, Columns: []schema.Column{
		{ID: 4, Name: "d", Type: schema.Of(schema.Double), Derivation: `"c3" / 2`},
		{ID: 3, Name: "c", Type: schema.Of(schema.Bigint), Derivation: `"c1" + 1`},
		{ID: 1, Name: "a", Type: schema.Of(schema.Bigint)},
	}}
	e := schema.Column{ID: 5, Name: "e", Type: schema.Of(schema.Null), Derivation: `"c4" || "c3" || "c1"`}
	if typ, err := DerivedType(t.Context(), box, s.With(e), e); err != nil || typ.Name != schema.Varchar {
		t.Errorf("%s, %v", typ, err)
	}
}

// A kept condition is bound as a derivation is, and gives true or false.
func TestKeptConditions(t *testing.T) {
	box := sandbox(t)
	for written, want := range map[string]string{
		"id > 1":           `"c1" > 1`,
		`"say ""x""" = c3`: `"c3" = "c2"`,
		"id IS NULL":       `"c1" IS NULL`,
		"true":             "true",
		"id":               "invalid_condition",
		"NULL":             "invalid_condition",
		"upper(id) = 'A'":  "invalid_condition",
		"nope":             "invalid_derivation",
		"max(id) > 1":      "invalid_derivation",
		"id > ?":           "invalid_derivation",
	} {
		got, err := BindCondition(t.Context(), box, oddColumns, written)
		if err != nil {
			got = strings.Fields(refusal(err))[0]
			if strings.Contains(err.Error(), `"c1"`) || fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: %v", written, err)
			}
		}
		if got != want {
			t.Errorf("%s: %s, not %s (%v)", written, got, want, err)
		}
	}
}
