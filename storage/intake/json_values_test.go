package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/schema"
)

// randomValue returns the text of a JSON value of some kind, nested up to depth times.
func randomValue(random *rand.Rand, depth int) string {
	pool := []string{
		"null", "true", "false", "0", "-0", "1", "-1", "9007199254740993", "9223372036854775807", "-9223372036854775808",
		"18446744073709551615", "12345678901234567890123", "0.1", "-2.50", "1e3", "1.5E-3", "0.30000000000000004",
		"0.12345678901234567890", `""`, `"a"`, `"it's \"x\" \u00fc \ud83e\udd86\n"`, `"2026-01-01"`, `"\u0000"`,
	}
	kind := random.IntN(10)
	if depth == 0 || kind < 7 {
		return pool[random.IntN(len(pool))]
	}
	parts := make([]string, random.IntN(4))
	for i := range parts {
		parts[i] = randomValue(random, depth-1)
		if kind == 9 {
			parts[i] = fmt.Sprintf(`"%c":%s`, 'a'+i, parts[i])
		}
	}
	if kind == 9 {
		random.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// like returns a value of the same kind as another one, so that columns often have a type besides JSON.
func like(random *rand.Rand, value string) string {
	for range 50 {
		other := randomValue(random, 2)
		if other[0] == value[0] || other == "null" || strings.ContainsAny(value[:1], "-0123456789") &&
			strings.ContainsAny(other[:1], "-0123456789") {
			return other
		}
	}
	return value
}

// canonical returns a JSON value in one form: numbers as fractions, objects by name and without null fields. Numbers
// are rounded to doubles if that is how they are kept.
func canonical(t *testing.T, text string, rounded bool) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return form(v, rounded)
}

func form(v any, rounded bool) string {
	switch v := v.(type) {
	case json.Number:
		if rounded {
			f, _ := v.Float64()
			return new(big.Rat).SetFloat64(f).RatString()
		}
		exact, _ := new(big.Rat).SetString(string(v))
		return exact.RatString()
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = form(v[i], rounded)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		parts := []string{}
		for name, part := range v {
			if part != nil {
				parts = append(parts, strconv.Quote(name)+":"+form(part, rounded))
			}
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	case string:
		return strconv.Quote(v)
	}
	return fmt.Sprint(v)
}

// stored returns element i of an array as the text of a JSON value.
func stored(t *testing.T, a arrow.Array, typ schema.Type, i int) string {
	t.Helper()
	if a.IsNull(i) {
		return "null"
	}
	switch v := a.(type) {
	case *array.String:
		if typ.Name == schema.JSON || typ.Name == schema.Struct { // an object of which no field is known
			return v.Value(i)
		}
		text, err := json.Marshal(v.Value(i))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	case *array.List:
		parts := []string{}
		from, to := v.ValueOffsets(i)
		for k := from; k < to; k++ {
			parts = append(parts, stored(t, v.ListValues(), *typ.Elem, int(k)))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case *array.Struct:
		parts := []string{}
		for k, f := range typ.Fields {
			parts = append(parts, strconv.Quote(f.Name)+":"+stored(t, v.Field(k), f.Type, i))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	return a.ValueStr(i)
}

// hasDouble reports whether a type has doubles in it.
func hasDouble(t schema.Type) bool { return strings.Contains(t.String(), schema.Double) }

// Whatever records have in common, every value of every one is kept as it was sent: no digit and no character is lost.
func TestValuesOfRandomJSON(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	types := map[string]bool{}
	for range 1500 {
		values := []string{randomValue(random, 3)}
		for range random.IntN(3) {
			values = append(values, like(random, values[0]))
		}
		body := ""
		for _, v := range values {
			body += `{"v":` + v + "}\n"
		}
		r, err := openJSON(t.Context(), upload(t, NDJSON, body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		batch, err := r.Batch()
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		typ := r.columns[0].Type
		types[typ.Name] = true
		for i, v := range values {
			got := canonical(t, stored(t, batch.Column(0), typ, i), hasDouble(typ))
			if want := canonical(t, v, hasDouble(typ)); got != want {
				t.Errorf("%s among %q is kept as %s in a column of %s", v, values, got, typ)
			}
			if text := batch.Column(1).ValueStr(i); text != `{"v":`+v+"}" {
				t.Errorf("the text of record %d is %s", i, text)
			}
		}
		batch.Release()
	}
	for _, name := range strings.Fields("JSON BIGINT UBIGINT DECIMAL DOUBLE VARCHAR BOOLEAN LIST STRUCT") {
		if !types[name] {
			t.Errorf("no column was of type %s: %v", name, types)
		}
	}
}

// countValues counts the values of an array with those of its parts.
func countValues(a arrow.Array) int {
	n := a.Len()
	switch v := a.(type) {
	case *array.List:
		n += countValues(v.ListValues())
	case *array.Struct:
		for i := range v.NumField() {
			n += countValues(v.Field(i))
		}
	}
	return n
}

// Before records are decoded it is known how many values that makes at most, however few their text has.
func TestSlotsBoundTheValuesOfABatch(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	bodies := []string{`[{"a":[{"b":1},{"c":[1,2,3]}]},{"d":{"e":null}},{}]`, `[{"a":[[],[[{}]]]}]`}
	for range 300 {
		records := make([]string, 1+random.IntN(5))
		for i := range records {
			records[i] = fmt.Sprintf(`{"%c":%s}`, 'a'+random.IntN(3), randomValue(random, 4))
		}
		bodies = append(bodies, "["+strings.Join(records, ",")+"]")
	}
	for _, body := range bodies {
		r, err := openJSON(t.Context(), upload(t, JSON, body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		batch, err := r.Batch()
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		n := int(batch.NumRows())
		for i := range r.columns {
			n += countValues(batch.Column(i))
		}
		if slots := r.shape.slots(); slots < n {
			t.Errorf("%s has %d values in Arrow, and %d were expected", body, n, slots)
		}
		batch.Release()
	}
	for body, want := range map[string]int{`[]`: 0, `[{}]`: 1, `[{"a":1},{"b":2}]`: 6, `[{"a":[1,2]},{}]`: 6} {
		r, err := openJSON(t.Context(), upload(t, JSON, body))
		if err != nil || r.shape.slots() != want {
			t.Errorf("%s: %d slots, not %d (%v)", body, r.shape.slots(), want, err)
		}
	}
}

// What is wrong with a body is said in terms of its records, counted from 1.
func TestErrorsOfJSON(t *testing.T) {
	deep := strings.Repeat("[", 600) + strings.Repeat("]", 600)
	for body, says := range map[string]string{
		"":                             "the body is empty",
		"  \n":                         "the body is empty",
		`{"a":1}`:                      "the JSON is not an array of records",
		`"a"`:                          "the JSON is not an array of records",
		`[1]`:                          "record 1 is not a JSON object",
		`[{"a":1},null]`:               "record 2 is not a JSON object",
		`[{"a":1}`:                     "record 2 of the JSON can't be read: it ends too early",
		`[{"a":1},`:                    "record 2 of the JSON can't be read: it ends too early",
		`[{"a":1},{"a":`:               "record 2 of the JSON can't be read: it ends too early",
		`[{"a":1}]]`:                   "there is more after the JSON array's end",
		`[{"a":1}] {}`:                 "there is more after the JSON array's end",
		`[{"a":1,"a":2}]`:              `record 1 of the JSON can't be read: the field "a" appears twice`,
		`[{"a":{"b":1,"b":2}}]`:        `record 1 of the JSON can't be read: the field "b" appears twice`,
		`[{"a":NaN}]`:                  "record 1 of the JSON can't be read",
		`[{"a":01}]`:                   "record 1 of the JSON can't be read",
		`[{"a":1,}]`:                   "record 1 of the JSON can't be read",
		`[{'a':1}]`:                    "record 1 of the JSON can't be read",
		"[{\"a\":\"\xff\"}]":           "record 1 of the JSON can't be read",
		`[{"a":"\ud800"}]`:             "record 1 of the JSON can't be read",
		`[{"":1}]`:                     "column 1 has no name",
		`[{"a":1},{"A":2}]`:            `columns "a" and "A" differ only in case`,
		`[{"a\u0000":1}]`:              "has a NUL character",
		`[{"a":1},{"a":` + deep + `}]`: "record 2 can't be kept: it has more than",
	} {
		_, err := openJSON(t.Context(), upload(t, JSON, body))
		forClient(t, err)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.80s: %v, not %s", body, err, says)
		}
	}
}

// Records of NDJSON may be separated by anything that JSON takes for space; an empty body has none.
func TestRecordsOfNDJSON(t *testing.T) {
	for body, want := range map[string]int64{
		"": 0, "\n\n": 0, "{}": 1, `{"a":1}{"a":2}`: 2, "{\"a\":1}\r\n\r\n\t{\"a\":2}\r\n": 2,
		"{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}": 2,
	} {
		r, err := openJSON(t.Context(), upload(t, NDJSON, body))
		if err != nil || r.rows != want {
			t.Errorf("%q: %d records, %v", body, r.rows, err)
		}
	}
	_, err := openJSON(t.Context(), upload(t, NDJSON, `[{"a":1}]`))
	if err == nil || err.Error() != "record 1 is not a JSON object" {
		t.Errorf("an array sent as NDJSON: %v", err)
	}
}

// A number that only the second reading finds to be too large names its record, and is what the client is told.
func TestNumbersTooLargeForADouble(t *testing.T) {
	r, err := openJSON(t.Context(), upload(t, NDJSON, `{"a":1.5}`+"\n"+`{"a":1e400}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Batch()
	if err == nil || !strings.Contains(err.Error(), "record 2") || !strings.Contains(err.Error(), "1e400") {
		t.Errorf("%v", err)
	}
	if told := r.Explain(fmt.Errorf("what DuckDB makes of it")); told != r.failed {
		t.Errorf("the client is told %v", told)
	}
	if r.Explain(nil) != nil {
		t.Error("a reading without an error has one")
	}
}

// Records with more fields than a dataset may have columns are refused while they are read.
func TestTooManyFields(t *testing.T) {
	var body strings.Builder
	for i := range MaxColumns + 1 {
		fmt.Fprintf(&body, `{"f%d":1}`, i)
	}
	_, err := openJSON(t.Context(), upload(t, NDJSON, body.String()))
	if err == nil || !strings.Contains(err.Error(), "more than 100000 columns") {
		t.Errorf("%v", err)
	}
}

// An object with very many names is a map: it is kept as JSON, and so is one with names that a struct can't have.
func TestObjectsThatAreNotStructs(t *testing.T) {
	var many strings.Builder
	for i := range maxFields + 1 {
		fmt.Fprintf(&many, `"k%d":%d,`, i, i)
	}
	for object, want := range map[string]string{
		"{" + strings.TrimSuffix(many.String(), ",") + "}": "JSON", `{"":1}`: "JSON", `{"a\u0000":1}`: "JSON",
		`{"ä":1,"Ä":2}`: `STRUCT("ä" BIGINT, "Ä" BIGINT)`, `{"a":{"":1}}`: `STRUCT("a" JSON)`,
	} {
		r, err := openJSON(t.Context(), upload(t, JSON, `[{"v":`+object+`}]`))
		if err != nil || r.columns[0].Type.String() != want {
			t.Errorf("%.40s: %s, %v", object, r.columns[0].Type, err)
		}
	}
}

// Columns of numbers that a stored decimal needs in full are read as text that casts to the same number.
func TestImposedDecimalsAreTextOfTheirDigits(t *testing.T) {
	u := upload(t, JSON, `[{"d":1.50},{"d":1e2},{"d":-0.001},{"d":null}]`)
	r, err := openJSON(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	r.Impose(0, schema.DecimalOf(38, 2)) // which has fewer places than one of them
	if c := r.columns[0]; c.Type.Name != schema.Varchar || c.Text != JSONText {
		t.Fatalf("%+v", c)
	}
	batch, err := r.Batch()
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	for i, want := range []string{"1.50", "100", "-0.001", "(null)"} {
		if got := batch.Column(0).ValueStr(i); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

// Dates, moments and numbers of a column whose stored type has them exactly are read as that type, with the values that
// DuckDB's cast gives; columns with one that it does not have stay what they are.
func TestImposedTypesHaveTheValuesOfACast(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	conn := ducktest.Conn(t)
	imposed := map[string]int{}
	for range 600 {
		value := []string{`"` + someMoment(random) + `"`, fmt.Sprint(random.IntN(1e6) - 5e5), fmt.Sprint(random.Int64()),
			fmt.Sprint(float64(random.IntN(1e6)) / 1000), "-0.001e2"}[random.IntN(5)]
		for _, typ := range []schema.Type{schema.Of(schema.Date), schema.Of(schema.Timestamp), schema.Of(schema.TimestampTZ),
			schema.Of(schema.Double), schema.DecimalOf(9, 3)} {
			r, err := openJSON(t.Context(), upload(t, JSON, `[{"v":`+value+`,"in":[{"v":`+value+`}]},{"v":null}]`))
			if err != nil {
				t.Fatal(err)
			}
			found := r.columns[0].Type
			r.Impose(0, typ)
			r.Impose(1, schema.ListOf(schema.Type{Name: schema.Struct, Fields: []schema.Field{{Name: "v", Type: typ}}}))
			if !r.columns[0].Type.Equal(typ) || found.Equal(typ) {
				continue
			}
			imposed[typ.Name]++
			got, err := table(t, conn, r)
			var want string
			query := fmt.Sprintf("SELECT '0|[' || v || ']|[' || CAST([{'v': v}] AS VARCHAR) || ']' FROM (SELECT CAST(%s AS %s) v)",
				duck.Text(strings.Trim(value, `"`)), typ.SQL())
			err = errors.Join(err, conn.Row(t.Context(), query, &want))
			if want += "\n1|NULL|NULL"; err != nil || got != want {
				t.Errorf("%s as %s: %s, not %s (%v)", value, typ, got, want, err)
			}
		}
	}
	for _, name := range []string{schema.Date, schema.Timestamp, schema.TimestampTZ, schema.Double, schema.Decimal} {
		if imposed[name] == 0 {
			t.Errorf("%s was never imposed", name)
		}
	}
}
