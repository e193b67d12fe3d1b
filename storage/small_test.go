package storage_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
)

// plainRecord is a few rows of the plain types, with their odd values.
func plainRecord(random *rand.Rand, first int) arrow.RecordBatch {
	fields := []arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "d", Type: arrow.PrimitiveTypes.Float64, Nullable: true}, {Name: "t", Type: arrow.BinaryTypes.String,
			Nullable: true},
		{Name: "b", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	// Of the zeros only one: DuckDB's Parquet writer, which parquetOf uses, takes 0.0 and -0.0 for the same dictionary
	// entry.
	doubles := []float64{math.Copysign(0, -1), 1.5, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 5e-324, 0.1}
	texts := []string{"", "x", "NULL", "ü\u2028", "it's", "\x01", "\\", "a\nb", "0"}
	numbers := []int64{0, -1, math.MaxInt64, math.MinInt64, 7}
	for i := range 1 + random.IntN(3) {
		b.Field(0).(*array.Int64Builder).Append(int64(first + i))
		b.Field(1).(*array.Int64Builder).Append(numbers[random.IntN(len(numbers))])
		b.Field(2).(*array.Float64Builder).Append(doubles[random.IntN(len(doubles))])
		b.Field(3).(*array.StringBuilder).Append(texts[random.IntN(len(texts))])
		b.Field(4).(*array.BooleanBuilder).Append(random.IntN(2) == 0)
	}
	for i := 1; i < 5; i++ {
		if random.IntN(2) == 0 {
			b.Field(0).(*array.Int64Builder).Append(int64(first + 100 + i))
			for k := 1; k < 5; k++ {
				b.Field(k).AppendNull()
			}
		}
	}
	return b.NewRecordBatch()
}

// plainArrow is an Arrow stream; marked, its fields have metadata, so that it is not plain.
func plainArrow(t *testing.T, batch arrow.RecordBatch, marked bool) string {
	fields := slices.Clone(batch.Schema().Fields())
	for i := range fields {
		if marked {
			fields[i].Metadata = arrow.NewMetadata([]string{"note"}, []string{"x"})
		}
	}
	var out bytes.Buffer
	s := arrow.NewSchema(fields, nil)
	w := ipc.NewWriter(&out, ipc.WithSchema(s))
	if err := w.Write(array.NewRecordBatch(s, batch.Columns(), batch.NumRows())); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// parquetOf is a Parquet file as DuckDB writes it.
func parquetOf(b *bench, batch arrow.RecordBatch) string {
	conn, err := b.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	stream, err := array.NewRecordReader(batch.Schema(), []arrow.RecordBatch{batch})
	if err != nil {
		b.Fatal(err)
	}
	release, err := conn.View(b.Context(), "batch", stream)
	if err != nil {
		b.Fatal(err)
	}
	defer release()
	path := filepath.Join(b.TempDir(), "parquet")
	if _, err := conn.Exec(b.Context(), "COPY (SELECT * FROM batch) TO "+duck.Text(path)+" (FORMAT parquet)"); err != nil {
		b.Fatal(err)
	}
	return readFile(b, path)
}

// Small uploads of plain types are kept as DuckDB reads them, in each mode.
func TestPlainUploadsAreKeptAsDuckDBReadsThem(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	b := open(t)
	modes := []catalog.Mode{catalog.Append, catalog.Upsert, catalog.Overwrite, catalog.Upsert, catalog.Append}
	for round := range 6 {
		plain, marked, parquet := b.Create(fmt.Sprint("plain", round), "id"), b.Create(fmt.Sprint("marked", round),
			"id"), b.Create(fmt.Sprint("parquet", round), "id")
		for step, mode := range modes {
			first := 0
			if mode == catalog.Append {
				first = 1000 * (step + 1)
			}
			batch := plainRecord(random, first)
			b.Put(plain, mode, intake.Arrow, plainArrow(t, batch, false))
			b.Put(marked, mode, intake.Arrow, plainArrow(t, batch, true))
			b.Put(parquet, mode, intake.Parquet, parquetOf(b, batch))
			want := b.Rows(marked, "head", false)
			for _, d := range []string{plain, parquet} {
				if got := b.Rows(d, "head", false); !slices.Equal(got, want) || types(b, d) != types(b, marked) {
					t.Fatalf("%s:\n%s\n%s", mode, got, want)
				}
			}
		}
	}
	b.Sound()
}

// A one-row upload asks a reader process little: the cost is by the question.
func TestOneRowUploadsAskLittle(t *testing.T) {
	b := open(t)
	batch := func(id int64) arrow.RecordBatch {
		r := array.NewRecordBuilder(memory.DefaultAllocator,
			arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}}, nil))
		r.Field(0).(*array.Int64Builder).Append(id)
		return r.NewRecordBatch()
	}
	const open, few, rest, relate, statement = 1, 1, 1, 1, 1
	for _, c := range []struct {
		name   string
		format intake.Format
		body   func(id int) string
		most   int64
	}{
		{"json", intake.JSON, func(id int) string { return fmt.Sprintf(`[{"id":%d}]`, id) }, 0},
		{"ndjson", intake.NDJSON, func(id int) string { return fmt.Sprintf(`{"id":%d}`, id) }, 0},
		{"csv", intake.CSV, func(id int) string { return fmt.Sprintf("id\n%d\n", id) }, 0},
		{"quoted csv", intake.CSV, func(id int) string {
			return fmt.Sprintf("id\n\"%d\"\n", id)
		}, open + 2*(relate+statement) + rest},
		{"arrow", intake.Arrow, func(id int) string { return plainArrow(t, batch(int64(id)), false) }, open + few + rest},
		{"parquet", intake.Parquet, func(id int) string { return parquetOf(b, batch(int64(id))) }, open + few + rest},
	} {
		d := b.Create(c.name, "id")
		for id := range 3 {
			before := b.ReaderRequests()
			b.Put(d, catalog.Append, c.format, c.body(id))
			if asked := b.ReaderRequests() - before; id > 0 && asked != c.most {
				t.Errorf("%s: %d requests, not %d", c.name, asked, c.most)
			}
		}
	}
}

func readFile(b *bench, path string) string {
	body, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return string(body)
}
