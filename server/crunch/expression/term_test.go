package expression

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

var people = schema.Schema{Columns: []schema.Column{
	{ID: 1, Name: "age", Type: schema.Of(schema.Bigint)},
	{ID: 2, Name: "000001", Type: schema.Of(schema.Varchar)}, // an alias that looks like the other's id
	{ID: 3, Name: "c1", Type: schema.Of(schema.Varchar)},
	{ID: 4, Name: "sex", Type: schema.Of(schema.Varchar), Categories: sexes},
	{ID: 5, Name: "share", Type: schema.Of(schema.Double)},
	{ID: 6, Name: "cost", Type: schema.Type{Name: schema.Decimal, Width: 10, Scale: 2}},
}}

func TestAVariableIsNamedByAliasURLOrID(t *testing.T) {
	for _, c := range []struct {
		term term
		want int
	}{
		{term{Var: "age"}, 1}, {term{Var: "AGE"}, 1}, {term{Var: "c1"}, 3}, {term{Var: "000004"}, 4},
		{term{Var: "000001"}, 2}, // the alias comes first where a client sends one
		{term{Variable: "000001"}, 1}, {term{Variable: "1"}, 1}, {term{Variable: "age"}, 1},
		{term{Variable: "../variables/000004/"}, 4}, {term{Variable: "https://x/api/datasets/d/variables/000004/"}, 4},
		{term{Variable: "/api/datasets/d/variables/000004"}, 4},
	} {
		if got, err := c.term.find(people, "d"); err != nil || got.ID != c.want {
			t.Errorf("%+v: %d, %v", c.term, got.ID, err)
		}
	}
	for _, c := range []struct {
		term term
		why  string
	}{
		{term{Var: "nothing"}, `unknown variable "nothing"`}, {term{Var: "4"}, "unknown variable"},
		{term{Variable: "/api/datasets/other/variables/000004/"}, "of another dataset"},
		{term{Variable: "000009"}, "unknown variable"}, {term{Variable: "/"}, "unknown variable"},
		{term{Var: "age", Axes: []string{"x"}}, "no arrays"},
	} {
		_, err := c.term.find(people, "d")
		refusal(t, c.term.Var+c.term.Variable, err, c.why)
	}
}

func TestATermIsOfOneKind(t *testing.T) {
	for _, text := range []string{
		`{"var":"age","value":1}`, `{"function":"+","args":[],"column":[1]}`, `{"var":"age","variable":"1"}`,
		`{"function":"+","args":[{"var":"a"},{"var":"b","value":1}]}`,
	} {
		_, err := parse([]byte(text))
		refusal(t, text, err, "more than one of")
	}
	for text, why := range map[string]string{
		`{"function":"+","args":[null]}`: "a term is null", `{"function":1}`: "a term function is a JSON number",
		`[]`: "a term is a JSON array", `{"args":{}}`: "a term args is a JSON object", `"age"`: "a term is a JSON string",
	} {
		_, err := parse([]byte(text))
		refusal(t, text, err, why)
	}
	if _, err := parse([]byte(`{`)); fault.KindOf(err) != fault.Malformed {
		t.Errorf("%v", err)
	}
}

func TestAnExpressionsSizeIsLimited(t *testing.T) {
	nested := func(depth int) string {
		return strings.Repeat(`{"function":"not","args":[`, depth-1) + `{"var":"age"}` + strings.Repeat(`]}`, depth-1)
	}
	wide := func(terms int) string {
		return `{"function":"and","args":[` + strings.TrimSuffix(strings.Repeat(`{"var":"age"},`, terms-1), ",") + `]}`
	}
	list := func(values int) string { return `[` + strings.TrimSuffix(strings.Repeat("1,", values), ",") + `]` }
	for what, c := range map[string]struct{ text, refused string }{
		"deep":         {nested(maxDepth), ""},
		"too deep":     {nested(maxDepth + 1), "terms inside one another"},
		"wide":         {wide(maxTerms), ""},
		"too wide":     {wide(maxTerms + 1), "it has more than 2000 terms"},
		"long":         {`{"value":` + list(maxValues) + `}`, ""},
		"too long":     {`{"value":` + list(maxValues+1) + `}`, "it has more than 10000 values"},
		"long column":  {`{"column":` + list(maxValues) + `}`, ""},
		"a column too": {`{"column":` + list(maxValues+1) + `}`, "it has more than 10000 values"},
	} {
		if _, err := parse([]byte(c.text)); c.refused == "" && err != nil {
			t.Errorf("%s: %v", what, err)
		} else if c.refused != "" {
			refusal(t, what, err, c.refused)
		}
	}
}

// Text that a client wrote is kept, and never taken for a reference to a column.
func TestTextThatLooksLikeAReferenceIsKeptApart(t *testing.T) {
	for text, want := range map[string]string{
		`"c1"`: `"\u00631"`, `["c1","c22","c","1c"]`: `["\u00631","\u006322","c","1c"]`, `"c1 "`: `"c1 "`, `"xc1"`: `"xc1"`,
	} {
		got := apart(json.RawMessage(text))
		if string(got) != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		var before, after any
		if json.Unmarshal([]byte(text), &before) != nil || json.Unmarshal(got, &after) != nil {
			t.Errorf("%s became %s, which is not JSON", text, got)
		}
	}
	e, err := Read(people, "d", []byte(`{"function":"==","args":[{"var":"c1"},{"value":"c1"}]}`))
	if err != nil || e.SQL != `("c1" IN ('c1'))` {
		t.Fatalf("%+v, %v", e, err)
	}
	if refs := schema.References(e.Text); len(refs) != 1 || refs[0] != 3 {
		t.Errorf("%s refers to %v", e.Text, refs)
	}
}

func TestAConditionIsTrueOrFalse(t *testing.T) {
	for text, is := range map[string]bool{
		`{"function":"<","args":[{"var":"age"},{"value":1}]}`: true,
		`{"function":"is_missing","args":[{"var":"age"}]}`:    true,
		`{"function":"+","args":[{"var":"age"},{"value":1}]}`: false,
		`{"var":"age"}`: false,
		`{"function":"char_length","args":[{"var":"c1"}]}`: false,
	} {
		e, err := Read(people, "d", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if sql, err := e.Condition(); (err == nil) != is || is && sql != e.SQL {
			t.Errorf("%s: %s, %v", text, sql, err)
		}
	}
	_, err := Read(people, "d", []byte(`{"value":1}`))
	refusal(t, "a value alone", err, "it has to read a variable")
	for text, empty := range map[string]bool{
		"": true, " ": true, "null": true, " {} ": true, `{"var":"a"}`: false, "[]": false,
	} {
		if got := IsEmpty([]byte(text)); got != empty {
			t.Errorf("%q is empty: %t", text, got)
		}
	}
}

func TestAFunctionHasTheArgumentsThatItNeeds(t *testing.T) {
	for _, text := range []string{
		`{"function":"+","args":[{"var":"age"}]}`, `{"function":"not","args":[]}`, `{"function":"and","args":[]}`,
		`{"function":"=><=","args":[{"var":"age"},{"value":1}]}`, `{"function":"==","args":[{"var":"age"}]}`,
		`{"function":"-","args":[{"var":"age"},{"var":"age"},{"var":"age"}]}`,
	} {
		_, err := Read(people, "d", []byte(text))
		refusal(t, text, err, "arguments, and can't have")
	}
	_, err := Read(people, "d", []byte(`{"function":"sum","args":[{"var":"age"}]}`))
	refusal(t, "sum", err, `unknown function "sum"; the functions are +, -`)
}

// The columns that an update writes get values of their types.
func TestWhatAColumnBecomesHasItsType(t *testing.T) {
	column := func(name string) schema.Column {
		c, _ := people.ByName(name)
		return c
	}
	for _, c := range []struct {
		name, text, sql string
		count           int
	}{
		{"age", `{"value":7}`, `CAST([7] AS BIGINT[])[1]`, 0},
		{"age", `{"value":null}`, `CAST([NULL] AS BIGINT[])[1]`, 0},
		{"age", `{"value":7.5}`, `CAST([7.5] AS DOUBLE[])[1]`, 0}, // and the column is widened
		{"share", `{"value":7}`, `CAST([7] AS DOUBLE[])[1]`, 0},
		{"cost", `{"value":7.25}`, `CAST(['7.25'] AS DECIMAL(10,2)[])[1]`, 0},
		{"cost", `{"value":725e-2}`, `CAST(['725e-2'] AS DECIMAL(10,2)[])[1]`, 0},
		{"c1", `{"value":"7"}`, `CAST(['7'] AS VARCHAR[])[1]`, 0},
		{"sex", `{"value":1}`, `CAST(['F'] AS VARCHAR[])[1]`, 0},
		{"sex", `{"value":-1}`, `CAST([NULL] AS VARCHAR[])[1]`, 0},
		{"age", `{"column":[1,{"?":-1},3]}`, `CAST([1, NULL, 3] AS BIGINT[])[_n]`, 3},
		{"sex", `{"column":["F",2]}`, `CAST(['F', 'it''s M'] AS VARCHAR[])[_n]`, 2},
		{"age", `{"function":"+","args":[{"var":"age"},{"value":1}]}`, `("age" + 1)`, 0},
		{"sex", `{"var":"sex"}`, `"sex"`, 0},
	} {
		got, err := Assign(people, "d", column(c.name), []byte(c.text))
		if err != nil || got.SQL != c.sql || got.Count != c.count {
			t.Errorf("%s becomes %s: %s of %d, %v; want %s", c.name, c.text, got.SQL, got.Count, err, c.sql)
		}
	}
	for _, c := range []struct{ name, text, why string }{
		{"age", `{"column":[]}`, "is empty"},
		{"age", `{"value":"7"}`, "is not a number"},
		{"age", `{"value":"seven"}`, "is not a number"},
		{"age", `{"value":[1]}`, "is not one value"},
		{"age", `{"value":true}`, "is not a number"},
		{"age", `{"column":[9007199254740993,0.5]}`, "too large to be exact"},
		{"c1", `{"value":7}`, "not exactly a value of VARCHAR"},
		{"c1", `{"value":true}`, "not exactly a value of VARCHAR"},
		{"cost", `{"value":7.255}`, "not exactly a value of DECIMAL(10,2)"},
		{"cost", `{"value":1e8}`, "not exactly a value of DECIMAL(10,2)"},
		{"cost", `{"value":1e-999999999}`, "not exactly a value of DECIMAL(10,2)"},
		{"sex", `{"value":7}`, "unknown category 7"},
		{"sex", `{"column":[1,"X"]}`, "unknown category"},
		{"sex", `{"var":"c1"}`, "is categorical, and what it would become is not"},
		{"sex", `{"function":"cast","args":[{"var":"c1"},{"value":
			{"class":"categorical","categories":[{"id":1,"name":"X"}]}}]}`, `has no category "X"`},
		{"age", `{"var":"nothing"}`, "unknown variable"},
	} {
		_, err := Assign(people, "d", column(c.name), []byte(c.text))
		refusal(t, c.name+" becomes "+c.text, err, c.why)
	}
}
