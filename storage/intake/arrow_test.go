package intake

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/schema"
)

// batchOf returns a batch with the given columns, named v0, v1, ….
func batchOf(columns ...arrow.Array) arrow.RecordBatch {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: fmt.Sprint("v", i), Type: c.DataType(), Nullable: true}
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, int64(columns[0].Len()))
}

// fromJSON returns an array of a type, with the values of a JSON array.
func fromJSON(t *testing.T, typ arrow.DataType, values string) arrow.Array {
	t.Helper()
	a, _, err := array.FromJSON(memory.DefaultAllocator, typ, strings.NewReader(values))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// arrowUpload returns an upload of batches as a stream.
func arrowUpload(t *testing.T, batches ...arrow.RecordBatch) Upload {
	t.Helper()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(batches[0].Schema()))
	for _, b := range batches {
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return upload(t, Arrow, out.String())
}

// read opens an Arrow upload and reads it to its end.
func read(t *testing.T, u Upload) (rows int64, err error) {
	t.Helper()
	records, err := openArrow(t.Context(), ducktest.Conn(t), u)
	if err != nil {
		return 0, err
	}
	r := records.(*arrowRecords)
	stream, err := r.open()
	if err != nil {
		return 0, err
	}
	defer stream.Release()
	for stream.Next() {
		rows += stream.RecordBatch().NumRows()
	}
	return rows, r.Explain(stream.Err())
}

var nanos = &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}

// Values that DuckDB would change are refused with a sentence about the column; those that it keeps pass.
func TestValuesOfArrowThatCanNotBeKept(t *testing.T) {
	dictionary := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	for _, c := range []struct {
		typ          arrow.DataType
		values, says string
	}{
		{nanos, `["2024-01-01 00:00:00.000001000Z", null]`, ""},
		{nanos, `["2024-01-01 00:00:00.000001001Z"]`, "parts of microseconds"},
		{&arrow.TimestampType{Unit: arrow.Nanosecond}, `["2024-01-01 00:00:00.000000001"]`, ""},
		{arrow.FixedWidthTypes.Time64ns, `["00:00:00.000001"]`, ""},
		{arrow.FixedWidthTypes.Time64ns, `["00:00:00.000000001"]`, "parts of microseconds"},
		{arrow.ListOf(nanos), `[[], ["2024-01-01 00:00:00.000000001Z"]]`, "parts of microseconds"},
		{arrow.StructOf(arrow.Field{Name: "t", Type: nanos, Nullable: true}),
			`[null, {"t": "2024-01-01 00:00:00.000000001Z"}]`, "parts of microseconds"},
		{arrow.FixedWidthTypes.Date64, `["2024-01-01", null, "1066-10-14"]`, ""},
		{dictionary, `["a", null, "b", "a"]`, ""},
		{arrow.ListOf(dictionary), `[["a"], []]`, ""},
		{arrow.ListOf(dictionary), `[[], []]`, "a dictionary in lists that are all empty"},
		{arrow.ListOf(dictionary), `[]`, ""},
		{arrow.PrimitiveTypes.Int64, `[]`, ""},
	} {
		column := fromJSON(t, c.typ, c.values)
		numbers := strings.TrimSuffix(strings.Repeat("1,", column.Len()), ",")
		_, err := read(t, arrowUpload(t, batchOf(fromJSON(t, arrow.PrimitiveTypes.Int64, "["+numbers+"]"), column)))
		forClient(t, err)
		if (err == nil) != (c.says == "") || err != nil && (!strings.Contains(err.Error(), c.says) ||
			!strings.HasPrefix(err.Error(), `column "v1" `)) {
			t.Errorf("%s of %s: %v, not %q", c.values, c.typ, err, c.says)
		}
	}
}

// DuckDB reads a decimal in as many bytes as its type needs: a longer one would be cut off.
func TestDecimalsWithMoreDigitsThanTheirType(t *testing.T) {
	least := decimal128.New(math.MinInt64, 0)
	for _, c := range []struct {
		digits int32
		value  decimal128.Num
		fits   bool
	}{
		{5, decimal128.FromI64(99999), true}, {5, decimal128.FromI64(-99999), true}, {5, decimal128.FromI64(100000), false},
		{4, decimal128.FromI64(10000), false}, {18, decimal128.FromI64(-1e18), false}, {5, least, false}, {38, least, false},
	} {
		short := array.NewDecimal128Builder(memory.DefaultAllocator, &arrow.Decimal128Type{Precision: c.digits, Scale: 2})
		short.Append(c.value)
		long := array.NewDecimal256Builder(memory.DefaultAllocator, &arrow.Decimal256Type{Precision: c.digits, Scale: 2})
		long.Append(decimal256.FromDecimal128(c.value))
		for _, column := range []arrow.Array{short.NewArray(), long.NewArray()} {
			_, err := read(t, arrowUpload(t, batchOf(column)))
			forClient(t, err)
			if (err == nil) != c.fits || err != nil && !strings.Contains(err.Error(), "more digits than their type") {
				t.Errorf("%s in %s: %v", c.value.ToString(0), column.DataType(), err)
			}
		}
	}
}

// A date in milliseconds has to be a whole day that 32 bits count.
func TestDatesInMilliseconds(t *testing.T) {
	for millis, kept := range map[int64]bool{
		0: true, dayMillis: true, -dayMillis: true, 1: false, dayMillis + 1: false, -1: false,
		math.MaxInt32 * dayMillis: true, (math.MaxInt32 + 1) * dayMillis: false, math.MinInt32 * dayMillis: true,
		(math.MinInt32 - 1) * dayMillis: false,
	} {
		b := array.NewDate64Builder(memory.DefaultAllocator)
		b.Append(arrow.Date64(millis))
		b.AppendNull()
		if _, err := read(t, arrowUpload(t, batchOf(b.NewArray()))); (err == nil) != kept {
			t.Errorf("%d ms: %v", millis, err)
		}
	}
}

// Field names and dictionaries that DuckDB would misread are found in the types, at any depth.
func TestTypesOfArrowThatAreRefused(t *testing.T) {
	field := func(name string, typ arrow.DataType) arrow.DataType {
		return arrow.StructOf(arrow.Field{Name: name, Type: typ})
	}
	dictionary := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	for _, c := range []struct {
		typ  arrow.DataType
		says string
	}{
		{field("a", arrow.PrimitiveTypes.Int8), ""},
		{field("", arrow.PrimitiveTypes.Int8), "no name"},
		{arrow.ListOf(field("a\x00b", arrow.PrimitiveTypes.Int8)), "NUL character"},
		{field("a", field("", arrow.PrimitiveTypes.Int8)), "no name"},
		{arrow.ListOf(dictionary), ""},
		{arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int8), ""},
		{arrow.FixedSizeListOf(2, dictionary), "inside a list of fixed size"},
		{arrow.FixedSizeListOf(2, arrow.ListOf(field("a", dictionary))), "inside a list of fixed size"},
		{arrow.FixedSizeListOf(2, arrow.RunEndEncodedOf(arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int8)),
			"inside a list of fixed size"},
		{arrow.MapOf(arrow.BinaryTypes.String, field("", arrow.PrimitiveTypes.Int8)), "no name"},
	} {
		if got := trouble(arrow.Field{Type: c.typ}, false); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: %q, not %q", c.typ, got, c.says)
		}
	}
}

// Arrow types become the types of DuckDB's; null columns and fixed-size lists are told apart, and what can't be read
// is refused by name.
func TestTypesOfArrow(t *testing.T) {
	conn := ducktest.Conn(t)
	for typ, want := range map[arrow.DataType]string{
		arrow.PrimitiveTypes.Int8: "TINYINT", arrow.PrimitiveTypes.Uint64: "UBIGINT", arrow.PrimitiveTypes.Float32: "FLOAT",
		arrow.BinaryTypes.LargeString: "VARCHAR", arrow.BinaryTypes.Binary: "BLOB", arrow.Null: "NULL",
		&arrow.Decimal128Type{Precision: 9, Scale: 2}: "DECIMAL(9,2)",
		arrow.FixedWidthTypes.Date32:                  "DATE", arrow.FixedWidthTypes.Time64us: "TIME",
		arrow.FixedWidthTypes.Timestamp_us:                                         "TIMESTAMP WITH TIME ZONE",
		&arrow.TimestampType{Unit: arrow.Nanosecond}:                               "TIMESTAMP_NS",
		arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int64):                       "BIGINT[] cast",
		arrow.ListOf(arrow.BinaryTypes.String):                                     "VARCHAR[]",
		arrow.StructOf(arrow.Field{Name: "a b", Type: arrow.PrimitiveTypes.Int64}): `STRUCT("a b" BIGINT)`,
		arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64):          "MAP(VARCHAR, BIGINT)",
	} {
		got, err := describeFields(t.Context(), conn, []arrow.Field{
			{Name: "n", Type: arrow.Null}, {Name: "v", Type: typ, Nullable: true}, {Name: "i", Type: arrow.PrimitiveTypes.Int16},
		})
		if err != nil {
			t.Errorf("%s: %v", typ, err)
			continue
		}
		text := got[1].Type.String()
		if got[1].Cast {
			text += " cast"
		}
		if text != want || got[1].Name != "v" || got[0].Type.Name != schema.Null || got[2].Type.Name != "SMALLINT" {
			t.Errorf("%s is %s, not %s; beside it %+v and %+v", typ, text, want, got[0], got[2])
		}
	}
	_, err := describeFields(t.Context(), conn, []arrow.Field{
		{Name: "ok", Type: arrow.PrimitiveTypes.Int16}, {Name: "odd", Type: &arrow.Decimal256Type{Precision: 70, Scale: 2}},
	})
	forClient(t, err)
	if err == nil || !strings.Contains(err.Error(), `column "odd" has the Arrow type`) {
		t.Errorf("a type that can't be read: %v", err)
	}
}

// A stream that is cut anywhere is refused: it never passes with fewer records.
func TestAStreamThatIsCutAnywhere(t *testing.T) {
	batch := batchOf(fromJSON(t, arrow.PrimitiveTypes.Int64, `[1,null,3]`),
		fromJSON(t, arrow.BinaryTypes.String, `["a","","ü"]`))
	whole := arrowUpload(t, batch, batch)
	if rows, err := read(t, whole); err != nil || rows != 6 {
		t.Fatal(rows, err)
	}
	body, err := os.ReadFile(whole.Path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(body) {
		cut := upload(t, Arrow, string(body[:n]))
		records, err := openArrow(t.Context(), nil, cut) // of plain types: no statement is needed
		forClient(t, err)
		if err != nil {
			continue
		}
		stream, err := records.(*arrowRecords).open()
		if err != nil {
			forClient(t, err)
			continue
		}
		for stream.Next() {
			continue
		}
		if stream.Err() == nil {
			t.Errorf("cut after %d of %d bytes, it was read to its end", n, len(body))
		}
		stream.Release()
	}
}

// The end of a stream is marked as its messages are: zeros alone may be the padding of a batch.
func TestTheEndOfAStream(t *testing.T) {
	const mark, zeros = "\xff\xff\xff\xff", "\x00\x00\x00\x00"
	for body, whole := range map[string]bool{
		"": false, "\x00\x00": false, zeros: true, "\x10\x00\x00\x00message" + zeros: true,
		mark + zeros: true, mark + "\x10\x00\x00\x00message" + mark + zeros: true,
		mark + "\x10\x00\x00\x00message" + zeros + zeros: false, mark + "\x10\x00\x00\x00message": false, mark: false,
	} {
		err := checkEnd(upload(t, Arrow, body))
		forClient(t, err)
		if (err == nil) != whole {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// Readers stop at the end of the first stream: what follows it would be lost.
func TestMoreAfterTheEndOfAStream(t *testing.T) {
	whole := arrowUpload(t, batchOf(fromJSON(t, arrow.PrimitiveTypes.Int64, `[1,2]`)))
	body, err := os.ReadFile(whole.Path)
	if err != nil {
		t.Fatal(err)
	}
	one := string(body)
	end := one[len(one)-8:]
	for _, more := range []string{one, one[:len(one)-40] + end, "garbage!" + end, end} {
		if rows, err := read(t, upload(t, Arrow, one+more)); err == nil || !strings.Contains(err.Error(), "more after") {
			t.Errorf("%d bytes after the end: %d rows, %v", len(more), rows, err)
		}
	}
}

// Arrays whose buffers do not have what their lengths claim would crash a reader.
func TestArraysThatClaimTooMuch(t *testing.T) {
	buffer := func(size int) *memory.Buffer { return memory.NewBufferBytes(make([]byte, size)) }
	fixed := func(n, offset int, buffers ...*memory.Buffer) arrow.Array {
		return array.MakeFromData(array.NewData(arrow.PrimitiveTypes.Int64, n, buffers, nil, 0, offset))
	}
	for name, c := range map[string]struct {
		a    func() arrow.Array
		fine bool
	}{
		"whole":                  {func() arrow.Array { return fixed(2, 0, nil, buffer(16)) }, true},
		"too few values":         {func() arrow.Array { return fixed(3, 0, nil, buffer(16)) }, false},
		"an offset past the end": {func() arrow.Array { return fixed(2, 1, nil, buffer(16)) }, false},
		"no validity for some":   {func() arrow.Array { return fixed(9, 0, buffer(1), buffer(72)) }, false},
		"an index out of its dictionary": {func() arrow.Array {
			typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
			index := fromJSON(t, arrow.PrimitiveTypes.Int8, `[0, 1]`)
			data := array.NewDataWithDictionary(typ, 2, index.Data().Buffers(), 0, 0,
				fromJSON(t, arrow.BinaryTypes.String, `["a"]`).Data().(*array.Data))
			return array.NewDictionaryData(data)
		}, false},
		"text past its buffer": {func() arrow.Array {
			offsets := make([]byte, 0, 12)
			for _, n := range []uint32{0, 1, 100} {
				offsets = binary.LittleEndian.AppendUint32(offsets, n)
			}
			return array.MakeFromData(array.NewData(arrow.BinaryTypes.String, 2,
				[]*memory.Buffer{nil, memory.NewBufferBytes(offsets), memory.NewBufferBytes([]byte("ab"))}, nil, 0, 0))
		}, false},
	} {
		err := func() (err error) {
			defer func() {
				if p := recover(); p != nil { // as the reader of a stream does
					err = errors.New("panic")
				}
			}()
			return validate(c.a())
		}()
		if (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A claim in a stream never makes the server allocate more than the stream may need.
func TestAllocationsAreBounded(t *testing.T) {
	a := boundedAllocator{memory.DefaultAllocator, 100}
	for size, fine := range map[int]bool{0: true, 100: true, 101: false, -1: false, math.MaxInt: false} {
		refused := func() (refused bool) {
			defer func() { refused = recover() != nil }()
			a.Reallocate(size, a.Allocate(max(0, min(size, 50))))
			return false
		}()
		if refused == fine {
			t.Errorf("%d bytes: refused is %v", size, refused)
		}
	}
	if _, err := newReader(bytes.NewReader(nil), 0); err == nil {
		t.Error("an empty stream was opened")
	}
}

// A small stream is written again with the same records, unless it gets too long.
func TestRewritingAStream(t *testing.T) {
	batch := batchOf(fromJSON(t, arrow.ListOf(arrow.BinaryTypes.String), `[["a"],null,[]]`),
		fromJSON(t, nanos, `["2024-01-01 00:00:00Z", null, null]`))
	u := arrowUpload(t, batch, batch)
	out, err := rewrite(u, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	in, err := ipc.NewReader(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Release()
	both, err := gather(in)
	if err != nil || both.NumRows() != 6 || !array.RecordEqual(both.NewSlice(3, 6), batch) {
		t.Errorf("%v, %v", both, err)
	}
	if _, err := rewrite(u, int64(len(out)-1)); !errors.Is(err, errLong) {
		t.Errorf("into fewer bytes: %v", err)
	}
	if again, err := rewrite(u, int64(len(out))); err != nil || !bytes.Equal(again, out) {
		t.Errorf("into exactly as many bytes: %d, %v", len(again), err)
	}
	forClient(t, func() error { _, err := rewrite(upload(t, Arrow, "nonsense"), 1<<20); return err }())
}

// A relation has the wanted columns in their order and numbers the records over all batches.
func TestRelationsOfArrow(t *testing.T) {
	conn := ducktest.Conn(t)
	pairs := arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int32)
	batch := batchOf(fromJSON(t, arrow.PrimitiveTypes.Int64, `[1,null]`),
		fromJSON(t, arrow.BinaryTypes.String, `["a","b"]`),
		fromJSON(t, pairs, `[[1,2],null]`), fromJSON(t, arrow.Null, `[null,null]`))
	r, err := openArrow(t.Context(), conn, arrowUpload(t, batch, batch))
	if err != nil {
		t.Fatal(err)
	}
	want := "0|[1]|[a]|[[1, 2]]|NULL\n1|NULL|[b]|NULL|NULL\n2|[1]|[a]|[[1, 2]]|NULL\n3|NULL|[b]|NULL|NULL"
	for range 2 { // an upload may be read several times
		if got, err := table(t, conn, r); err != nil || got != want {
			t.Errorf("%s, %v", got, err)
		}
	}
	sql, release, err := r.Relation(t.Context(), conn, Want{Columns: []int{1}})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	var got string
	if err := conn.Row(t.Context(), "SELECT string_agg(o1 || _n, ' ' ORDER BY _n) FROM ("+sql+")", &got); err != nil ||
		got != "a0 b1 a2 b3" {
		t.Errorf("%s, %v", got, err)
	}
}

// Columns of two names that are one in SQL are refused before anything is read.
func TestNamesOfArrowFields(t *testing.T) {
	fields := []arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int64}, {Name: "A", Type: arrow.PrimitiveTypes.Int64}}
	one := fromJSON(t, arrow.PrimitiveTypes.Int64, `[1]`)
	batch := array.NewRecordBatch(arrow.NewSchema(fields, nil), []arrow.Array{one, one}, 1)
	_, err := openArrow(t.Context(), nil, arrowUpload(t, batch))
	if err == nil || !strings.Contains(err.Error(), "differ only in case") {
		t.Errorf("%v", err)
	}
}
