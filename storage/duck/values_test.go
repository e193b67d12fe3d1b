//go:build duckdb_arrow

package duck

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/duckdb/duckdb-go/v2"
)

func connection(t *testing.T) *Conn {
	t.Helper()
	e, err := Open(Limits{Threads: 1, Memory: 512 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	conn, err := e.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Every kind of parameter arrives with its type and value.
func TestParametersKeepTheirTypesAndValues(t *testing.T) {
	conn := connection(t)
	digits := func(text string) *big.Int {
		n, _ := new(big.Int).SetString(text, 10)
		return n
	}
	for _, c := range []struct {
		value any
		want  string // typeof, then the value as text
	}{
		{true, "BOOLEAN true"},
		{int64(-1 << 63), "BIGINT -9223372036854775808"},
		{0.1, "DOUBLE 0.1"},
		{"it's $1 é", "VARCHAR it's $1 é"},
		{[]byte{0, 255}, `BLOB \x00\xFF`},
		{Decimal{digits("-12345"), 2}, "DECIMAL(5,2) -123.45"},
		{Decimal{digits("5"), 3}, "DECIMAL(3,3) .005"},
		{Decimal{digits("-99999999999999999999999999999999999999"), 0},
			"DECIMAL(38,0) -99999999999999999999999999999999999999"},
		{Moment{"DATE", -1}, "DATE 1969-12-31"},
		{Moment{"TIME", 1}, "TIME 00:00:00.000001"},
		{Moment{"TIMESTAMP", -1}, "TIMESTAMP 1969-12-31 23:59:59.999999"},
		{Moment{"TIMESTAMP WITH TIME ZONE", 0}, "TIMESTAMP WITH TIME ZONE 1970-01-01 00:00:00+00"},
		{Moment{"TIMESTAMP_NS", 1}, "TIMESTAMP_NS 1970-01-01 00:00:00.000000001"},
		{[]any{int64(1), nil, int64(3)}, "BIGINT[] [1, NULL, 3]"},
		{[]any{int64(1), 2.5}, "DOUBLE[] [1.0, 2.5]"},
		{[]any{"a", nil}, "VARCHAR[] [a, NULL]"},
		{[]any{Moment{"DATE", 0}}, "DATE[] [1970-01-01]"},
		{[]any{}, `"NULL"[] []`},
		{Nested{[]any{[]any{int64(1)}, []any{}, nil}}, "BIGINT[][] [[1], [], NULL]"},
		{Nested{[]any{int64(1), Decimal{digits("25"), 1}}}, "DECIMAL(20,1)[] [1.0, 2.5]"},
		{Nested{[]any{Decimal{digits("1"), 30}, Decimal{digits("123456789012"), 0}}}, "DOUBLE[] [1e-30, 123456789012.0]"},
		{Nested{map[string]any{"b": "x", "a": int64(1)}}, `STRUCT(a BIGINT, b VARCHAR) {'a': 1, 'b': x}`},
		{Nested{[]any{map[string]any{"a": int64(1)}, map[string]any{"b": true}}},
			`STRUCT(a BIGINT, b BOOLEAN)[] [{'a': 1, 'b': NULL}, {'a': NULL, 'b': true}]`},
	} {
		query := "SELECT typeof(v), CAST(v AS VARCHAR) FROM (SELECT $1 AS v)"
		batch, err := conn.Batch(t.Context(), query, Param{"1", c.value})
		if err != nil {
			t.Errorf("%v: %v", c.value, err)
			continue
		}
		if got := batch.Column(0).ValueStr(0) + " " + batch.Column(1).ValueStr(0); got != c.want {
			t.Errorf("%v: %s, not %s", c.value, got, c.want)
		}
		batch.Release()
	}
}

func TestParametersThatAreRefused(t *testing.T) {
	conn := connection(t)
	for name, value := range map[string]any{
		"a mixed list":         []any{int64(1), "a"},
		"a mixed nested list":  Nested{[]any{[]any{}, "a"}},
		"fields of two types":  Nested{[]any{map[string]any{"a": true}, map[string]any{"a": "x"}}},
		"an unknown Go type":   struct{}{},
		"an unknown moment":    Moment{"YEAR", 1},
		"a list within a list": []any{[]any{int64(1)}}, // only Nested may have it
	} {
		batch, err := conn.Batch(t.Context(), "SELECT $1", Param{"1", value})
		if err == nil {
			batch.Release()
			t.Errorf("%s was accepted", name)
		}
	}
	null, err := conn.Batch(t.Context(), "SELECT $1 IS NULL", Param{"1", nil})
	if err != nil || null.Column(0).ValueStr(0) != "true" {
		t.Errorf("a null: %v, %v", null, err)
	}
	if _, err := conn.Batch(t.Context(), "SELECT $b", Param{"a", int64(1)}); CauseOf(err) != Input {
		t.Errorf("a missing parameter: %v", err)
	}
}

// What a bound lets through, and why a result is cut.
func TestBounds(t *testing.T) {
	for _, c := range []struct {
		rows, bytes int64
		next        int64
		take        int64
		cut         Cut
	}{
		{10, 1, 10, 10, Whole}, {10, 1, 11, 10, AtLimit}, {0, 1, 1, 0, AtLimit}, {0, 1, 0, 0, Whole},
		{10, 0, 1, 0, AtBytes}, {10, -5, 1, 0, AtBytes},
	} {
		b := Bound{Rows: c.rows, Bytes: c.bytes}
		if got := b.Take(c.next); got != c.take || b.Cut != c.cut {
			t.Errorf("%+v: took %d, cut %q", c, got, b.Cut)
		}
	}
}

// Frames carry any bytes and end where they say; an early end of the input is an error.
func TestFrames(t *testing.T) {
	parts := []string{"a", "", strings.Repeat("b", 100_000), "\x00\x00\x00\x00"}
	var pipe bytes.Buffer
	out := frameWriter{bufio.NewWriter(&pipe)}
	for _, p := range parts {
		if _, err := out.Write([]byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.end(); err != nil {
		t.Fatal(err)
	}
	pipe.WriteString("what follows")
	whole := bytes.Clone(pipe.Bytes())
	got, err := io.ReadAll(&frameReader{in: &pipe})
	if err != nil || string(got) != strings.Join(parts, "") || pipe.String() != "what follows" {
		t.Errorf("%d bytes, %v; then %q", len(got), err, pipe.String())
	}
	for _, n := range []int{0, 2, 5, 50_000} {
		if _, err := io.ReadAll(&frameReader{in: bytes.NewReader(whole[:n])}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
}

// An error keeps what callers act on when it passes from one process to another.
func TestErrorsPassBetweenProcesses(t *testing.T) {
	de := &duckdb.Error{Type: duckdb.ErrorTypeBinder, Msg: "Binder Error: no such column"}
	failure := &Failure{Statement: "SELECT x", Offset: 7, Hint: "y", cause: de}
	for _, err := range []error{nil, errors.New("other"), de, failure} {
		back := refusalOf(err).error()
		if (back == nil) != (err == nil) || back != nil && back.Error() != err.Error() || CauseOf(back) != CauseOf(err) {
			t.Errorf("%v came back as %v", err, back)
		}
	}
	var f *Failure
	if errors.As(refusalOf(failure).error(), &f); f == nil || !reflect.DeepEqual(*f, *failure) {
		t.Errorf("%+v", f)
	}
}

func TestCauses(t *testing.T) {
	conn := connection(t)
	run := func(sql string) error {
		_, err := conn.Exec(t.Context(), sql)
		return err
	}
	full := &duckdb.Error{
		Type: duckdb.ErrorTypeIO, Msg: `IO Error: Could not write file "/data/x": No space left on device`,
	}
	for _, c := range []struct {
		err     error
		cause   Cause
		errno   syscall.Errno
		damage  bool
		message string
	}{
		{run("SELECT x"), Input, 0, false, `Referenced column "x"`},
		{run("SELECT CAST('a' AS INTEGER)"), Input, 0, false, `Could not convert string 'a' to INT32`},
		{run("SELECT * FROM '/nowhere/x.parquet'"), Unreadable, 0, true, "No files found that match the pattern"},
		{full, OutOfDisk, syscall.ENOSPC, false, "Could not write: No space left on device"},
		{&duckdb.Error{Type: duckdb.ErrorTypeIO, Msg: "IO Error: x: Input/output error"}, Unreadable, syscall.EIO, true,
			"x: Input/output error"},
		{&duckdb.Error{Type: duckdb.ErrorTypeOutOfMemory, Msg: "Out of Memory Error: x"}, OutOfMemory, 0, false, "x"},
		{&duckdb.Error{Type: duckdb.ErrorTypeInternal, Msg: "INTERNAL Error: x"}, Unknown, 0, true, "x"},
		{&duckdb.Error{Type: duckdb.ErrorTypePermission, Msg: "Permission Error: x"}, Forbidden, 0, false, "x"},
		{&Ended{State: "signal: killed"}, OutOfMemory, 0, false, ""},
		{&Ended{State: "exit status 2", Stderr: "terminate called after std::bad_alloc"}, OutOfMemory, 0, false, ""},
		{&Ended{State: "signal: segmentation fault"}, Crash, 0, true, ""},
		{errors.New("other"), Unknown, 0, false, "other"},
	} {
		if CauseOf(c.err) != c.cause || Errno(c.err) != c.errno || MayBeDamage(c.err) != c.damage {
			t.Errorf("%v: cause %v, errno %v, damage %v", c.err, CauseOf(c.err), Errno(c.err), MayBeDamage(c.err))
		}
		if got := Message(c.err); c.message != "" && !strings.HasPrefix(got, c.message) || strings.Contains(got, "/data") {
			t.Errorf("%v: the message is %q", c.err, got)
		}
	}
	if !IsConversion(run("SELECT CAST('a' AS INTEGER)")) || IsConversion(run("SELECT x")) {
		t.Error("conversions are not recognised")
	}
}

// Rows are read alike from an instance of this process and from another one.
func TestRowsFromBothKindsOfInstance(t *testing.T) {
	p := NewPool(func() Limits { return Limits{Threads: 1} })
	t.Cleanup(p.Close)
	other, err := p.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if !other.Remote() {
		t.Error("a sandbox is in this process")
	}
	for _, conn := range []*Conn{connection(t), other} {
		var got []string
		err := conn.Rows(t.Context(), "SELECT i, 'n' || i, i / 2, i > 1 FROM range(3) t(i)", func(scan Scan) error {
			var n int64
			var text string
			var half float64
			var is bool
			err := scan(&n, &text, &half, &is)
			got = append(got, fmt.Sprint(n, text, half, is))
			return err
		})
		if want := "[0n00 false 1n10.5 false 2n21 true]"; fmt.Sprint(got) != want {
			t.Errorf("%v", got)
		}
		if err != nil {
			t.Error(err)
		}
		var n int64
		if err := conn.Row(t.Context(), "SELECT 1 WHERE false", &n); err == nil {
			t.Error("no row is an error")
		}
		few, err := conn.Few(t.Context(), "SELECT i FROM range(100_000) t(i)")
		if few != nil || err != nil {
			t.Errorf("too many rows for Few: %v, %v", few, err)
		}
		few, err = conn.Few(t.Context(), "SELECT i FROM range(3) t(i)")
		if err != nil || few == nil || few.NumRows() != 3 {
			t.Fatalf("%v, %v", few, err)
		}
		few.Release()
		if _, err := conn.Call(t.Context(), []byte("x")); err == nil {
			t.Error("a connection without a Handler answered a call")
		}
	}
}

// The files that the server's SQL names are found. Text of clients that looks alike names none of them.
func TestScannedFiles(t *testing.T) {
	for query, want := range map[string][]string{
		"SELECT 1": nil,
		"FROM read_parquet(" + Texts([]string{"/a", "/b's"}) + ", hive_partitioning = false)":    {"/a", "/b's"},
		"FROM read_parquet(['/a']) JOIN read_parquet(['/b', '/c'], file_row_number = true) ON x": {"/a", "/b", "/c"},
		// a literal of a client's, in which quotes are doubled
		"SELECT " + Text("read_parquet(['/a'])"): {""},
	} {
		if got := scanned(query); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, not %q", query, got, want)
		}
	}
}
