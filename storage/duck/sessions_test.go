//go:build duckdb_arrow

package duck

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/duckdb/duckdb-go/v2"
)

// both returns a connection to an instance in this process, and one to a sandbox.
func both(t *testing.T) map[string]*Conn {
	t.Helper()
	p := NewPool(func() Limits { return Limits{Threads: 1} })
	t.Cleanup(p.Close)
	other, err := p.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	return map[string]*Conn{"here": connection(t), "in a sandbox": other}
}

// results are of every type, and of shapes that are at an edge.
var results = []string{
	"SELECT 1 WHERE false", "SELECT NULL", "SELECT 'ü🦆', '', NULL::VARCHAR", "SELECT i FROM range(5000) t(i)",
	"SELECT [1, NULL], []::INTEGER[], {'a': [{'b': 'x'}]}, MAP {'k': 1.5}",
	"SELECT DATE '0044-03-15 (BC)', TIME '01:02:03'",
	"SELECT TIMESTAMPTZ '2024-01-01 00:00:00+02', TIMESTAMP_NS '2024-01-01 00:00:00.000000001', INTERVAL 1 MONTH",
	"SELECT 0.5::DECIMAL(1,1), 1e37::DECIMAL(38,0), 170141183460469231731687303715884105727::HUGEINT // 1000",
	"SELECT '\\x00\\xFF'::BLOB, uuid() IS NULL, 'a'::ENUM('a'), '101'::BIT, 18446744073709551615::UBIGINT",
	"SELECT repeat('x', i) FROM range(300) t(i)", "SELECT 1 AS a, 2 AS \"b \"\"c\"\"\"",
}

// Whether an instance is here or in another process makes no difference to what a statement returns.
func TestResultsAreTheSameInASandbox(t *testing.T) {
	conns := both(t)
	for _, query := range results {
		a, errA := conns["here"].Batch(t.Context(), query)
		b, errB := conns["in a sandbox"].Batch(t.Context(), query)
		if errA != nil || errB != nil {
			t.Errorf("%s: %v, %v", query, errA, errB)
			continue
		}
		if !a.Schema().Equal(b.Schema()) || !array.RecordEqual(a, b) {
			t.Errorf("%s: %v here, %v in a sandbox", query, a, b)
		}
		a.Release()
		b.Release()
	}
}

// A nested value of a request, with everything that JSON may have.
func randomValue(random *rand.Rand, depth int) any {
	kind := random.IntN(8)
	if depth == 0 {
		kind = random.IntN(6)
	}
	switch kind {
	case 0:
		return nil
	case 1:
		return random.IntN(2) == 0
	case 2:
		return random.Int64() - random.Int64()
	case 3:
		return float64(random.IntN(1000)) / 8
	case 4:
		return []string{"", "a", "it's \"x\"", "ü\n🦆", "null"}[random.IntN(5)]
	case 5:
		return Decimal{big.NewInt(random.Int64N(1e9)), random.IntN(9)}
	case 6:
		list := make([]any, random.IntN(4))
		for i := range list {
			list[i] = randomValue(random, 0)
			if i > 0 { // of one kind
				list[i] = list[0]
			}
		}
		return list
	}
	object := map[string]any{}
	for _, name := range []string{"a", "b c", `q"`}[:1+random.IntN(3)] {
		object[name] = randomValue(random, depth-1)
	}
	return object
}

// plainJSON is a value as DuckDB writes it as JSON, with numbers as fractions.
func plainJSON(v any) string {
	switch v := v.(type) {
	case Decimal:
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(v.Scale)), nil)
		return new(big.Rat).SetFrac(v.Digits, scale).RatString()
	case json.Number:
		r, _ := new(big.Rat).SetString(string(v))
		return r.RatString()
	case int64:
		return fmt.Sprint(v)
	case float64:
		return new(big.Rat).SetFloat64(v).RatString()
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = plainJSON(v[i])
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		var parts []string
		for name, part := range v {
			parts = append(parts, fmt.Sprintf("%q:%s", name, plainJSON(part)))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	case string:
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprint(v)
}

// noZero finds decimals that DuckDB writes without a zero before the point, which is not JSON.
var noZero = regexp.MustCompile(`(^|[:\[,]-?|^-)\.`)

// Nested values arrive as they were sent, here and in a sandbox.
func TestRandomNestedParameters(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	conns := both(t)
	for range 150 {
		given := randomValue(random, 3)
		for where, conn := range conns {
			b, err := conn.Batch(t.Context(), "SELECT CAST(to_json($v) AS VARCHAR)", Param{"v", Nested{given}})
			if err != nil {
				t.Errorf("%s: %#v: %v", where, given, err)
				continue
			}
			text := "null"
			if b.Column(0).IsValid(0) {
				text = b.Column(0).ValueStr(0)
			}
			d := json.NewDecoder(strings.NewReader(noZero.ReplaceAllString(text, "${1}0.")))
			d.UseNumber()
			var got any
			if err := d.Decode(&got); err != nil || plainJSON(got) != plainJSON(given) {
				t.Errorf("%s: %#v is %s, %v", where, given, text, err)
			}
			b.Release()
		}
	}
}

// Decimals of any sign and size keep all digits.
func TestDecimalsOfAnySize(t *testing.T) {
	conn := connection(t)
	for _, digits := range []string{"0", "-1", "9", "18446744073709551615", "-18446744073709551616",
		"99999999999999999999999999999999999999", "-99999999999999999999999999999999999999"} {
		n, _ := new(big.Int).SetString(digits, 10)
		b, err := conn.Batch(t.Context(), "SELECT CAST($1 AS VARCHAR)", Param{"1", Decimal{n, 0}})
		if err != nil || b.Column(0).ValueStr(0) != digits {
			t.Errorf("%s: %v, %v", digits, b, err)
		}
	}
}

// A statement that fails, in either kind of instance, says why in the same words; a sandbox says where, too.
func TestErrorsAreTheSameInASandbox(t *testing.T) {
	conns := both(t)
	for query, at := range map[string]int{
		"SELECT nothing": 7, "SELECT 1 +": -1, "SELECT * FROM none": 14, "SELECT CAST('x' AS INTEGER)": 7,
		"SELECT error('it''s')": -1, "SELECT 1 / 'x'": -2,
	} {
		var messages []string
		for _, name := range []string{"here", "in a sandbox"} {
			_, err := conns[name].Batch(t.Context(), query)
			if CauseOf(err) != Input {
				t.Errorf("%s, %s: cause %d of %v", query, name, CauseOf(err), err)
			}
			messages = append(messages, Message(err))
			var f *Failure
			if name != "here" && (!errors.As(err, &f) || f.Statement != query || at >= 0 && f.Offset != at) {
				t.Errorf("%s: %+v", query, f)
			}
		}
		if messages[0] != messages[1] || messages[0] == "" {
			t.Errorf("%s: %q", query, messages)
		}
	}
	var f *Failure
	_, err := conns["in a sandbox"].Exec(t.Context(), "SELECT valu FROM (SELECT 1 AS value)")
	if !errors.As(err, &f) || !strings.Contains(f.Hint, "value") {
		t.Errorf("the hint is %+v", f)
	}
}

// A row that is not there, and columns that do not fit, are errors; the connection can be used after them.
func TestRowsThatAreNotThere(t *testing.T) {
	for where, conn := range both(t) {
		var n int64
		if err := conn.Row(t.Context(), "SELECT 1 WHERE false", &n); !errors.Is(err, sql.ErrNoRows) {
			t.Errorf("%s: %v", where, err)
		}
		if err := conn.Row(t.Context(), "SELECT 'a', 2", &n); err == nil {
			t.Errorf("%s: two columns were read into one variable", where)
		}
		if err := conn.Row(t.Context(), "SELECT i + 5 FROM range(3) t(i)", &n); err != nil || n != 5 {
			t.Errorf("%s: the first row is %d, %v", where, n, err)
		}
		stop := errors.New("stop")
		err := conn.Rows(t.Context(), "SELECT i FROM range(9) t(i)", func(Scan) error { return stop })
		if !errors.Is(err, stop) {
			t.Errorf("%s: %v", where, err)
		}
		if rows, err := conn.Create(t.Context(), "CREATE TEMP TABLE t AS FROM range(7)"); err != nil || rows != 7 {
			t.Errorf("%s: a table of %d rows, %v", where, rows, err)
		}
	}
}

// endless is a statement that does not end by itself.
const endless = "SELECT sum(a.i * b.i) FROM range(10_000_000) a(i), range(10_000_000) b(i)"

// The end of a request ends its statement, with the request's own cause. A connection here can be used again.
func TestAStatementEndsWithItsRequest(t *testing.T) {
	why := errors.New("the client is gone")
	for where, conn := range both(t) {
		ctx, cancel := context.WithCancelCause(t.Context())
		go cancel(why)
		if _, err := conn.Batch(ctx, endless); !errors.Is(err, why) {
			t.Errorf("%s: %v", where, err)
		}
		var n int64
		if err := conn.Row(t.Context(), "SELECT 7", &n); where == "here" && (err != nil || n != 7) {
			t.Errorf("the next statement: %d, %v", n, err)
		}
	}
}

// A statement that starts after the end of its request was noticed is interrupted as well.
func TestInterruptionsAreNotForgotten(t *testing.T) {
	l := connection(t).session.(*local)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := l.raw(func(conn *duckdb.Conn) error {
		defer interruptAtEnd(ctx, handleOf(conn))()
		for range 3 {
			time.Sleep(interruptEvery / 2) // the next statement starts between two interruptions
			if _, err := conn.ExecContext(t.Context(), endless, nil); err == nil {
				return errors.New("a statement was not interrupted")
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// What a connection creates is its own, and is gone with it.
func TestConnectionsAreSeparate(t *testing.T) {
	e, err := Open(Limits{Threads: 1, Memory: 512 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var conns [2]*Conn
	for i := range conns {
		if conns[i], err = e.Conn(t.Context()); err != nil {
			t.Fatal(err)
		}
		stream, err := array.NewRecordReader(numbered, []arrow.RecordBatch{batch(0, int64(i+1))})
		if err != nil {
			t.Fatal(err)
		}
		free, err := conns[i].View(t.Context(), "v", stream)
		if err != nil {
			t.Fatal(err)
		}
		defer free()
		if _, err := conns[i].Exec(t.Context(), fmt.Sprintf("CREATE TEMP TABLE t AS SELECT %d AS a", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i, conn := range conns {
		var rows, a int64
		if err := conn.Row(t.Context(), "SELECT (SELECT count(*) FROM v), (SELECT a FROM t)", &rows, &a); err != nil ||
			rows != int64(i+1) || a != int64(i) {
			t.Errorf("connection %d has a view of %d rows and %d in its table, %v", i, rows, a, err)
		}
		conn.Close()
	}
	next, err := e.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	var left int64
	ask := `SELECT count(*) FROM (SELECT table_name FROM duckdb_tables() UNION ALL
		SELECT view_name FROM duckdb_views() WHERE NOT internal)`
	if err := next.Row(t.Context(), ask, &left); err != nil || left != 0 {
		t.Errorf("%d tables and views are left, %v", left, err)
	}
}

// No borrower of a sandbox sees anything of the one before, although the process may be the same.
func TestSandboxesHaveNoMemory(t *testing.T) {
	p := NewPool(func() Limits { return Limits{Threads: 1} })
	t.Cleanup(p.Close)
	for range 3 {
		conn, _ := take(t, p)
		var none bool
		if err := conn.Row(t.Context(), "SELECT getvariable('x') IS NULL", &none); err != nil || !none {
			t.Errorf("a variable was there before: %v, %v", !none, err)
		}
		_, err := conn.Exec(t.Context(), "CREATE TABLE secret AS SELECT 1; SET VARIABLE x = 1; SET threads = 1")
		if err != nil {
			t.Fatal("a table or a lock was there before", err)
		}
		if err := conn.Lock(t.Context(), Scope{}); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		p.work.Wait()
	}
	stream, err := array.NewRecordReader(numbered, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn, _ := take(t, p)
	defer conn.Close()
	if _, err := conn.View(t.Context(), "v", stream); err == nil {
		t.Error("a sandbox has a view of a stream")
	}
}

// The parameters of a statement are found without running it, with the types that they must have.
func TestParametersOfStatements(t *testing.T) {
	for where, conn := range both(t) {
		for query, want := range map[string]string{
			"SELECT 1": "",
			"SELECT d FROM (SELECT DATE '2024-01-01' AS d) WHERE d = $a AND 'x' = $b": "a date32, b utf8",
			"SELECT i FROM range(3) t(i) WHERE i > ? AND i < ?":                       "1 int64, 2 int64",
			"SELECT $x": "x null",
		} {
			s, err := conn.Parameters(t.Context(), query)
			if err != nil {
				t.Errorf("%s, %s: %v", where, query, err)
				continue
			}
			var got []string
			for _, f := range s.Fields() {
				got = append(got, f.Name+" "+f.Type.String())
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("%s, %s: %s, not %s", where, query, strings.Join(got, ", "), want)
			}
		}
		if _, err := conn.Parameters(t.Context(), "SELECT"); CauseOf(err) != Input {
			t.Errorf("%s: %v", where, err)
		}
	}
	if s := encodeSchema(nil); s != nil {
		t.Errorf("no schema has %d bytes", len(s))
	}
	if back, err := decodeSchema(encodeSchema(numbered)); err != nil || !back.Equal(numbered) {
		t.Errorf("%v, %v", back, err)
	}
}

// checker is a Guard that notes what it is asked.
type checker struct {
	log             []string
	refuse, changed error
	held            int // files
}

func (c *checker) Hold(paths []string) func() {
	c.held += len(paths)
	return func() { c.held -= len(paths) }
}

func (c *checker) Check(_ context.Context, paths []string) error {
	c.log = append(c.log, "check "+strings.Join(paths, " "))
	return c.refuse
}

func (c *checker) Seen(paths []string) func() error {
	c.log = append(c.log, "seen "+strings.Join(paths, " "))
	return func() error { return c.changed }
}

func (c *checker) Blame(_ context.Context, paths []string, err error) error {
	c.log = append(c.log, "blame "+strings.Join(paths, " "))
	return fmt.Errorf("blamed: %w", err)
}

// Files are checked before a statement reads them; an error that they may have caused is theirs to explain, and a file
// that has changed meanwhile fails the statement although it had a result.
func TestGuards(t *testing.T) {
	read := "SELECT count(*) FROM read_parquet(" + Texts([]string{"/none/a", "/none/b"}) + ")"
	refused, changed := errors.New("refused"), errors.New("changed")
	checked := []string{"check /none/a /none/b", "seen /none/a /none/b", "blame /none/a /none/b"}
	for name, c := range map[string]struct {
		guard checker
		query string
		log   []string
		err   error
	}{
		"no files":       {checker{}, "SELECT 1", nil, nil},
		"a refused file": {checker{refuse: refused}, read, []string{"check /none/a /none/b"}, refused},
		"an error":       {checker{}, read, checked, nil},
		"a changed file": {checker{changed: changed}, read, checked, changed},
	} {
		conn := connection(t)
		conn.Guard(&c.guard)
		_, err := conn.Batch(t.Context(), c.query)
		if !slices.Equal(c.guard.log, c.log) || c.err != nil && !errors.Is(err, c.err) ||
			(err == nil) != (name == "no files") {
			t.Errorf("%s: %v, %v", name, c.guard.log, err)
		}
		if name == "an error" && !strings.HasPrefix(fmt.Sprint(err), "blamed: ") {
			t.Errorf("%v", err)
		}
	}
}

// What a sandbox is confined to is checked before, whether its views name it or the statement that comes then does.
func TestTheFilesOfASandboxAreGuarded(t *testing.T) {
	conn, guard := connection(t), checker{}
	conn.Guard(&guard)
	view := "CREATE VIEW v AS SELECT 1 AS one FROM read_parquet(" + Texts([]string{"/none/b"}) + ") LIMIT 0"
	refused := errors.New("refused")
	guard.refuse = refused
	if err := conn.Lock(t.Context(), Scope{Files: []string{"/none/b", "/none/a"}, Setup: []string{view}}); !errors.Is(err, refused) {
		t.Errorf("a file that is refused: %v", err)
	}
	if want := []string{"check /none/a /none/b"}; !slices.Equal(guard.log, want) || guard.held != 2 {
		t.Errorf("%v, %d held", guard.log, guard.held)
	}
}

// An error that makes an instance unusable is noticed once it is returned; others are not taken for one.
func TestFatalErrors(t *testing.T) {
	for _, c := range []struct {
		err   error
		fatal bool
	}{
		{&duckdb.Error{Type: duckdb.ErrorTypeFatal, Msg: "FATAL Error: x"}, true},
		{&duckdb.Error{Type: duckdb.ErrorTypeInternal, Msg: "INTERNAL Error: x"}, true},
		{&duckdb.Error{Type: duckdb.ErrorTypeInvalidInput, Msg: "the database has been invalidated because"}, true},
		{fmt.Errorf("run: %w", &duckdb.Error{Type: duckdb.ErrorTypeFatal, Msg: "x"}), true},
		{&duckdb.Error{Type: duckdb.ErrorTypeBinder, Msg: "Binder Error: x"}, false},
		{errors.New("FATAL Error: x"), false},
	} {
		broken := false
		l := &local{fatal: func() { broken = true }}
		if err := l.handled(t.Context(), "SELECT 1", c.err); err == nil || broken != c.fatal || IsFatal(c.err) != c.fatal {
			t.Errorf("%v: broken %v, fatal %v", c.err, broken, IsFatal(c.err))
		}
	}
}

// A new instance takes the place of one that broke, once, and connections to the old one do not end it again.
func TestAnInstanceIsReplaced(t *testing.T) {
	e, err := Open(Limits{Threads: 1, Memory: 256 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	first := e.db
	e.replace(first)
	second := e.db
	e.replace(first) // by another connection that had the same error
	if second == first || e.db != second {
		t.Error("the instance was not replaced once")
	}
	conn, err := e.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var n int64
	if err := conn.Row(t.Context(), "SELECT 7", &n); err != nil || n != 7 {
		t.Errorf("%d, %v", n, err)
	}
}

// What DuckDB says is shown without the names of files and without its advice.
func TestMessagesForPeople(t *testing.T) {
	for msg, want := range map[string]string{
		"Binder Error: no such column\nLINE 1: SELECT x":                          "no such column",
		`IO Error: Cannot open file "/data/objects/x.parquet": Permission denied`: "Cannot open: Permission denied",
		"IO Error: No files found that match the pattern \"/a/b c.parquet\"":      "No files found that match the pattern",
		`Invalid Input Error: Need at least 8 bytes, in file '/x/y'`:              "Need at least 8 bytes,",
		"Conversion Error: Could not convert string 'a/b' to INT32":               "Could not convert string 'a/b' to INT32",
		"an error of no kind: at all.":                                            "an error of no kind: at all",
		"Invalid Error: ":                                                         "",
	} {
		if got := Message(&duckdb.Error{Msg: msg}); got != want {
			t.Errorf("%q: %q, not %q", msg, got, want)
		}
	}
	if got := Message(errors.New("other")); got != "other" {
		t.Error(got)
	}
}

// The operating system's errors are known by their texts, in errors of reading and writing only.
func TestErrnos(t *testing.T) {
	for text, errno := range errnos {
		io := &duckdb.Error{Type: duckdb.ErrorTypeIO, Msg: `IO Error: Could not write to file "x": ` + text}
		other := &duckdb.Error{Type: duckdb.ErrorTypeBinder, Msg: text}
		if Errno(fmt.Errorf("wrapped: %w", io)) != errno || Errno(other) != 0 {
			t.Errorf("%s: %v, %v", text, Errno(io), Errno(other))
		}
		if MayBeDamage(io) != (errno == syscall.EIO) {
			t.Errorf("%s may be damage: %v", text, MayBeDamage(io))
		}
	}
	if Errno(nil) != 0 || Errno(errors.New("No space left on device")) != 0 {
		t.Error("an error that is not DuckDB's has a number")
	}
}

// Numbers in SQL have the type that they are meant to have, up to its ends.
func TestNumbersInSQL(t *testing.T) {
	conn := connection(t)
	for _, n := range []int64{0, 1, -1, math.MaxInt32 + 1, math.MaxInt64, math.MinInt64} {
		var back, first int64
		var typ, list string
		query := Fill("SELECT {n}, typeof({n}), {list}[1], typeof({list})", Parts{"n": Int(n), "list": Ints([]int64{n, 1})})
		if err := conn.Row(t.Context(), query, &back, &typ, &first, &list); err != nil || back != n || typ != "BIGINT" ||
			first != n || list != "BIGINT[]" {
			t.Errorf("%d: %d of type %s, %d in a %s, %v", n, back, typ, first, list, err)
		}
	}
	var empty int64
	if err := conn.Row(t.Context(), "SELECT len("+Ints(nil)+") + len("+Texts(nil)+")", &empty); err != nil || empty != 0 {
		t.Errorf("%d, %v", empty, err)
	}
}

// The error output of a process is kept from its beginning, and no more of it than a log needs.
func TestTheErrorOutputOfAProcess(t *testing.T) {
	var out errorOutput
	var want bytes.Buffer
	for i := range 3000 {
		line := fmt.Sprintln("line", i)
		want.WriteString(line)
		if n, err := out.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := string(out.text); got != want.String()[:maxErrorOutput] {
		t.Errorf("%d bytes: %.40s", len(got), got)
	}
	for state, killed := range map[string]bool{
		"signal: killed": true, "signal: segmentation fault": false, "exit status 1": false,
	} {
		if (&Ended{State: state}).Killed() != killed {
			t.Errorf("%s: killed is %v", state, !killed)
		}
	}
}

// A process may reserve more than DuckDB may use, and much more than it may hold.
func TestLimitsOfProcesses(t *testing.T) {
	for _, c := range []struct {
		limits Limits
		want   int64
	}{
		{Limits{}, 1 << 62}, {Limits{Memory: 1 << 30}, 2<<30 + besideMemory},
		{Limits{Memory: 1 << 30, Resident: 1 << 29}, 1<<30 + besideMemory},
	} {
		if got := c.limits.process(); got != c.want {
			t.Errorf("%+v: %d, not %d", c.limits, got, c.want)
		}
	}
	got := Limits{Memory: 1000, Threads: 3, TempDir: "/a b&c"}.dsn()
	for _, part := range []string{
		"memory_limit=1000B", "threads=3", "temp_directory=%2Fa+b%26c", "autoload_known_extensions=false",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("%s lacks %s", got, part)
		}
	}
	if !reflect.DeepEqual(unbound(), &Bound{Rows: math.MaxInt64, Bytes: math.MaxInt64}) {
		t.Error("a result without a bound has one")
	}
}
