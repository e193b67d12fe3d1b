package crunch

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rowback/rowback/server/crunch/expression"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// surveyed is a state with a key, numbers, a categorical variable, a derived one, and one of a type that clients can't
// write.
var surveyed = snapshot.State{
	Dataset: catalog.Dataset{ID: "d"},
	Schema: schema.Schema{Key: []int{1}, Columns: []schema.Column{
		{ID: 1, Name: "id", Type: schema.Of(schema.Bigint)},
		{ID: 2, Name: "age", Type: schema.Of(schema.Bigint)},
		{ID: 3, Name: "sex", Type: schema.Of(schema.Varchar), Categories: []schema.Category{{ID: 1, Name: "F"}}},
		{ID: 4, Name: "twice", Type: schema.Of(schema.Bigint), Derivation: `"c2" * 2`},
		{ID: 5, Name: "photo", Type: schema.Of(schema.Blob)},
	}},
}

const over40 = `{"function":">","args":[{"var":"age"},{"value":40}]}`

func TestACommandThatCanNotBeRunIsRefusedBeforeItStarts(t *testing.T) {
	for text, want := range map[string][2]string{
		`{}`:                                  {"command", "must be update or delete"},
		`{"command":"insert"}`:                {"command", "must be update or delete"},
		`{"command":"delete"}`:                {"filter", "is required"},
		`{"command":"delete","filter":{}}`:    {"filter", "is required"},
		`{"command":"update"}`:                {"variables", "are required"},
		`{"command":"update","variables":{}}`: {"variables", "are required"},
		`{"command":"delete","filter":` + over40 + `,"variables":{"age":{"value":1}}}`: {"variables", "only for update"},
		`{"command":"update","variables":{"id":{"value":1}}}`:                          {"variables", "keys are not updated"},
		`{"command":"update","variables":{"twice":{"value":1}}}`:                       {"variables", "is derived"},
		`{"command":"update","variables":{"photo":{"value":"x"}}}`:                     {"variables", "can't write"},
		`{"command":"update","variables":{"age":{"value":1},"000002":{"value":2}}}`:    {"variables", "named twice"},
	} {
		var in command
		if err := json.Unmarshal([]byte(text), &in); err != nil {
			t.Fatal(err)
		}
		refusedField(t, text, in.check(surveyed), want[0], want[1])
	}
	for _, text := range []string{
		`{"command":"update","variables":{"nothing":{"value":1}}}`,
		`{"command":"update","variables":{"sex":{"value":7}}}`,
		`{"command":"update","variables":{"age":{"value":1}},"filter":{"var":"age"}}`,
		`{"command":"delete","filter":{"function":"?","args":[]}}`,
	} {
		var in command
		if err := json.Unmarshal([]byte(text), &in); err != nil {
			t.Fatal(err)
		}
		if err := in.check(surveyed); storage.Explain(err).Code != "invalid_expression" {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{
		`{"command":"delete","filter":` + over40 + `}`,
		`{"command":"update","variables":{"age":{"value":1},"sex":{"value":1}}}`,
		`{"command":"update","variables":{"000002":{"var":"twice"}},"filter":` + over40 + `}`,
	} {
		var in command
		if err := json.Unmarshal([]byte(text), &in); err != nil {
			t.Fatal(err)
		}
		if err := in.check(surveyed); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A record for which the filter can't be computed is not selected, and no error either.
func TestASelectionIsWhatTheFilterSelectsOfWhatClientsSee(t *testing.T) {
	all, err := selectSeen(surveyed, nil)
	if err != nil || all.where != "" || len(all.reads) != 0 || all.of("records") != "records" {
		t.Errorf("%+v, %v", all, err)
	}
	some, err := selectSeen(surveyed, json.RawMessage(over40))
	if err != nil || !strings.HasPrefix(some.where, "coalesce(TRY(") || !strings.Contains(some.where, `"age" > 40`) ||
		!strings.HasPrefix(some.of("records"), "(SELECT * FROM records WHERE ") {
		t.Errorf("%+v, %v", some, err)
	}
	if len(some.reads) != 1 || some.reads[0].ID != 2 {
		t.Errorf("it reads %+v", some.reads)
	}
	hiding := surveyed
	hiding.Properties.Exclusion = &catalog.Exclusion{Condition: `"c3" = 'F'`}
	both, err := selectSeen(hiding, json.RawMessage(over40))
	if err != nil || !strings.HasPrefix(both.where, "NOT ") || !strings.Contains(both.where, " AND coalesce(") ||
		len(both.reads) != 2 {
		t.Errorf("%+v, %v", both, err)
	}
}

func TestAnUpdateNumbersTheSelectedRecordsInKeyOrder(t *testing.T) {
	all := []assignment{{surveyed.Schema.Columns[1], expression.Values{Expression: expression.Expression{SQL: "[7][_n]"}}}}
	got := updated(surveyed.Schema.KeyColumns(), all, "records")
	want := `SELECT "id", [7][_n] AS "age" FROM (SELECT *, row_number() OVER (ORDER BY "id") AS _n FROM records) r`
	if got != want {
		t.Errorf("%s;\nwant %s", got, want)
	}
	if names := aliases(all); len(names) != 1 || names[0] != "age" {
		t.Error(names)
	}
}

func TestAnotherDatasetsVariablesAreNamedInAListOrAFrame(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                                   "id age sex twice photo",
		`{"where":{}}`:                         "id age sex twice photo",
		`{"variables":["age","000003"]}`:       "age sex",
		`{"variables":["age","AGE","000002"]}`: "age",
		`{"where":{"function":"frame_subset","args":[{"value":["sex","age"]}]}}`:                         "sex age",
		`{"where":{"function":"select","args":[{"map":{"b":{"var":"age"},"a":{"variable":"000003"}}}]}}`: "age sex",
		`{"variables":["id"],"where":{"function":"make_frame","args":[{"map":{"x":{"var":"age"}}}]}}`:    "id age",
	} {
		var in otherDataset
		if err := json.Unmarshal([]byte(text), &in); err != nil {
			t.Fatal(err)
		}
		columns, err := in.columns(surveyed)
		var names []string
		for _, c := range columns {
			names = append(names, c.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for text, why := range map[string]string{
		`{"variables":[]}`:                                   "names no variables",
		`{"where":{"function":"select","args":[]}}`:          "names no variables",
		`{"where":{"function":"adapt","args":[]}}`:           "must be frame_subset, select or make_frame",
		`{"where":{"function":"select","args":[{"map":1}]}}`: "must be an object",
	} {
		var in otherDataset
		if err := json.Unmarshal([]byte(text), &in); err != nil {
			t.Fatal(err)
		}
		if _, err := in.columns(surveyed); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Categories keep their names and, where they are free, their ids.
func TestCategoriesOfTwoDatasetsAreJoinedByName(t *testing.T) {
	own := []schema.Category{{ID: 1, Name: "F"}, {ID: 2, Name: "M"}}
	others := []schema.Category{{ID: 1, Name: "Other"}, {ID: 7, Name: "F"}, {ID: 9, Name: "Refused", Missing: true}}
	got := union(own, others)
	names, ids := map[string]bool{}, map[int64]bool{}
	for _, k := range got {
		if names[k.Name] || ids[k.ID] {
			t.Errorf("%+v is there twice", k)
		}
		names[k.Name], ids[k.ID] = true, true
	}
	if len(got) != 4 || got[0] != own[0] || got[1] != own[1] {
		t.Errorf("%+v", got)
	}
	if last := got[3]; last.Name != "Refused" || last.ID != 9 || !last.Missing {
		t.Errorf("%+v", last)
	}
}

func TestColumnsOfAnotherDatasetBringTheirCategories(t *testing.T) {
	f, m := schema.Category{ID: 1, Name: "F"}, schema.Category{ID: 2, Name: "M"}
	brought := []schema.Column{
		{ID: 8, Name: "SEX", Type: schema.Of(schema.Varchar), Categories: []schema.Category{m}},
		{ID: 9, Name: "new", Type: schema.Of(schema.Varchar), Categories: []schema.Category{f}},
	}
	s, columns := withCategories(surveyed.Schema, brought)
	sex, _ := s.ByName("sex")
	if len(sex.Categories) != 2 || columns[0].ID != 3 || len(columns[0].Categories) != 2 {
		t.Errorf("%+v and %+v", sex, columns[0])
	}
	if columns[1].ID != 9 || len(columns[1].Categories) != 1 || brought[0].ID != 8 {
		t.Errorf("%+v of %+v", columns, brought)
	}
	if before, _ := surveyed.Schema.ByName("sex"); len(before.Categories) != 1 {
		t.Errorf("the dataset's own schema was changed: %+v", before)
	}
}

func TestAnObjectKeepsItsOrder(t *testing.T) {
	var got ordered[int]
	if err := json.Unmarshal([]byte(`{"b":1,"a":2,"c":3}`), &got); err != nil || len(got) != 3 || got[0].Name != "b" ||
		got[1].Value != 2 || got[2].Name != "c" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{`[1]`, `1`, `{"a":"x"}`} {
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

func TestADatasetStartsWithTheVariablesOfItsTable(t *testing.T) {
	var in newDataset
	text := `{"table":{"metadata":{"b":{"type":"text"},"a":{"name":"Age","type":"numeric","values":[1,2]}}}}`
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		t.Fatal(err)
	}
	got, err := in.variables()
	if err != nil || len(got) != 2 || got[0].Name != "b" || got[1].Name != "Age" || got[1].Type != "BIGINT" {
		t.Errorf("%+v, %v", got, err)
	}
	derived := `{"table":{"metadata":{"b":{"type":"numeric","derivation":{"var":"a"}}}}}`
	in = newDataset{}
	if err := json.Unmarshal([]byte(derived), &in); err != nil {
		t.Fatal(err)
	}
	_, err = in.variables()
	refusedField(t, derived, err, "metadata", "once the dataset exists")
}

func TestADerivationIsAnExpressionOrSQL(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "", `{"derivation":{}}`: "", `{"derivation":""}`: "", `{"derivation":null}`: "",
		`{"derivation":"age * 2"}`:                   "age * 2",
		`{"expr":"age + 1"}`:                         "age + 1",
		`{"derivation":{},"expr":"age"}`:             "age",
		`{"derivation":{"var":"age"},"expr":"age2"}`: `"age"`,
	} {
		var in derivation
		if err := json.Unmarshal([]byte(text), &in); err != nil {
			t.Fatal(err)
		}
		if got, err := in.read(surveyed); err != nil || got.SQL != want {
			t.Errorf("%s: %q, %v", text, got.SQL, err)
		}
	}
	for _, text := range []string{`[1]`, `7`, `true`} {
		_, err := derivation{Derivation: json.RawMessage(text)}.read(surveyed)
		refusedField(t, text, err, "derivation", "must be an expression")
	}
	yes, no := true, false
	for _, c := range []struct {
		declared    *bool
		is, refused bool
	}{{nil, true, false}, {nil, false, false}, {&yes, true, false}, {&no, false, false}, {&yes, false, true},
		{&no, true, true}} {
		if err := (derivation{Derived: c.declared}).checkDerived(c.is); (err != nil) != c.refused {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestADerivationIsShownAsItWasSent(t *testing.T) {
	e, err := expression.Read(surveyed.Schema, "d", []byte(over40))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		column schema.Column
		want   string
	}{
		{schema.Column{ID: 9, Derivation: `"c2" > 40`, Expression: e.Text}, over40},
		{surveyed.Schema.Columns[3], `"\"age\" * 2"`},
		{schema.Column{ID: 9, Derivation: `"c2" > 40`, Expression: "no JSON"}, `"\"age\" \u003e 40"`},
	} {
		var got, want any
		text := viewDerivation(surveyed.Schema, c.column)
		if json.Unmarshal(text, &got) != nil || json.Unmarshal([]byte(c.want), &want) != nil || !equal(got, want) {
			t.Errorf("%s; want %s", text, c.want)
		}
	}
}

// equal reports whether two values are the same JSON.
func equal(a, b any) bool {
	one, err := json.Marshal(a)
	other, failed := json.Marshal(b)
	return err == nil && failed == nil && string(one) == string(other)
}
