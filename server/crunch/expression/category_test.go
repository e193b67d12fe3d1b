package expression

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/schema"
)

var sexes = []schema.Category{
	{ID: 1, Name: "F", Selected: true}, {ID: 2, Name: "it's M"}, {ID: 8, Name: "Refused", Missing: true},
	{ID: noData, Name: "No Data", Missing: true},
}

func TestACategoryIsNamedByItsIDOrItsName(t *testing.T) {
	for value, want := range map[string]string{
		`1`: `'F'`, `"F"`: `'F'`, `2`: `'it''s M'`, `"it's M"`: `'it''s M'`, `8`: `'Refused'`,
		`-1`: `NULL`, `null`: `NULL`, `{"?":-1}`: `NULL`,
	} {
		if got, err := nameIn(sexes, json.RawMessage(value)); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", value, got, err, want)
		}
	}
	for _, value := range []string{`3`, `"f"`, `"1"`, `1.5`, `true`, `[1]`} {
		_, err := nameIn(sexes, json.RawMessage(value))
		refusal(t, value, err, "the categories are 1 (F), 2 (it's M), 8 (Refused), -1 (No Data)")
	}
	_, err := nameIn(nil, json.RawMessage(`1`))
	refusal(t, "no categories", err, "the categories are none")
}

func TestLongListsOfCategoriesAreCutForPeople(t *testing.T) {
	var many []schema.Category
	for i := range 12 {
		many = append(many, schema.Category{ID: int64(i), Name: fmt.Sprint("name ", i)})
	}
	if got := listed(many[:10]); strings.Contains(got, "…") || !strings.HasSuffix(got, "9 (name 9)") {
		t.Error(got)
	}
	if got := listed(many); !strings.HasSuffix(got, "9 (name 9), …") {
		t.Error(got)
	}
}

func TestMissingAsksForNoValueAndForCategoriesThatStandForNone(t *testing.T) {
	plain := operand{sql: `"a"`, typ: schema.Of(schema.Bigint)}
	categorical := operand{sql: `"s"`, categories: sexes}
	for got, want := range map[string]string{
		missing(plain, true):        `("a" IS NULL)`,
		missing(plain, false):       `(NOT ("a" IS NULL))`,
		missing(categorical, true):  `("s" IS NULL OR "s" IN ('Refused'))`,
		missing(categorical, false): `(NOT ("s" IS NULL OR "s" IN ('Refused')))`,
	} {
		if got != want {
			t.Errorf("%s; want %s", got, want)
		}
	}
}

func TestSelectedAsksForACategoryThatIsSelected(t *testing.T) {
	o := operand{sql: `"s"`, categories: sexes}
	if got, err := selected(o, "selected"); err != nil || got != `("s" IN ('F'))` {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := selected(o, "not_selected"); err != nil || !strings.HasPrefix(got, `(NOT ("s" IN ('F')) AND (NOT (`) {
		t.Errorf("%s, %v", got, err)
	}
	_, err := selected(operand{sql: `"a"`}, "selected")
	refusal(t, "a number", err, "asks for a categorical variable")
	_, err = selected(operand{sql: `"s"`, categories: sexes[1:]}, "selected")
	refusal(t, "none selected", err, "none of \"s\" is")
}

// A number with a fraction in the list would make all of it DOUBLE, where large integers are equal to their neighbours.
func TestOneOfSomeValuesComparesIntegersExactly(t *testing.T) {
	number := operand{sql: `"a"`, typ: schema.Of(schema.Bigint)}
	for list, want := range map[string]string{
		`[]`:         `FALSE`,
		`[1,2]`:      `("a" IN (1, 2))`,
		`[1,2.5]`:    `("a" = 2.5 OR "a" IN (1))`,
		`[null]`:     `("a" IS NULL)`,
		`[1,null]`:   `("a" IN (1) OR "a" IS NULL)`,
		`[{"?":-1}]`: `("a" IS NULL)`,
	} {
		values, _ := listOf(json.RawMessage(list))
		if got, err := number.isOneOf(values); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", list, got, err, want)
		}
	}
	text := operand{sql: `"t"`, typ: schema.Of(schema.Varchar)}
	if got, err := text.isOneOf([]json.RawMessage{json.RawMessage(`1`)}); err != nil || got != `("t" IN ('1'))` {
		t.Errorf("%s, %v", got, err)
	}
	_, err := number.isOneOf([]json.RawMessage{json.RawMessage(`"x"`)})
	refusal(t, "a word", err, "is not a number")
}

func TestATypeIsDeclaredInAValueOrNot(t *testing.T) {
	list := `[{"id":1,"name":"F"}]`
	for text, want := range map[string]string{
		`{"class":"numeric"}`:                                         "numeric",
		`{"value":{"class":"text"}}`:                                  "text",
		`{"class":"categorical","categories":` + list + `}`:           "categorical",
		`{"value":{"class":"categorical","categories":` + list + `}}`: "categorical",
	} {
		class, categories, err := typeOf(json.RawMessage(text))
		if err != nil || class != want || (len(categories) == 1) != (want == "categorical") {
			t.Errorf("%s: %s, %v, %v", text, class, categories, err)
		}
	}
	_, _, err := typeOf(json.RawMessage(`{"class":"categorical"}`))
	refusal(t, "no categories", err, "this one has none")
	_, _, err = typeOf(json.RawMessage(`[1]`))
	refusal(t, "a list", err, "can't be read")
}
