package expression

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// refusal checks that an error is a refused expression, whose sentence contains why.
func refusal(t *testing.T, what string, err error, why string) {
	t.Helper()
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), why) {
		t.Errorf("%.80s: %v; want … %s", what, err, why)
	}
}

func TestAValueIsWrittenAsWhatItStandsBeside(t *testing.T) {
	none, number, text := schema.Type{}, schema.Of(schema.Bigint), schema.Of(schema.Varchar)
	for _, c := range []struct {
		value  string
		beside schema.Type
		want   string
	}{
		{`1`, none, `1`}, {` 1 `, number, `1`}, {`-1.50`, none, `-1.50`}, {`1`, text, `'1'`}, {`1e3`, text, `'1e3'`},
		{`"a"`, none, `'a'`}, {`"it's"`, text, `'it''s'`}, {`""`, text, `''`}, {`"7"`, number, `'7'`},
		{`"1e3"`, number, `'1e3'`}, {`true`, none, `TRUE`}, {`false`, text, `FALSE`},
		{`null`, none, `NULL`}, {` null`, number, `NULL`}, {`{"?":-1}`, text, `NULL`}, {`{"?":8}`, number, `NULL`},
		{`"'); DROP TABLE records; --"`, text, `'''); DROP TABLE records; --'`},
	} {
		if got, err := literal(json.RawMessage(c.value), c.beside); err != nil || got != c.want {
			t.Errorf("%s beside %s: %s, %v; want %s", c.value, c.beside, got, err, c.want)
		}
	}
	for _, c := range []struct {
		value  string
		beside schema.Type
		why    string
	}{
		{`"x"`, number, "is not a number"}, {`"a\u0000b"`, text, "NUL"}, {`[1]`, none, "is not one value"},
		{`{"a":1}`, none, "is not one value"}, {`{"?":1,"a":2}`, none, "is not one value"}, {`{`, none, "is not a value"},
	} {
		_, err := literal(json.RawMessage(c.value), c.beside)
		refusal(t, c.value, err, c.why)
	}
}

// DuckDB would compare 1e18 with integers as DOUBLEs, where neighbours are equal.
func TestAWholeNumberIsAnIntegerHoweverItIsWritten(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "12": "12", "-12": "-12", "1e3": "1000", "1.5e1": "15", "2.0": "2", "1e18": "1000000000000000000",
		"1.000000000000000001e18":                "1000000000000000001",
		"99999999999999999999999999999999999999": "99999999999999999999999999999999999999",
		"1.5":                                    "1.5",
		"1e-3":                                   "1e-3",
		"1e38":                                   "1e38",
		"1e400":                                  "1e400",
		"1e-999999999":                           "1e-999999999",
		"-1e3":                                   "-1e3",
		"100000000000000000000000000000000000000": "100000000000000000000000000000000000000",
	} {
		if got := numberText(json.Number(text)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]bool{
		"1": true, "-1": true, "": false, "-": false, "1.0": false, "1e3": false, "--1": false,
		strings.Repeat("9", 38): true, strings.Repeat("9", 39): false, "-" + strings.Repeat("9", 38): true,
	} {
		if got := isInteger(text); got != want {
			t.Errorf("%s is an integer: %t", text, got)
		}
	}
}

func TestAListIsToldFromOneValue(t *testing.T) {
	for text, want := range map[string]int{`[]`: 0, `[1]`: 1, ` [1,"[2]"]`: 2, `[[1],[2]]`: 2} {
		if list, ok := listOf(json.RawMessage(text)); !ok || len(list) != want {
			t.Errorf("%s: %v, %t", text, list, ok)
		}
	}
	for _, text := range []string{``, ` `, `1`, `"[1]"`, `{"a":[1]}`, `[1`} {
		if list, ok := listOf(json.RawMessage(text)); ok {
			t.Errorf("%s: %v", text, list)
		}
	}
}
