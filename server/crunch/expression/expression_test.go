package expression_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/server/crunch/expression"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/schema"
)

func numeric(v float64) *float64 { return &v }

// columns are those of the table below.
var columns = schema.Schema{Columns: []schema.Column{
	{ID: 1, Name: "a", Type: schema.Of(schema.Bigint)},
	{ID: 2, Name: "b", Type: schema.Of(schema.Double)},
	{ID: 3, Name: `say "c1"`, Type: schema.Of(schema.Varchar)},
	{ID: 4, Name: "at", Type: schema.Of(schema.Timestamp)},
	{ID: 5, Name: "sex", Type: schema.Of(schema.Varchar), Categories: []schema.Category{
		{ID: 1, Name: "F", NumericValue: numeric(10), Selected: true}, {ID: 2, Name: "M"},
		{ID: 8, Name: "Refused", Missing: true}, {ID: -1, Name: "No Data", Missing: true},
	}},
}}

const records = `CREATE TABLE records AS SELECT * FROM (VALUES
	(1, 0.5, 'x', TIMESTAMP '2026-01-01 00:00:00', 'F'),
	(-7, 2.0, 'it''s', TIMESTAMP '2026-02-01 00:00:00', 'M'),
	(3, 0.0, '7', NULL, 'Refused'),
	(NULL, NULL, NULL, NULL, NULL)) t("a", "b", "say ""c1""", "at", "sex")`

func call(function string, args ...string) string {
	return fmt.Sprintf(`{"function":%q,"args":[%s]}`, function, strings.Join(args, ","))
}

const a, b, text, at, sex = `{"var":"a"}`, `{"variable":"https://x/api/datasets/1/variables/000002/"}`,
	`{"var":"say \"c1\""}`,
	`{"variable":"../variables/000004/"}`, `{"var":"000005"}`

func value(v string) string { return `{"value":` + v + `}` }

const sexes = `{"class":"categorical","categories":[
	{"id":1,"name":"young","numeric_value":null,"missing":false},
	{"id":2,"name":"old","numeric_value":null,"missing":false},
	{"id":-1,"name":"No Data","numeric_value":null,"missing":true}]}`

// Each expression gives these values, of the four records.
func TestWhatExpressionsGive(t *testing.T) {
	const one = `{"id":1,"name":"one","numeric_value":1}`
	above2 := call(">", a, value("2"))
	conn := table(t)
	for expr, want := range map[string]string{
		a:                                       "1 -7 3 ∅",
		call("copy_variable", sex):              "F M Refused ∅",
		call("+", a, value("2")):                "3 -5 5 ∅",
		call("-", value("2"), a):                "1 9 -1 ∅",
		call("-", a):                            "-1 7 -3 ∅",
		call("*", a, b):                         "0.5 -14.0 0.0 ∅",
		call("/", a, b):                         "2.0 -3.5 ∅ ∅",
		call("//", a, value("2")):               "0 -4 1 ∅",
		call("^", a, value("2")):                "1.0 49.0 9.0 ∅",
		call("%", a, value("4")):                "1 1 3 ∅",
		call("&", a, value("1")):                "1 1 1 ∅",
		call("==", a, value("3")):               "false false true ∅",
		call("==", value("3"), a):               "false false true ∅",
		call("!=", a, value("3")):               "true true false ∅",
		call("<", a, value("1")):                "false true false ∅",
		call(">", value("1"), a):                "false true false ∅",
		call("<=", a, b):                        "false true false ∅",
		call("==", a, value("null")):            "false false false true",
		call("!=", a, value(`{"?":1}`)):         "true true true false",
		call("=><=", a, value("1"), value("3")): "true false true ∅",
		call(">=", at, value(`"2026-01-15"`)):   "false true ∅ ∅",
		call("==", text, value(`"it's"`)):       "false true false ∅",
		call("==", text, value("7")):            "false false true ∅",
		call("in", a, value("[1,3]")):           "true false true ∅",
		call("any", a, `{"column":[1,3]}`):      "true false true ∅",
		call("all", a, value("[3]")):            "false false true ∅",
		// Numbers beyond what a DOUBLE holds exactly are not their neighbours.
		call("in", call("+", a, value("1152921504606846976")), value("[1152921504606846977,1e30]")): "true false false ∅",
		call("==", call("+", a, value("1e18")), value("1.000000000000000001e18")):                   "true false false ∅",
		// What can't be cast is missing, and the rest of the condition holds.
		call("or", call("==", a, value("1")), call(">", call("cast", text, value(`"numeric"`)), value("5"))): "true ∅ true ∅",
		call("in", a, value("[]")):                                      "false false false false",
		call("in", text, value(`["x","\u0063\u0031"]`)):                 "true false false ∅",
		call("==", sex, value("1")):                                     "true false false ∅",
		call("==", sex, value(`"M"`)):                                   "false true false ∅",
		call("!=", sex, value("-1")):                                    "true true true false",
		call("in", sex, value("[2,-1]")):                                "false true false true",
		call("is_missing", sex):                                         "false false true true",
		call("is_valid", sex):                                           "true true false false",
		call("is_missing", a):                                           "false false false true",
		call("selected", sex):                                           "true false false ∅",
		call("not_selected", sex):                                       "false true false false",
		call("not", call("selected", sex)):                              "false true true ∅",
		call("and", call("<", a, value("4")), call(">", b, value("0"))): "true true false ∅",
		call("or", call("==", a, value("1")), call("==", a, value("3")), call("is_missing", a)): "true false true true",
		call("char_length", text):                                                "1 4 1 ∅",
		call("cast", a, value(`"text"`)):                                         "1 -7 3 ∅",
		call("cast", sex, value(`"numeric"`)):                                    "10.0 ∅ ∅ ∅",
		call("cast", text, value(sexes)):                                         "∅ ∅ ∅ ∅",
		call("cast", a, value(`{"class":"categorical","categories":[`+one+`]}`)): "one ∅ ∅ ∅",
		call("case", `{"column":[2,1,-1],"type":{"value":`+sexes+`}}`, above2, call("<", a, value("2"))): "young young old ∅",
		call("case", `{"column":[1],"type":`+sexes+`}`, above2):                                          "∅ ∅ young ∅",
		call("case", `{"column":[1.5,2]}`, above2):                                                       "2.0 2.0 1.5 2.0",
		call("combine_categories", sex, value(`[{"id":1,"name":"known","combined_ids":[1,2]},
			{"id":-1,"name":"No Data","combined_ids":[8,-1]}]`)): "known known ∅ ∅",
	} {
		e, err := expression.Read(columns, "1", []byte(expr))
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if got := values(t, conn, e.SQL); got != want {
			t.Errorf("%s, which is %s:\n got %s\nwant %s", expr, e.SQL, got, want)
		}
		shown, err := expression.Show(columns, e.Text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := expression.Read(columns, "1", shown)
		if err != nil || again.SQL != e.SQL || again.Text != e.Text {
			t.Errorf("%s is kept as %s, which is read as %s, %v", expr, e.Text, again.SQL, err)
		}
		if len(schema.References(e.Text)) == 0 || len(e.Columns) == 0 {
			t.Errorf("%s is kept as %s, without a reference", expr, e.Text)
		}
	}
}

func TestAKeptExpressionFollowsNames(t *testing.T) {
	e, err := expression.Read(columns, "1", []byte(call("in", text, value(`["c1","x"]`))))
	if err != nil {
		t.Fatal(err)
	}
	if refs := schema.References(e.Text); len(refs) != 1 || refs[0] != 3 {
		t.Errorf("%s refers to %v", e.Text, refs)
	}
	renamed := columns.With(schema.Column{ID: 3, Name: "word", Type: schema.Of(schema.Varchar)})
	shown, err := expression.Show(renamed, e.Text)
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if json.Unmarshal(shown, &got) != nil ||
		json.Unmarshal([]byte(call("in", `{"var":"word"}`, value(`["c1","x"]`))), &want) != nil {
		t.Fatal(string(shown))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("shown as %s", shown)
	}
}

func TestExpressionsThatAreRefused(t *testing.T) {
	deep := strings.Repeat(`{"function":"not","args":[`, 101) + a + strings.Repeat("]}", 101)
	for expr, says := range map[string]string{
		`7`:                                         "JSON number",
		`{"function":"+","args":[1,2]}`:             "JSON number",
		`{"function":7}`:                            "function",
		`{"function":"+","args":[null,null]}`:       "null",
		`{"frame":"primary"}`:                       `a "function"`,
		`{"var":"a","value":1}`:                     "more than one of",
		`{"value":1}`:                               "read a variable",
		call("sentiment", text):                     `unknown function "sentiment"; the functions are +, -`,
		call("+", `{"var":"d"}`, a):                 `unknown variable "d"`,
		call("+", `{"variable":"../x/000009/"}`, a): `unknown variable "000009"`,
		`{"variable":"/api/datasets/2/variables/000001/"}`:      "another dataset",
		`{"var":"a","axes":["b"]}`:                              "arrays",
		call("+", a):                                            "1 arguments",
		call("+", a, sex):                                       "cast it to numeric",
		call("<", sex, value("1")):                              "no order",
		call("==", sex, value("3")):                             "1 (F), 2 (M)",
		call("==", a, value(`"zz"`)):                            "not a number",
		call("in", a, value("1")):                               "list",
		call("==", a, value("[1]")):                             "list",
		call("+", a, value(`{"x":1}`)):                          "not one value",
		call("==", value("1"), value("1")):                      "two values",
		call("selected", a):                                     "categorical",
		call("all", a, value("[1,2]")):                          "arrays",
		call("case", `{"column":[1]}`):                          "a condition for each",
		call("case", `{"column":[1,2,3]}`, call("is_valid", a)): "3 values and 1 conditions",
		call("case", `{"column":[3,1],"type":`+sexes+`}`, call("is_valid", a)): "unknown category 3",
		call("cast", a, value(`"money"`)):                                      `not "money"`,
		call("cast", a, value(`"categorical"`)):                                "needs the categories",
		call("combine_categories", a, value("[]")):                             "categorical",
		call("and", call("is_valid", a), a):                                    "argument 2",
		call("not", value("true")):                                             "argument 1",
		call("case", `{"column":[1]}`, call("+", a, a)):                        "condition 1",
		deep: "100 terms inside one another",
		call("in", a, value("["+strings.Repeat("1,", 10_000)+"1]")):     "10000 values",
		call("or", strings.Repeat(call("is_valid", a)+",", 1_000)+a):    "2000 terms",
		call("in", text, value(`["`+strings.Repeat("x", 200_000)+`"]`)): "too large",
	} {
		_, err := expression.Read(columns, "1", []byte(expr))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.80s: %v, and not %s", expr, err, says)
		}
	}
}

func table(t *testing.T) *duck.Conn {
	t.Helper()
	conn := ducktest.ConnOf(t, duck.Limits{})
	if _, err := conn.Exec(context.Background(), records); err != nil {
		t.Fatal(err)
	}
	return conn
}

func values(t *testing.T, conn *duck.Conn, sql string) string {
	t.Helper()
	var out []string
	query := "SELECT coalesce(CAST(" + sql + " AS VARCHAR), '∅') FROM records"
	err := conn.Rows(context.Background(), query, func(scan duck.Scan) error {
		var one string
		err := scan(&one)
		out = append(out, one)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return strings.Join(out, " ")
}
