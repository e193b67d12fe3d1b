package schema_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/rowback/rowback/storage/schema"
)

func mustParse(t *testing.T, text string) schema.Type {
	t.Helper()
	typ, err := schema.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

func TestTypesRoundTrip(t *testing.T) {
	for _, text := range []string{
		"BIGINT", "DECIMAL(38,9)", "TIMESTAMP WITH TIME ZONE", "VARCHAR[]", "INTEGER[][]", "NULL", "NULL[]",
		`STRUCT("a" INTEGER, "b c" DECIMAL(5,2)[], "q""q" STRUCT("x" NULL))`,
		`MAP(VARCHAR, STRUCT("n" TIMESTAMP WITH TIME ZONE)[])`,
	} {
		typ := mustParse(t, text)
		if typ.String() != text {
			t.Errorf("%s reads as %s", text, typ)
		}
		data, err := json.Marshal(typ)
		if err != nil {
			t.Fatal(err)
		}
		var back schema.Type
		if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(back, typ) {
			t.Errorf("%s comes back from JSON as %v, %v", text, back, err)
		}
	}
}

func TestTypesThatDuckDBWritesInAnotherForm(t *testing.T) {
	for text, want := range map[string]string{
		`"NULL"`:                             "NULL",
		"STRUCT(a INTEGER, b VARCHAR)":       `STRUCT("a" INTEGER, "b" VARCHAR)`,
		"INTEGER[3]":                         "INTEGER[]",
		"ENUM('a', 'it''s)', 'b')":           "ENUM",
		"STRUCT(e ENUM('x', 'y')[], u BLOB)": `STRUCT("e" ENUM[], "u" BLOB)`,
		"UNION(num INTEGER, str VARCHAR)":    "UNION",
		"MAP(VARCHAR, DECIMAL(4,1))":         "MAP(VARCHAR, DECIMAL(4,1))",
	} {
		if got := mustParse(t, text).String(); got != want {
			t.Errorf("%s reads as %s, want %s", text, got, want)
		}
	}
}

func TestMalformedTypes(t *testing.T) {
	for _, text := range []string{
		"", "STRUCT(", "STRUCT(a)", "STRUCT(INTEGER, DATE)", "DECIMAL(5)", "MAP(VARCHAR)", "INTEGER[", "INTEGER)",
		`STRUCT("a INTEGER)`, "ENUM('a'",
	} {
		if typ, err := schema.Parse(text); err == nil {
			t.Errorf("%q reads as %s", text, typ)
		}
	}
}

// The narrowest type for the values of both; "no" if there is none. Each line is tested in both orders.
func TestWiden(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"INTEGER", "INTEGER", "INTEGER"},
		{"NULL", "VARCHAR", "VARCHAR"},
		{"INTEGER", "BIGINT", "BIGINT"},
		{"TINYINT", "UTINYINT", "SMALLINT"},
		{"INTEGER", "UINTEGER", "BIGINT"},
		{"BIGINT", "UBIGINT", "DECIMAL(20,0)"},
		{"UBIGINT", "UTINYINT", "UBIGINT"},
		{"INTEGER", "DOUBLE", "DOUBLE"},
		{"BIGINT", "DOUBLE", "DOUBLE"}, // the values decide
		{"FLOAT", "DOUBLE", "DOUBLE"},
		{"SMALLINT", "FLOAT", "FLOAT"},
		{"INTEGER", "FLOAT", "DOUBLE"},
		{"DECIMAL(5,2)", "DECIMAL(6,3)", "DECIMAL(6,3)"},
		{"DECIMAL(9,2)", "DECIMAL(9,5)", "DECIMAL(12,5)"},
		{"DECIMAL(38,0)", "DECIMAL(38,38)", "no"},
		{"BIGINT", "DECIMAL(10,2)", "DECIMAL(21,2)"},
		{"DATE", "TIMESTAMP", "TIMESTAMP"},
		{"TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_NS"},
		{"TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "no"},
		{"VARCHAR", "INTEGER", "no"},
		{"BOOLEAN", "INTEGER", "no"},
		{"INTEGER[]", "BIGINT[]", "BIGINT[]"},
		{"INTEGER[]", "INTEGER", "no"},
		{"STRUCT(a INTEGER)", "STRUCT(a BIGINT)", `STRUCT("a" BIGINT)`},
		{"STRUCT(a INTEGER)", "STRUCT(a VARCHAR)", "no"},
		{"MAP(VARCHAR, INTEGER)", "MAP(VARCHAR, DOUBLE)", "MAP(VARCHAR, DOUBLE)"},
	} {
		for _, pair := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			got, ok := schema.Widen(mustParse(t, pair[0]), mustParse(t, pair[1]))
			text := "no"
			if ok {
				text = got.String()
			}
			if text != c.want {
				t.Errorf("%s with %s: %s, want %s", pair[0], pair[1], text, c.want)
			}
		}
	}
	// Fields keep the order and the spelling of the first type.
	for _, c := range []struct{ a, b, want string }{
		{"STRUCT(a INTEGER)", "STRUCT(b DATE, a BIGINT)", `STRUCT("a" BIGINT, "b" DATE)`},
		{"STRUCT(b VARCHAR)", "STRUCT(a INTEGER, b VARCHAR)", `STRUCT("b" VARCHAR, "a" INTEGER)`},
		{"STRUCT(a INTEGER)", "STRUCT(A INTEGER)", `STRUCT("a" INTEGER)`},
	} {
		if got, ok := schema.Widen(mustParse(t, c.a), mustParse(t, c.b)); !ok || got.String() != c.want {
			t.Errorf("%s with %s: %s, want %s", c.a, c.b, got, c.want)
		}
	}
}

func TestStored(t *testing.T) {
	for text, want := range map[string]string{
		"HUGEINT": "DECIMAL(38,0)", "TIMESTAMP_S": "TIMESTAMP", "ENUM('a')[]": "VARCHAR[]", "INTERVAL": "no",
		"STRUCT(a HUGEINT)": `STRUCT("a" DECIMAL(38,0))`, "UNION(a INTEGER)[]": "no",
		"MAP(VARCHAR, TIMESTAMP_MS)": "MAP(VARCHAR, TIMESTAMP)",
	} {
		got, ok := schema.Stored(mustParse(t, text))
		if ok && got.String() != want || !ok && want != "no" {
			t.Errorf("%s is stored as %s (%v), want %s", text, got, ok, want)
		}
	}
}

func column(id int, name, typ string) schema.Column {
	t, err := schema.Parse(typ)
	if err != nil {
		panic(err)
	}
	return schema.Column{ID: id, Name: name, Type: t}
}

func TestChangesFollowFieldIDs(t *testing.T) {
	a := schema.Schema{Columns: []schema.Column{
		column(1, "id", "BIGINT"), column(2, "name", "VARCHAR"), column(3, "old", "DATE"),
		{ID: 5, Name: "unknown", Type: schema.Of(schema.Null)},
	}}
	b := schema.Schema{Columns: []schema.Column{
		column(1, "id", "DOUBLE"), column(2, "title", "VARCHAR"), column(4, "old", "DATE"),
		column(5, "unknown", "VARCHAR"),
	}}
	got := schema.Changes(a, b)
	want := []schema.Change{
		{Change: "retyped", Column: "id", From: "BIGINT", To: "DOUBLE"},
		{Change: "renamed", Column: "title", From: "name", To: "title"},
		{Change: "removed", Column: "old", From: "DATE"},
		{Change: "typed", Column: "unknown", To: "VARCHAR"},
		{Change: "added", Column: "old", To: "DATE"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestGoingBackRetiresLaterColumns(t *testing.T) {
	before := schema.Schema{Columns: []schema.Column{column(1, "a", "BIGINT")}}
	after := before.With(column(2, "b", "VARCHAR"))
	back := before.After(after)
	if !back.Gone(2) || back.Gone(1) {
		t.Errorf("b should be gone and a not: %+v", back)
	}
	_, retired := back.Names()
	if c, ok := retired[schema.Fold("B")]; !ok || c.ID != 2 {
		t.Errorf("the retired column is not found by its name: %+v, %v", c, ok)
	}
	if again := back.With(column(2, "b", "VARCHAR")); again.Gone(2) {
		t.Errorf("a column that is there is still gone: %+v", again)
	}
}
