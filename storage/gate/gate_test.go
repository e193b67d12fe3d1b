package gate_test

import (
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage/gate"
	"github.com/rowback/rowback/storage/schema"
)

func TestTypes(t *testing.T) {
	deep := schema.Of(schema.Bigint)
	for range schema.MaxDepth {
		deep = schema.ListOf(deep)
	}
	for _, c := range []struct {
		name, why string
		typ       schema.Type
	}{
		{"plain", "", schema.Of(schema.Bigint)},
		{"names that differ", "", parse(t, `STRUCT(a BIGINT, "ſ" BIGINT, s BIGINT, "a b" MAP(VARCHAR, DATE[]))`)},
		{"names that differ in case", `"a" and "A"`, parse(t, `STRUCT(a BIGINT, "A" BIGINT)`)},
		{"the same deep inside", `"k" and "K"`, parse(t, `MAP(VARCHAR, STRUCT(k BIGINT, "K" BIGINT)[])`)},
		{"a key of such a type", `"k" and "K"`, parse(t, `MAP(STRUCT(k BIGINT, "K" BIGINT), BIGINT)`)},
		{"no name", "no name", parse(t, `STRUCT("" BIGINT)`)},
		{"a NUL in a name", "NUL", parse(t, "STRUCT(\"a\x00b\" BIGINT)")},
		{"too deep", "17 deep", deep},
		{"no place in Parquet", "type INTERVAL", schema.Of("INTERVAL")},
		{"no place in Parquet, inside", "type UNION", schema.ListOf(schema.Of("UNION"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			if why := gate.Type(c.typ); (why == "") != (c.why == "") || !strings.Contains(why, c.why) {
				t.Errorf("%s: %q", c.typ, why)
			}
		})
	}
}

func parse(t *testing.T, text string) schema.Type {
	t.Helper()
	typ, err := schema.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

func TestValues(t *testing.T) {
	micros := &arrow.TimestampType{Unit: arrow.Microsecond}
	nanos := &arrow.TimestampType{Unit: arrow.Nanosecond}
	for _, c := range []struct {
		typ  string
		of   arrow.DataType
		good []int64
		bad  []int64
	}{
		{schema.Date, arrow.FixedWidthTypes.Date32, []int64{0, math.MaxInt32 - 1, math.MinInt32 + 2},
			[]int64{math.MaxInt32, math.MinInt32 + 1, math.MinInt32}},
		{schema.Time, arrow.FixedWidthTypes.Time64us, []int64{0, 86_399_999_999},
			[]int64{-1, 86_400_000_000, math.MaxInt64, math.MinInt64}},
		{schema.Timestamp, micros, []int64{0, -9223372022400000000, math.MaxInt64 - 1},
			[]int64{math.MaxInt64, -9223372022400000001, math.MinInt64 + 1, math.MinInt64}},
		{schema.TimestampTZ, micros, []int64{0, -9223372022400000000, math.MaxInt64 - 1},
			[]int64{math.MaxInt64, -9223372022400000001}},
		{schema.TimestampNS, nanos, []int64{0, -9223286400000000000, math.MaxInt64 - 1},
			[]int64{math.MaxInt64, -9223286400000000001, math.MinInt64 + 1}},
		{"DECIMAL(3,1)", &arrow.Decimal128Type{Precision: 3, Scale: 1}, []int64{0, 999, -999},
			[]int64{1000, -1000, math.MaxInt64}},
	} {
		typ := parse(t, c.typ)
		for _, n := range c.good {
			check(t, typ, c.of, n, true)
		}
		for _, n := range c.bad {
			check(t, typ, c.of, n, false)
		}
	}
}

// check requires that a value can be stored, or can't: by itself and inside a list, a struct and a map.
func check(t *testing.T, typ schema.Type, of arrow.DataType, n int64, want bool) {
	t.Helper()
	text := schema.Of(schema.Varchar)
	for _, c := range []struct {
		typ schema.Type
		of  arrow.DataType
	}{
		{typ, of},
		{schema.ListOf(typ), arrow.ListOf(of)},
		{schema.Type{Name: schema.Struct, Fields: []schema.Field{{Name: "v", Type: typ}}},
			arrow.StructOf(arrow.Field{Name: "v", Type: of, Nullable: true})},
		{schema.Type{Name: schema.Map, Key: &text, Elem: &typ}, arrow.MapOf(arrow.BinaryTypes.String, of)},
	} {
		b := array.NewBuilder(memory.DefaultAllocator, c.of)
		b.AppendNull()
		add(b, n)
		a := b.NewArray()
		if why := gate.Value(c.typ, a, 1); (why == "") != want || gate.Value(c.typ, a, 0) != "" {
			t.Errorf("%d as %s: %q", n, c.typ, why)
		}
		if !gate.Checked(c.typ) {
			t.Errorf("values of %s are not checked", c.typ)
		}
		a.Release()
		b.Release()
	}
}

// add appends a value that is, or has as its only part, n.
func add(b array.Builder, n int64) {
	switch b := b.(type) {
	case *array.Date32Builder:
		b.Append(arrow.Date32(n))
	case *array.Time64Builder:
		b.Append(arrow.Time64(n))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(n))
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(n))
	case *array.ListBuilder:
		b.Append(true)
		add(b.ValueBuilder(), n)
	case *array.StructBuilder:
		b.Append(true)
		add(b.FieldBuilder(0), n)
	case *array.MapBuilder:
		b.Append(true)
		b.KeyBuilder().(*array.StringBuilder).Append("k")
		add(b.ItemBuilder(), n)
	}
}

func TestMapKeys(t *testing.T) {
	typ := parse(t, "MAP(VARCHAR, BIGINT)")
	b := array.NewMapBuilder(memory.DefaultAllocator, arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64, false)
	defer b.Release()
	for _, keys := range [][]string{{"a", "A", ""}, {"a", "b", "a"}, {}} {
		b.Append(true)
		b.KeyBuilder().(*array.StringBuilder).AppendValues(keys, nil)
		b.ItemBuilder().(*array.Int64Builder).AppendValues(make([]int64, len(keys)), nil)
	}
	a := b.NewArray()
	defer a.Release()
	for i, says := range []string{"", `"a" twice`, ""} {
		if why := gate.Value(typ, a, i); (why == "") != (says == "") || !strings.Contains(why, says) {
			t.Errorf("map %d: %q", i, why)
		}
	}
}

func TestJSONText(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for text, want := range map[string]bool{
		`1`: true, ` {"a": [null, "x"]} `: true, `1e400`: true, `"[[[["`: true, `"\\\"["`: true,
		nested(gate.MaxJSONDepth): true,
		``:                        false, `nope`: false, `NaN`: false, `[1,]`: false, `{"a":1,"a":2}`: false,
		`"\ud800"`: false, `1 2`: false,
		"\xff":                        false,
		nested(gate.MaxJSONDepth + 1): false, nested(100_000): false,
	} {
		b := array.NewStringBuilder(memory.DefaultAllocator)
		b.Append(text)
		a := b.NewArray()
		if why := gate.Value(schema.Of(schema.JSON), a, 0); (why == "") != want {
			t.Errorf("%.40q: %q", text, why)
		}
		if why := gate.Value(schema.Of(schema.Varchar), a, 0); why != "" {
			t.Errorf("%.40q as text: %s", text, why)
		}
		a.Release()
		b.Release()
	}
}
