//go:build duckdb_arrow

package duck

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

var numbered = arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)

// batch returns a batch with the numbers from one to before another.
func batch(from, to int64) arrow.RecordBatch {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	for n := from; n < to; n++ {
		b.Append(n)
	}
	return array.NewRecordBatch(numbered, []arrow.Array{b.NewArray()}, to-from)
}

// scripted is a result with batches of the given numbers of rows, whose numbers go on from one to the next. It ends
// with an error, or none.
type scripted struct {
	rows   []int64
	err    error
	from   int64
	closed bool
}

func (s *scripted) Schema() *arrow.Schema { return numbered }
func (s *scripted) Close()                { s.closed = true }

func (s *scripted) Next() (arrow.RecordBatch, error) {
	if len(s.rows) == 0 {
		return nil, s.err
	}
	from, to := s.from, s.from+s.rows[0]
	s.rows, s.from = s.rows[1:], to
	return batch(from, to), nil
}

// drained reads a result to its end, and fails the test unless its numbers go on from 0.
func drained(t *testing.T, s source) (batches int, rows int64, err error) {
	t.Helper()
	for {
		b, err := s.Next()
		if b == nil || err != nil {
			return batches, rows, err
		}
		for _, n := range b.Column(0).(*array.Int64).Int64Values() {
			if n != rows {
				t.Fatalf("row %d has the number %d", rows, n)
			}
			rows++
		}
		batches++
		b.Release()
	}
}

// Small batches are joined into large ones; nothing is lost before an error, which comes after them.
func TestBatchesAreJoined(t *testing.T) {
	late := errors.New("late")
	for _, c := range []struct {
		rows    []int64
		err     error
		batches int
	}{
		{nil, nil, 0}, {nil, late, 0}, {[]int64{3}, nil, 1}, {[]int64{3, 4, 0, 5}, nil, 1}, {[]int64{3, 4}, late, 1},
		{[]int64{batchRows, 1}, nil, 2}, {[]int64{batchRows - 1, 1, 1}, nil, 2}, {[]int64{batchRows, batchRows}, late, 2},
		{[]int64{batchBytes / 8, 5}, nil, 2}, {[]int64{batchRows - 1, batchRows - 1, 3}, nil, 2},
	} {
		var want int64
		for _, n := range c.rows {
			want += n
		}
		s := enlarged(&scripted{rows: c.rows, err: c.err}, batchBytes)
		batches, rows, err := drained(t, s)
		if batches != c.batches || rows != want || err != c.err {
			t.Errorf("%v: %d rows in %d batches, %v", c.rows, rows, batches, err)
		}
		if b, err := s.Next(); b != nil || err != c.err {
			t.Errorf("%v: after its end %v, %v", c.rows, b, err)
		}
	}
}

// Reading ahead changes nothing but the time: the batches and the error come in their order, and closing a result that
// was not read to its end ends it.
func TestReadingAhead(t *testing.T) {
	late := errors.New("late")
	many := make([]int64, 3*chunksAhead)
	for i := range many {
		many[i] = int64(i % 5)
	}
	large := []int64{bytesAhead / 8, bytesAhead / 8, 10, bytesAhead / 4}
	for name, rows := range map[string][]int64{"none": nil, "many": many, "large": large} {
		for _, err := range []error{nil, late} {
			var want int64
			for _, n := range rows {
				want += n
			}
			from := &scripted{rows: rows, err: err}
			a := readAhead(from)
			batches, got, ended := drained(t, a)
			if batches != len(rows) || got != want || ended != err {
				t.Errorf("%s: %d rows in %d batches, %v", name, got, batches, ended)
			}
			if a.Close(); !from.closed {
				t.Errorf("%s: the result was not closed", name)
			}
			early := &scripted{rows: rows, err: err}
			a = readAhead(early)
			if b, _ := a.Next(); b != nil {
				b.Release()
			}
			if a.Close(); !early.closed {
				t.Errorf("%s: the result was not closed early", name)
			}
		}
	}
}

// A result is written up to its bound, and has an end only if it did not fail.
func TestStreamsAreWrittenUpToTheirBound(t *testing.T) {
	late := errors.New("late")
	for _, c := range []struct {
		rows, bytes int64
		err         error
		want        int64
		cut         Cut
	}{
		{math.MaxInt64, math.MaxInt64, nil, 30, Whole},
		{math.MaxInt64, math.MaxInt64, late, 30, Whole},
		{30, math.MaxInt64, nil, 30, Whole},
		{29, math.MaxInt64, nil, 29, AtLimit},
		{10, math.MaxInt64, nil, 10, AtLimit},
		{0, math.MaxInt64, nil, 0, AtLimit},
		{math.MaxInt64, 400, nil, 20, AtBytes}, // noticed by the next batch: the bound is about right
		{math.MaxInt64, 1, nil, 10, AtBytes},
	} {
		var out bytes.Buffer
		b := &Bound{Rows: c.rows, Bytes: c.bytes}
		err := writeStream(&scripted{rows: []int64{10, 10, 10}, err: c.err}, &out, b)
		if err != c.err || b.Cut != c.cut {
			t.Errorf("%+v: cut %q, %v", c, b.Cut, err)
		}
		whole := bytes.HasSuffix(out.Bytes(), []byte{255, 255, 255, 255, 0, 0, 0, 0})
		if whole != (c.err == nil) {
			t.Errorf("%+v: the stream has an end: %v", c, whole)
		}
		in, err := ipc.NewReader(&out)
		if err != nil {
			t.Fatal(err)
		}
		var rows int64
		for in.Next() {
			rows += in.RecordBatch().NumRows()
		}
		in.Release()
		if rows != c.want {
			t.Errorf("%+v: %d rows", c, rows)
		}
	}
}

// However a result comes in parts, a bound lets so many rows through, and says that there were more.
func TestABoundOverManyParts(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		limit, total, taken := random.Int64N(50), int64(0), int64(0)
		b := Bound{Rows: limit, Bytes: 1}
		for range random.IntN(9) {
			n := random.Int64N(20)
			total, taken = total+n, taken+b.Take(n)
		}
		if taken != min(limit, total) || (b.Cut == AtLimit) != (total > limit) || b.Cut == AtBytes {
			t.Fatalf("of %d rows %d were taken, at most %d; cut %q", total, taken, limit, b.Cut)
		}
	}
	b := Bound{Rows: 5, Bytes: 5}
	if b.cutIf(false); b.Cut != Whole {
		t.Error(b.Cut)
	}
	if b.cutIf(true); b.Cut != AtBytes {
		t.Error(b.Cut)
	}
}

// Batches are joined in order, slices and nested values too. A single batch is not copied.
func TestConcat(t *testing.T) {
	conn := connection(t)
	whole, err := conn.Batch(t.Context(), `SELECT i, CASE WHEN i % 3 > 0 THEN 's' || i END AS s, [i, NULL] AS l,
		{'a': i, 'b': 'x'} AS r FROM range(50) t(i)`)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Release()
	for _, cuts := range [][]int64{{0, 50}, {0, 1, 50}, {0, 7, 7, 20, 50}, {0, 0, 50}} {
		var parts []arrow.RecordBatch
		for i := range len(cuts) - 1 {
			parts = append(parts, whole.NewSlice(cuts[i], cuts[i+1]))
		}
		joined, err := Concat(whole.Schema(), parts)
		if err != nil || !array.RecordEqual(joined, whole) {
			t.Errorf("cut at %v: %v, %v", cuts, joined, err)
		}
		if len(parts) == 1 && joined != parts[0] {
			t.Error("a single batch was copied")
		}
		joined.Release()
		release(parts)
	}
	none, err := Concat(whole.Schema(), nil)
	if err != nil || none.NumRows() != 0 || !none.Schema().Equal(whole.Schema()) {
		t.Errorf("of nothing: %v, %v", none, err)
	}
}

// Bytes come out of frames as they went in, in whatever parts they are written and read.
func TestRandomFrames(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		var pipe, want bytes.Buffer
		out := frameWriter{bufio.NewWriter(&pipe)}
		for range random.IntN(6) {
			part := make([]byte, random.IntN(200))
			for i := range part {
				part[i] = byte(random.IntN(3))
			}
			want.Write(part)
			if n, err := out.Write(part); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := out.end(); err != nil {
			t.Fatal(err)
		}
		pipe.WriteString("rest")
		in, got := &frameReader{in: &pipe}, []byte{}
		for {
			part := make([]byte, 1+random.IntN(50))
			n, err := in.Read(part)
			got = append(got, part[:n]...)
			if err != nil {
				break
			}
		}
		if !bytes.Equal(got, want.Bytes()) || pipe.String() != "rest" {
			t.Fatalf("% x became % x, and %q is left", want.Bytes(), got, pipe.String())
		}
		if n, err := in.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Fatalf("after the end: %d, %v", n, err)
		}
	}
}

// Values are read into variables of their types only, and never where there is none.
func TestScanning(t *testing.T) {
	conn := connection(t)
	b, err := conn.Batch(t.Context(), `SELECT 'a' AS s, 1::BIGINT AS i, 2::INTEGER AS j, 0.5::DOUBLE AS f, true AS b,
		NULL::VARCHAR AS n, [1] AS l`)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	var s string
	var i, j int64
	var f float64
	var is bool
	for column, c := range []struct {
		dest []any // those that the value can be read into
		want any
	}{
		{[]any{&s}, "a"}, {[]any{&i}, int64(1)}, {[]any{&j}, int64(2)}, {[]any{&f}, 0.5}, {[]any{&is}, true},
		{nil, nil}, {nil, nil},
	} {
		for _, dest := range []any{&s, &i, &f, &is} {
			ok := scanValue(b.Column(column), 0, dest)
			want := len(c.dest) > 0 && fmt.Sprintf("%T", c.dest[0]) == fmt.Sprintf("%T", dest)
			if ok != want {
				t.Errorf("column %d into %T: %v", column, dest, ok)
			}
		}
	}
	if s != "a" || i != 2 || f != 0.5 || !is {
		t.Errorf("%q, %d, %v, %v", s, i, f, is)
	}
	for _, dest := range [][]any{{&s}, {&i, &i, &j, &f, &is, &s, &s}} {
		if err := scan(b, 0, dest); err == nil {
			t.Errorf("a row was read into %d variables", len(dest))
		}
	}
}

// Any list of paths that the server writes into a statement is found there again.
func TestAllFilesOfAStatementAreFound(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	letters := []rune("a'/ ,]ü\\\"")
	for range 500 {
		var want []string
		query := "SELECT 'read_parquet(' FROM "
		for range 1 + random.IntN(3) {
			var paths []string
			for range 1 + random.IntN(3) {
				path := make([]rune, 1+random.IntN(6))
				for i := range path {
					path[i] = letters[random.IntN(len(letters))]
				}
				paths = append(paths, "/"+string(path))
			}
			want = append(want, paths...)
			query += "read_parquet(" + Texts(paths) + ", hive_partitioning = false) JOIN "
		}
		if got := scanned(query); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%s: %q, not %q", query, got, want)
		}
	}
}
