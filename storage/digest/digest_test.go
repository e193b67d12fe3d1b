package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// batchOf returns a batch of one column, v, with values as JSON.
func batchOf(t *testing.T, typ arrow.DataType, values ...string) arrow.RecordBatch {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: typ, Nullable: true}}, nil)
	var lines strings.Builder
	for _, v := range values {
		lines.WriteString(`{"v": ` + v + "}\n")
	}
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema,
		strings.NewReader(lines.String()), array.WithMultipleDocs())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(batch.Release)
	return batch
}

func sumOf(t *testing.T, batch arrow.RecordBatch) (sum Sum) {
	t.Helper()
	names := make([]string, batch.NumCols())
	for i := range names {
		names[i] = batch.ColumnName(i)
	}
	if err := NewTable(names).Add(batch, func(int) *Sum { return &sum }); err != nil {
		t.Fatal(err)
	}
	return sum
}

// encoded returns the encoding of the only value of a batch, in hexadecimal, after the column's name.
func encoded(t *testing.T, batch arrow.RecordBatch) string {
	t.Helper()
	row, err := fieldsOf([]string{"v"}, batch.Column)
	if err != nil {
		t.Fatal(err)
	}
	text := row.append(nil, 0)
	if sum := sumOf(t, batch); sum != of(text) {
		t.Errorf("%v is not the digest of %x", sum, text)
	}
	return strings.TrimPrefix(hex.EncodeToString(text), "0176")
}

// Values are encoded as the manual says. The numbers after the marks are varints.
func TestValuesAreEncodedAsDocumented(t *testing.T) {
	utc := &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	pair := arrow.StructOf(arrow.Field{Name: "b", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		arrow.Field{Name: "a", Type: arrow.BinaryTypes.String, Nullable: true})
	for _, c := range []struct {
		typ         arrow.DataType
		value, want string
	}{
		{arrow.PrimitiveTypes.Int32, `null`, ""},
		{arrow.FixedWidthTypes.Boolean, `true`, "74"},
		{arrow.FixedWidthTypes.Boolean, `false`, "66"},
		{arrow.PrimitiveTypes.Int8, `0`, "30"},
		{arrow.PrimitiveTypes.Int64, `1`, "2b010000"},
		{arrow.PrimitiveTypes.Int64, `-3`, "2d030000"},
		{arrow.PrimitiveTypes.Int64, `-9223372036854775808`, "2d017e00"}, // 1·2^63
		{arrow.PrimitiveTypes.Uint64, `18446744073709551615`, "2bb3e6cc99b3e6cc993300" + "02"},
		{arrow.PrimitiveTypes.Int16, `1000`, "2b010606"}, // 2^3·5^3
		{arrow.PrimitiveTypes.Float64, `0.5`, "2b010100"},
		{arrow.PrimitiveTypes.Float64, `-0.0`, "30"},
		{&arrow.Decimal128Type{Precision: 4, Scale: 3}, `"0.500"`, "2b010100"},
		{&arrow.Decimal128Type{Precision: 4, Scale: 2}, `"1.10"`, "2b0b0101"}, // 11·2^-1·5^-1
		{arrow.BinaryTypes.String, `"é"`, "7302c3a9"},
		{arrow.BinaryTypes.Binary, `"AAE="`, "78020001"},
		{arrow.FixedWidthTypes.Date32, `"1969-12-31"`, "640100"},
		{&arrow.TimestampType{Unit: arrow.Nanosecond}, `"1970-01-02T00:00:00.000000001"`, "640201"},
		{utc, `"1970-01-01T00:00:00.000001Z"`, "7a00e807"},
		{arrow.FixedWidthTypes.Time64us, `"00:00:00.000001"`, "63e807"},
		{arrow.ListOf(arrow.PrimitiveTypes.Int32), `[1, null]`, "5b022b0100006e"},
		{pair, `{"b": 1, "a": ""}`, "7b020161730001622b010000"},
		{pair, `{"b": null, "a": null}`, "7b00"},
		{arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int32), `[{"key": "k", "value": 0}]`, "6d0173016b30"},
	} {
		if got := encoded(t, batchOf(t, c.typ, c.value)); got != c.want {
			t.Errorf("%s as %s is %s, not %s", c.value, c.typ, got, c.want)
		}
	}
}

// Numbers of all types are the same where their values are.
func TestNumbersAreEncodedByValue(t *testing.T) {
	decimals := &arrow.Decimal128Type{Precision: 38, Scale: 4}
	types := []arrow.DataType{arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Float64, decimals}
	for _, value := range []string{"0", "7", "-250", "4503599627370497", "-1125899906842624"} {
		first := encoded(t, batchOf(t, types[0], value))
		for _, typ := range types[1:] {
			text := value
			if typ == decimals {
				text = `"` + value + `"`
			}
			if got := encoded(t, batchOf(t, typ, text)); got != first {
				t.Errorf("%s is %s as an integer and %s as %s", value, first, got, typ)
			}
		}
	}
}

// Floating-point numbers that are not numbers have marks of their own, whatever their bits.
func TestWhatIsNotANumber(t *testing.T) {
	least := "+\x01\xe3\x10\x00" // 1·2^-1074
	for x, want := range map[float64]string{math.Inf(1): "I", math.Inf(-1): "J", math.SmallestNonzeroFloat64: least} {
		if got := string(appendFloat(nil, x)); got != want {
			t.Errorf("%v is %q, not %q", x, got, want)
		}
	}
	for _, bits := range []uint64{0x7ff8000000000000, 0xfff8000000000001} {
		if got := string(appendFloat(nil, math.Float64frombits(bits))); got != "N" {
			t.Errorf("%x is %q", bits, got)
		}
	}
}

// A sum does not depend on the order of rows or on how they are cut into batches, and grows and shrinks by rows.
func TestASumIsOfRowsInAnyOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	values := []string{`"a"`, `"b"`, `"b"`, `null`, `"c"`, `""`}
	batch := batchOf(t, arrow.BinaryTypes.String, values...)
	whole := sumOf(t, batch)
	rng.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	if got := sumOf(t, batchOf(t, arrow.BinaryTypes.String, values...)); got != whole {
		t.Errorf("in another order, it is %s, not %s", got, whole)
	}
	cut := rng.Int64N(batch.NumRows())
	head, tail := batch.NewSlice(0, cut), batch.NewSlice(cut, batch.NumRows())
	defer head.Release()
	defer tail.Release()
	if got := sumOf(t, head).Plus(sumOf(t, tail)); got != whole {
		t.Errorf("cut at %d, it is %s, not %s", cut, got, whole)
	}
	if got := whole.Minus(sumOf(t, tail)); got != sumOf(t, head) {
		t.Errorf("without the rows from %d, it is %s", cut, got)
	}
	if once := sumOf(t, batchOf(t, arrow.BinaryTypes.String, `"b"`)); whole == whole.Minus(once) {
		t.Error("the sum without a row is the same")
	}
}

// A row's values belong together: two that change places between rows are noticed, and so are two between columns.
func TestADigestBindsTheValuesOfARow(t *testing.T) {
	table := func(lines string) Sum {
		schema := arrow.NewSchema([]arrow.Field{
			{Name: "a", Type: arrow.BinaryTypes.String, Nullable: true},
			{Name: "b", Type: arrow.BinaryTypes.String, Nullable: true},
		}, nil)
		batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(lines),
			array.WithMultipleDocs())
		if err != nil {
			t.Fatal(err)
		}
		defer batch.Release()
		return sumOf(t, batch)
	}
	seen := map[Sum]string{}
	for _, lines := range []string{
		`{"a": "1", "b": "2"} {"a": "3", "b": "4"}`, `{"a": "1", "b": "4"} {"a": "3", "b": "2"}`,
		`{"a": "2", "b": "1"} {"a": "3", "b": "4"}`, `{"a": "1", "b": "2"} {"a": "3"} {"b": "4"}`,
		`{"a": "12"} {"a": "3", "b": "4"}`, `{"a": "1", "b": "2"} {"a": "3", "b": "4"} {}`,
	} {
		sum := table(lines)
		if other, ok := seen[sum]; ok {
			t.Errorf("%s and %s have the same digest", lines, other)
		}
		seen[sum] = lines
	}
}

// A sum is shown as a number of 256 bits, and read again.
func TestASumIsANumber(t *testing.T) {
	row := of([]byte("row"))
	if got, want := row.String(), sha256.Sum256([]byte("row")); got != "v1:"+hex.EncodeToString(want[:]) {
		t.Errorf("the sum of one row is %s, not %x", got, want)
	}
	least := Sum{}.Minus(Sum{1})
	if got := least.String(); got != "v1:"+strings.Repeat("f", 64) || least.Plus(Sum{1}) != (Sum{}) {
		t.Errorf("0 - 1 is %s", got)
	}
	if again, err := Parse(row.String()); err != nil || again != row {
		t.Errorf("%s reads as %s, %v", row, again, err)
	}
	for _, text := range []string{"", "v1:", row.String()[3:], row.String() + "00", "v2:" + row.String()[3:]} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q reads as a digest", text)
		}
	}
}
