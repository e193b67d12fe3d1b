package intake

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/schema"
)

// The types that are chosen for what JSON records have at one place.
func TestTypesOfJSON(t *testing.T) {
	deep := strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1)
	for values, want := range map[string]string{
		"null":                          "NULL",
		"true, null":                    "BOOLEAN",
		"1, -1":                         "BIGINT",
		"9223372036854775808":           "UBIGINT",
		"9223372036854775808, -1":       "DECIMAL(38,0)",
		"-9223372036854775809":          "DECIMAL(38,0)",
		"1" + strings.Repeat("0", 38):   "JSON",
		"1.5, 2":                        "DOUBLE",
		"0.1":                           "DOUBLE",
		"0.30000000000000004":           "DOUBLE", // the shortest text of a double may have 17 digits
		"1e400":                         "DOUBLE", // which Batch refuses
		"0.12345678901234567890":        "DECIMAL(20,19)",
		"9007199254740993, 0.5":         "DECIMAL(17,1)",
		"9007199254740993, 1e-40":       "JSON",
		"0.1" + strings.Repeat("3", 50): "DOUBLE", // no type has all its digits
		`"a", null`:                     "VARCHAR",
		`"a", 1`:                        "JSON",
		"[1, null], []":                 "BIGINT[]",
		`[1], ["a"]`:                    "JSON[]",
		"[[1.5]], [[2]]":                "DOUBLE[][]",
		`{"a":1}, {"b":[true]}`:         `STRUCT("a" BIGINT, "b" BOOLEAN[])`,
		`{"a":1}, {"A":2}`:              "JSON", // SQL does not distinguish them
		`{"a":1}, [1]`:                  "JSON",
		`{}`:                            "STRUCT()",
		deep:                            strings.TrimSuffix("JSON"+strings.Repeat("[]", maxDepth), "[]"),
	} {
		body := "[" + strings.Join(records(values), ",") + "]"
		r, err := openJSON(t.Context(), upload(t, JSON, body))
		if err != nil {
			t.Errorf("%s: %v", values, err)
			continue
		}
		if got := r.columns[0].Type.String(); got != want {
			t.Errorf("%s: %s, not %s", values, got, want)
		}
	}
}

// records returns a record for each of some values, which are separated by a comma and a space.
func records(values string) (list []string) {
	depth, from := 0, 0
	for i, c := range values + ", " {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth == 0 && strings.HasPrefix((values + ", ")[i:], ", ") {
				list = append(list, `{"v":`+strings.TrimSpace(values[from:i])+`}`)
				from = i + 1
			}
		}
	}
	return list
}

// A field that some records lack is told apart from one that is null.
func TestAbsentFieldsOfJSON(t *testing.T) {
	r, err := openJSON(t.Context(), upload(t, NDJSON, `{"a":1,"b":null}`+"\n"+`{"a":null}`))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := r.columns[0], r.columns[1]; !a.Always || b.Always || b.Type.Name != schema.Null {
		t.Errorf("%+v, %+v", a, b)
	}
}

// The stored type decides whether a column is read as text, so that no digit is lost.
func TestStoredTypesAreImposed(t *testing.T) {
	for _, c := range []struct{ value, stored, want string }{
		{"0.1", "DECIMAL(10,2)", "DECIMAL(10,2)"},
		{"0.125", "DECIMAL(10,2)", "VARCHAR"}, // it does not fit, which is found later
		{"1", "DECIMAL(10,2)", "DECIMAL(10,2)"},
		{"1", "DOUBLE", "DOUBLE"},
		{"0.12345678901234567890", "DOUBLE", "DOUBLE"},
		{"9007199254740993", "DOUBLE", "BIGINT"},
		{`{"a":1}`, "JSON", "JSON"},
		{`{"a":1}`, "MAP(VARCHAR, BIGINT)", "JSON"},
		{`"a"`, "JSON", "JSON"},
		{"null", "JSON", "NULL"},
		{"[0.1]", "DECIMAL(3,1)[]", "DECIMAL(3,1)[]"},
		{"[0.123]", "DECIMAL(3,1)[]", "DOUBLE[]"},
		{`{"a":0.5}`, `STRUCT("a" DECIMAL(3,1))`, `STRUCT("a" DECIMAL(3,1))`},
		{`"2026-01-31"`, "DATE", "DATE"},
		{`"2026-01-31"`, "TIMESTAMP", "VARCHAR"},
		{`"2026-01-31T10:00:00"`, "TIMESTAMP", "TIMESTAMP"},
		{`"2026-01-31T10:00:00Z"`, "TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE"},
		{`["2026-02-30"]`, "DATE[]", "VARCHAR[]"},
	} {
		r, err := openJSON(t.Context(), upload(t, JSON, `[{"v":`+c.value+`}]`))
		if err != nil {
			t.Fatal(err)
		}
		stored, err := schema.Parse(c.stored)
		if err != nil {
			t.Fatal(err)
		}
		r.Impose(0, stored)
		if got := r.columns[0].Type.String(); got != c.want {
			t.Errorf("%s stored as %s: %s, not %s", c.value, c.stored, got, c.want)
		}
	}
}

func TestNumbersWithoutAnExponent(t *testing.T) {
	for text, want := range map[string]string{
		"1": "1", "1.50": "1.50", "1e3": "1000", "1.5E-2": "0.015", "-12e-1": "-1.2", "0e5": "0",
		"1e59": "1" + strings.Repeat("0", 59), "1e60": "1e60", "1e-60": "1e-60", "1e999999999": "1e999999999",
	} {
		if got := written(text); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
}

func TestSignificantDigits(t *testing.T) {
	for text, want := range map[string]string{
		"0": " 0", "-0.00": " 0", "10": "1 1", "0.010": "1 -2", "123.450": "12345 -2", "-1.5e3": "15 2", "1e-3": "1 -3",
		"1e99999": "1 9999", "5e-99999": "5 9999",
	} {
		digits, exponent := significant(text)
		if got := fmt.Sprint(digits, " ", exponent); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
}

func TestHeadersOfCSV(t *testing.T) {
	for text, want := range map[string]string{
		"a,b\n1,2\n":                    `["a" "b"] ','`,
		"a;b,c;d\n":                     `["a" "b,c" "d"] ';'`,
		"a\tb":                          `["a" "b"] '\t'`,
		"a|b|c\r\n":                     `["a" "b" "c"] '|'`,
		"\xef\xbb\xbfid\n":              `["id"] ','`,
		"\"a,\nb\",\"say \"\"x\"\"\"\n": `["a,\nb" "say \"x\""] ','`,
		"\"a;b;c\",d\n":                 `["a;b;c" "d"] ','`,
		"":                              "the CSV is empty",
		" \n1\n":                        "the CSV is empty",
		"\xff,a\n":                      "not UTF-8",
		"a\"b,c\n":                      "the CSV's header can't be read",
	} {
		names, d, err := readHeader(upload(t, CSV, text))
		got := fmt.Sprintf("%q %q", names, d.comma)
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) && !strings.Contains(got, want) {
			t.Errorf("%q: %s, not %s", text, got, want)
		}
	}
	long := strings.Repeat("a", maxHeader)
	if _, _, err := readHeader(upload(t, CSV, long)); err == nil {
		t.Error("a header that is too long was accepted")
	}
}

// A small CSV is read here only if its fields are what is between the separators.
func TestPlainCSV(t *testing.T) {
	for text, want := range map[string]string{
		"a,b\n1,x\n2,\n": `["1" "2"] ["x" ""]`,
		"a;b\r\n1;x\r\n": `["1"] ["x"]`,
		"a\n1":           `["1"]`,
		"a\n":            "", // no records: DuckDB says what that means
		"a,b\n1\n":       "",
		"a\n\"1\"\n":     "",
		"a\n1\n\n2\n":    "",
		"a\n1\r\n":       "",
		"a\n\x00\n":      "",
		"\ufeffa\n1\n":   "",
		"a\n\xff\n":      "",
	} {
		r, err := openPlain(upload(t, CSV, text))
		got := ""
		if r != nil {
			for _, column := range r.text {
				got += fmt.Sprintf("%q ", column)
			}
		}
		if err != nil || strings.TrimSpace(got) != want {
			t.Errorf("%q: %s, not %s (%v)", text, got, want, err)
		}
	}
	if _, err := openPlain(upload(t, CSV, "a,A\n1,2\n")); err == nil {
		t.Error("names that SQL does not distinguish were accepted")
	}
}

// A column of a plain CSV becomes its stored type only if all of its values are in canonical form.
func TestPlainValues(t *testing.T) {
	for _, c := range []struct {
		typ    string
		values []string
		plain  bool
	}{
		{schema.Bigint, []string{"1", "", "-9223372036854775808"}, true},
		{schema.Bigint, []string{"1", "01"}, false},
		{schema.Bigint, []string{"+1"}, false},
		{schema.Bigint, []string{"9223372036854775808"}, false},
		{schema.Double, []string{"1.5", "-0", "0.10"}, true},
		{schema.Double, []string{".5"}, false},
		{schema.Double, []string{"1e5"}, false},
		{schema.Double, []string{"nan"}, false},
		{schema.Double, []string{"1234567890123456"}, false},
		{schema.Boolean, []string{"true", "false", ""}, true},
		{schema.Boolean, []string{"TRUE"}, false},
		{schema.Varchar, []string{"a"}, false},
	} {
		a := plainValues(c.values, c.typ)
		if (a != nil) != c.plain {
			t.Errorf("%q as %s: %v", c.values, c.typ, a)
			continue
		}
		for i, v := range c.values {
			if a != nil && a.IsNull(i) != (v == "") {
				t.Errorf("%q as %s is null: %v", v, c.typ, a.IsNull(i))
			}
		}
	}
}

func TestFieldsOfAWideCSV(t *testing.T) {
	for record, want := range map[string]int{
		"": 0, "a": 1, "a,b": 1, ",b": 0, `"a,b",c`: 5, `"say ""x""",c`: 11, `""`: 2, `"open`: -1, `a"b,c`: -1, `"a"b,c`: -1,
	} {
		if got := commas.fieldEnd([]byte(record)); got != want {
			t.Errorf("%s ends at %d, not %d", record, got, want)
		}
	}
}

func TestNamesOfColumns(t *testing.T) {
	for names, says := range map[string]string{
		"a b c": "", "a é É": "", "a b a": `column "a" appears twice`, "a b A": "differ only in case", "a \t b": "no name",
		"a\x00": "NUL",
	} {
		var columns []Offered
		for _, n := range strings.Split(names, " ") {
			columns = append(columns, Offered{Name: n})
		}
		err := checkNames(columns)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", names, err)
		}
	}
}
