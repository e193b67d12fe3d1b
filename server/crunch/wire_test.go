package crunch

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

func TestValuesGoThroughTheWireAndBack(t *testing.T) {
	ids := map[string]int64{"F": 1, "M": 2}
	for _, x := range []struct {
		name, wire, in string
		ids            map[string]int64
		stored, out    string
	}{
		{"a number", numericType, `1.50`, nil, `1.50`, `1.50`},
		{"a text", textType, `"a"`, nil, `"a"`, `"a"`},
		{"nothing", textType, `{"?": -1}`, nil, `null`, `{"?":-1}`},
		{"nothing, for a reason", numericType, `{"?": 8}`, nil, `null`, `{"?":-1}`},
		{"null", textType, `null`, nil, `null`, `{"?":-1}`},
		{"a name", categoricalType, `"M"`, ids, `"M"`, `2`},
		{"no data", categoricalType, `-1`, ids, `null`, `{"?":-1}`},
		{"a number that is not a category", numericType, `-1`, nil, `-1`, `-1`},
		{"a name that is declared no more", categoricalType, `"X"`, ids, `"X"`, `{"?":-1}`},
	} {
		stored := fromWire(x.wire, json.RawMessage(x.in))
		if string(stored) != x.stored {
			t.Errorf("%s: %s is stored as %s, not %s", x.name, x.in, stored, x.stored)
		}
		if out := toWire(x.ids, stored); string(out) != x.out {
			t.Errorf("%s: %s is shown as %s, not %s", x.name, stored, out, x.out)
		}
	}
}

func TestEveryTypeIsOneThatTheClientsKnow(t *testing.T) {
	for text, want := range map[string]string{
		"VARCHAR": textType, "BOOLEAN": textType, "JSON": textType, "UUID": textType, "TIME": textType, "BLOB": textType,
		"INTEGER[]": textType, `STRUCT("a" INTEGER)`: textType, `"NULL"`: textType,
		"TINYINT": numericType, "HUGEINT": numericType, "UBIGINT": numericType, "DOUBLE": numericType,
		"DECIMAL(10,2)": numericType,
		"DATE":          datetimeType, "TIMESTAMP": datetimeType, "TIMESTAMP WITH TIME ZONE": datetimeType,
		"TIMESTAMP_NS": datetimeType,
	} {
		typ, err := schema.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := wireType(schema.Column{Type: typ}); got != want {
			t.Errorf("%s is %s, not %s", text, got, want)
		}
	}
	if got := wireType(schema.Column{
		Type: schema.Of(schema.Varchar), Categories: []schema.Category{},
	}); got != categoricalType {
		t.Errorf("a column that was declared categorical is %s", got)
	}
}

func TestNumbersAreWholeWhereAllValuesAre(t *testing.T) {
	for text, want := range map[string]string{
		`[]`: schema.Double, `[null]`: schema.Double, `[1,null,2]`: schema.Bigint, `[1,2.5]`: schema.Double,
		`[1e3]`:                  schema.Double,
		`[99999999999999999999]`: schema.Double,
	} {
		var values []json.RawMessage
		if err := json.Unmarshal([]byte(text), &values); err != nil {
			t.Fatal(err)
		}
		if got := numberType(values); got != want {
			t.Errorf("%s is %s, not %s", text, got, want)
		}
	}
}

func TestAnIDIsFoundInWhatClientsSend(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:8000/api/datasets/abc/": "abc", "/api/datasets/abc": "abc", "abc": "abc", "../datasets/abc/": "abc",
	} {
		if got, err := idIn("dataset", text, "datasets"); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "/api/users/abc/", "http://%zz/"} {
		if got, err := idIn("dataset", text, "datasets"); err == nil {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestAnIndexKeepsItsOrder(t *testing.T) {
	x := &index{}
	for _, url := range []string{"b", "a", "c"} {
		x.add(url, 1)
	}
	text, err := json.Marshal(document{Element: catalogElement, Self: "s", Index: x})
	if want := `{"element":"shoji:catalog","self":"s","index":{"b":1,"a":1,"c":1}}`; err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
}

// The column type for the values of a new variable.
func TestTypesOfNewVariables(t *testing.T) {
	list := func(values ...string) (out []json.RawMessage) {
		for _, v := range values {
			out = append(out, json.RawMessage(v))
		}
		return out
	}
	for _, c := range []struct {
		in         newVariable
		name, want string
		refused    string // part of the error
	}{
		{in: newVariable{Name: "a", Type: numericType}, name: "a", want: "DOUBLE"},
		{in: newVariable{Name: "a", Type: numericType, Values: list("1", `{"?":-1}`, "-2")}, name: "a", want: "BIGINT"},
		{in: newVariable{Name: "a", Type: numericType, Values: list("1", "2.5")}, name: "a", want: "DOUBLE"},
		{in: newVariable{Name: "a", Type: numericType, Values: list("9223372036854775808")}, name: "a", want: "DOUBLE"},
		{in: newVariable{Name: "a", Type: datetimeType}, name: "a", want: "TIMESTAMP"},
		{in: newVariable{Name: "a", Type: datetimeType, Values: list(`"2026-01-31T10:00:00Z"`)}, name: "a",
			want: "TIMESTAMP WITH TIME ZONE"},
		{in: newVariable{Name: "a", Type: datetimeType, Values: list(`"2026-01-31T10:00:00+0200"`)}, name: "a",
			want: "TIMESTAMP WITH TIME ZONE"},
		{in: newVariable{Name: "a", Type: datetimeType, Values: list(`"2026-01-31"`)}, name: "a", want: "TIMESTAMP"},
		{in: newVariable{Name: "A label", Alias: "a", Type: textType}, name: "a", want: "VARCHAR"},
		{in: newVariable{Alias: "a", Type: categoricalType}, name: "a", want: "VARCHAR"},
		{in: newVariable{Alias: "a"}, name: "a"},
		{in: newVariable{Type: textType}, refused: "is required"},
		{in: newVariable{Name: "a", Type: "array"}, refused: "must be text, numeric"},
		{in: newVariable{Name: "a", Type: textType, Categories: []storage.GivenCategory{}},
			refused: "only for the type categorical"},
	} {
		out, err := c.in.wanted(snapshot.State{})
		if (err != nil) != (c.refused != "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%+v: %v", c.in, err)
		} else if err == nil && (out.Name != c.name || out.Type != c.want) {
			t.Errorf("%+v: %s of type %q", c.in, out.Name, out.Type)
		}
	}
}

// A new alias does not change the displayed name, and a type that the column already has is not a change.
func TestChangesOfVariables(t *testing.T) {
	column := schema.Column{ID: 1, Name: "a", Type: schema.Of(schema.Bigint)}
	text := func(s string) *string { return &s }
	for _, c := range []struct {
		in               variableEdit
		name, title, typ *string
	}{
		{variableEdit{Alias: text("b")}, text("b"), text("a"), nil},
		{variableEdit{Name: text("A label"), Alias: text("b")}, text("b"), text("A label"), nil},
		{variableEdit{Name: text("A label")}, nil, text("A label"), nil},
		{variableEdit{Type: text(numericType)}, nil, nil, nil},
		{variableEdit{Type: text(textType)}, nil, nil, text("VARCHAR")},
		{variableEdit{Type: text(datetimeType)}, nil, nil, text("TIMESTAMP")},
	} {
		out, err := c.in.wanted(snapshot.State{}, column)
		if err != nil || !reflect.DeepEqual([]*string{out.Name, out.Title, out.Type}, []*string{c.name, c.title, c.typ}) {
			t.Errorf("%+v: %v, %v, %v, %v", c.in, out.Name, out.Title, out.Type, err)
		}
	}
	for _, in := range []variableEdit{{Type: text("array")}, {Name: text(" ")}} {
		if _, err := in.wanted(snapshot.State{}, column); err == nil {
			t.Errorf("%+v was accepted", in)
		}
	}
}
