package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// What DuckDB, or a damaged schema document, may say in the place of a type is refused with the type in the message.
func TestErrorsNameTheType(t *testing.T) {
	for text, why := range map[string]string{
		"":                            "a name is missing",
		"LIST":                        "LIST lacks its parameters",
		"STRUCT":                      "STRUCT lacks its parameters",
		"MAP":                         "MAP lacks its parameters",
		"DECIMAL":                     "DECIMAL lacks its parameters",
		"STRUCT()":                    "a name or a type is missing",
		"STRUCT(a INTEGER":            "a comma is missing",
		"STRUCT(a INTEGER,":           "a name or a type is missing",
		"MAP(VARCHAR INTEGER)":        "a comma is missing",
		"MAP(VARCHAR, INTEGER":        "MAP is not closed",
		"MAP(VARCHAR, INTEGER, DATE)": "MAP is not closed",
		"DECIMAL(a,b)":                "DECIMAL needs a width and a scale",
		"DECIMAL(5,2":                 "DECIMAL needs a width and a scale",
		"INTEGER[] DATE":              "unexpected",
		"INTEGER[":                    "[ is not closed",
		"UNION(a INTEGER":             "a parenthesis is not closed",
		"ENUM('a)":                    "a parenthesis is not closed",
	} {
		typ, err := Parse(text)
		said := fmt.Sprint(err)
		if !strings.Contains(said, why) || !strings.HasPrefix(said, fmt.Sprintf("type %q: ", text)) {
			t.Errorf("%q reads as %s, %v, not %s", text, typ, err, why)
		}
	}
}

// Types are parsed up to a depth that does not exhaust the stack, and lists of lists count as depth.
func TestDepthIsLimited(t *testing.T) {
	for what, at := range map[string]func(n int) string{
		"structs": func(n int) string { return strings.Repeat("STRUCT(a ", n) + "DATE" + strings.Repeat(")", n) },
		"lists":   func(n int) string { return "DATE" + strings.Repeat("[]", n) },
		"maps":    func(n int) string { return strings.Repeat("MAP(DATE, ", n) + "DATE" + strings.Repeat(")", n) },
	} {
		if _, err := Parse(at(maxNested - 1)); err != nil {
			t.Errorf("%s, %d deep: %v", what, maxNested-1, err)
		}
		if typ, err := Parse(at(maxNested + 1)); err == nil || !strings.Contains(err.Error(), "nested more than 1000 deep") {
			t.Errorf("%s, %d deep: depth %d, %v", what, maxNested+1, typ.Depth(), err)
		}
	}
}

// Spaces around the parts of a type mean nothing; those inside a name do.
func TestSpaces(t *testing.T) {
	for text, want := range map[string]string{
		"DECIMAL( 5 , 2 )":                 "DECIMAL(5,2)",
		"MAP(VARCHAR , INTEGER )":          "MAP(VARCHAR, INTEGER)",
		"STRUCT(a   INTEGER ,  b DATE )[]": `STRUCT("a" INTEGER, "b" DATE)[]`,
		"INTEGER[ ] [ ]":                   "INTEGER[][]",
		`STRUCT(" a " INTEGER)`:            `STRUCT(" a " INTEGER)`,
		`STRUCT("" INTEGER)`:               `STRUCT("" INTEGER)`,
	} {
		if typ, err := Parse(text); err != nil || typ.String() != want {
			t.Errorf("%q reads as %s, %v", text, typ, err)
		}
	}
}

// A document with a malformed type is an error, not a column of another type.
func TestMalformedTypesInDocuments(t *testing.T) {
	var s Schema
	err := json.Unmarshal([]byte(`{"columns":[{"id":1,"name":"a","type":"STRUCT(a"}]}`), &s)
	if err == nil || !strings.Contains(err.Error(), "STRUCT(a") {
		t.Errorf("%v: %+v", err, s)
	}
	if err := json.Unmarshal([]byte(`{"columns":[{"id":1,"name":"a","type":7}]}`), &s); err == nil {
		t.Errorf("a number was read as a type: %+v", s)
	}
}

// What a schema document has is exactly what it had: nothing is lost or added, and what is empty is not written.
func TestSchemaDocumentsRoundTrip(t *testing.T) {
	one := 1.5
	full := Schema{
		Columns: []Column{
			{ID: 1, Name: "id", Type: Of(Bigint)},
			{
				ID: 2, Name: "näme", Title: "Name", Type: DecimalOf(5, 2), Description: "d", Derivation: `"c1"`,
				Expression: "e", Earlier: []Type{Of(Varchar), ListOf(Of(Null))},
				Categories: []Category{{ID: -1, Name: "", Missing: true}, {ID: 1, Name: "a", NumericValue: &one, Selected: true}},
			},
		},
		Key: []int{1}, Retired: []Column{{ID: 3, Name: "old", Type: Of(Date)}}, Dropped: []int{4},
	}
	first, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	var back Schema
	if err := json.Unmarshal(first, &back); err != nil {
		t.Fatal(err)
	}
	second, err := json.Marshal(back)
	if err != nil || string(first) != string(second) {
		t.Errorf("%s\nbecame\n%s (%v)", first, second, err)
	}
	if c := back.Columns[1]; *c.Categories[1].NumericValue != one || c.Categories[0].NumericValue != nil ||
		len(c.Earlier) != 2 || !c.Type.Equal(DecimalOf(5, 2)) {
		t.Errorf("%+v", c)
	}
	const plain = `{"columns":[{"id":1,"name":"id","type":"BIGINT"}]}`
	short, err := json.Marshal(Schema{Columns: full.Columns[:1]})
	if err != nil || string(short) != plain {
		t.Errorf("%s, %v", short, err)
	}
}
