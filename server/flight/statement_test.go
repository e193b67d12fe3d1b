package flight_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/flight"
	"github.com/rowback/rowback/storage/catalog"
)

func TestStatements(t *testing.T) {
	c := dial(t, address)
	c.expect("SELECT id, city FROM employees ORDER BY id", `{"city":"Milan","id":2}`, `{"city":"Nara","id":3}`,
		`{"city":"Oslo","id":4}`)
	c.expect(`SELECT id, city FROM "employees@1.0.0" WHERE id = 2`, `{"city":"Turin","id":2}`)
	c.expect(`SELECT city FROM employees AT (VERSION => '1.0.0') WHERE id = 2`, `{"city":"Turin"}`)
	c.expect(`SELECT _change, id FROM "employees@1.0.0..1.0.1" ORDER BY id`, `{"_change":"modified","id":2}`,
		`{"_change":"added","id":4}`)
	c.expect(`SELECT city FROM "1".datasets."employees@1.0.0" WHERE id = 2`, `{"city":"Turin"}`)
	c.expect("SELECT name, records_total FROM rowback.datasets ORDER BY name",
		`{"name":"employees","records_total":3}`, `{"name":"nothing","records_total":0}`,
		`{"name":"team members","records_total":2}`)
	c.expect("SELECT * FROM employees WHERE id < 0")
	c.expect("SELECT * FROM nothing")
	c.expect(`SELECT tags, home, pay FROM "team members" ORDER BY pay`,
		`{"home":{"city":"Oslo","floors":[1,2]},"pay":1.25,"tags":["a","b"]}`, `{"home":null,"pay":null,"tags":[]}`)
}

func TestTypesArriveAsTheyAre(t *testing.T) {
	c := dial(t, address)
	got, err := c.ask(context.Background(), `SELECT 1::TINYINT a, 2::UBIGINT b, 1.50::DECIMAL(10,2) c,
		DATE '2026-01-02' d, TIMESTAMP '2026-01-02 03:04:05' e, TIMESTAMPTZ '2026-01-02 03:04:05Z' f, 'x'::BLOB g,
		[1, NULL] h, {'i': 'j'} i, MAP {'k': 1} j, NULL::VARCHAR k, 'x'::ENUM('x', 'y') l, TIME '01:02:03' m`)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, f := range got.schema.Fields() {
		types = append(types, f.Type.String())
	}
	want := "int8 uint64 decimal(10, 2) date32 timestamp[us] timestamp[us, tz=UTC] binary list<l: " +
		"int32, nullable> struct<i: utf8 nullable> map<utf8, int32, items_nullable> utf8 utf8 time64[us]"
	if strings.Join(types, " ") != want {
		t.Errorf("the types are %s; want %s", strings.Join(types, " "), want)
	}
}

func TestATicketKeepsWhatItsNamesMeant(t *testing.T) {
	c := dial(t, address)
	moving := newDataset(1, "moving")
	t.Cleanup(func() { drop(t, moving) })
	commit(moving, catalog.Append, `[{"a":1}]`)
	info, err := c.Execute(context.Background(), "SELECT * FROM moving")
	if err != nil {
		t.Fatal(err)
	}
	commit(moving, catalog.Append, `[{"a":2,"another":"column"}]`)
	got, err := c.fetch(context.Background(), info)
	if err != nil || len(got.lines) != 1 {
		t.Errorf("it gave %v, %v; want the one row that was there", got.lines, err)
	}
	c.expect("SELECT another FROM moving WHERE a = 2", `{"another":"column"}`)
	gone := newDataset(1, "gone")
	if info, err = c.Execute(context.Background(), "SELECT * FROM gone"); err != nil {
		t.Fatal(err)
	}
	drop(t, gone)
	_, err = c.fetch(context.Background(), info)
	refused(t, "a dataset that was deleted meanwhile", err, codes.NotFound, `The dataset that "gone" meant`)
}

func TestBadStatements(t *testing.T) {
	c := dial(t, address)
	for _, b := range []struct {
		sql  string
		code codes.Code
		part string
	}{
		{"SELECT id\nFROM employees WHERE WHERE", codes.InvalidArgument, "Line 2, column 22"},
		{"SELECT nosuch FROM employees", codes.InvalidArgument,
			`Line 1, column 8: The SQL can't be run: Referenced column "nosuch"`},
		{"SELECT * FROM employes", codes.NotFound, "the nearest names are employees"},
		{`SELECT * FROM "employees@9.9.9"`, codes.NotFound, "Version 9.9.9 not found"},
		{"SELECT * FROM salaries", codes.NotFound, `no dataset "salaries" in project 1`},
		{`SELECT * FROM "2".datasets.salaries`, codes.InvalidArgument, "no table 2.datasets.salaries"},
		{"", codes.InvalidArgument, "is empty"},
		{"INSERT INTO employees VALUES (1)", codes.InvalidArgument, "not one SELECT"},
		{"SELECT ?", codes.InvalidArgument, "parameter $1 has no value"},
		{"SELECT 1::VARIANT AS v", codes.InvalidArgument, "Arrow can't hold"},
		{"SELECT 1/0; SELECT 2", codes.InvalidArgument, "not one statement"},
	} {
		_, err := c.ask(context.Background(), b.sql)
		refused(t, b.sql, err, b.code, b.part)
		_, err = c.GetExecuteSchema(context.Background(), b.sql)
		refused(t, b.sql+" (its schema)", err, b.code, b.part)
	}
	_, err := c.ask(context.Background(), "SELECT *\nFROM employees WHERE nosuch")
	if fact(err, "reason") != "invalid_sql" || fact(err, "line") != "2" || fact(err, "column") != "22" {
		t.Errorf("%v: reason %q, line %q, column %q", err, fact(err, "reason"), fact(err, "line"), fact(err, "column"))
	}
	_, err = c.ask(context.Background(), "SELECT CAST('x' || range AS INTEGER) FROM range(100000)")
	refused(t, "a value that can't be cast", err, codes.InvalidArgument, "Could not convert")
}

// Attempts to escape from the sandbox end as over HTTP: the sandbox is the same. All of them are in the query package.
func TestTheSandboxHolds(t *testing.T) {
	c := dial(t, address)
	for _, sql := range []string{
		"SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM '/etc/passwd'", "COPY (SELECT 1) TO '/tmp/x'",
		"ATTACH ':memory:' AS x",
		"SELECT getenv('HOME')", "SET threads = 1", "PRAGMA database_list", "SELECT * FROM duckdb_settings()",
		`SELECT * FROM "2".information_schema.tables`,
	} {
		if _, err := c.ask(context.Background(), sql); err == nil {
			t.Errorf("%s was let through", sql)
		}
		if _, err := c.Prepare(context.Background(), sql); err == nil {
			t.Errorf("%s could be prepared", sql)
		}
	}
}

func TestTheSchemaOfAStatement(t *testing.T) {
	c := dial(t, address)
	got, err := c.GetExecuteSchema(context.Background(), "SELECT id, name FROM employees")
	if err != nil || len(got.Schema) == 0 {
		t.Fatal(got, err)
	}
}

// endless has more rows than anyone would wait for.
const endless = "SELECT a.range, b.range AS other FROM range(10000000) a, range(10000000) b"

func TestAClientThatLeavesEndsItsStatement(t *testing.T) {
	c := dial(t, address)
	for range 6 { // there are four places: a statement that went on would keep one
		ctx, cancel := context.WithCancel(context.Background())
		info, err := c.Execute(ctx, endless)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.DoGet(ctx, info.Endpoint[0].Ticket)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Next() {
			t.Fatal(r.Err())
		}
		cancel()
		for r.Next() {
		}
		refused(t, "after it was cancelled", r.Err(), codes.Canceled, "")
		r.Release()
	}
	c.expect("SELECT 1 AS one", `{"one":1}`)
}

func TestADeadlineEndsAStatement(t *testing.T) {
	c := dial(t, address)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err := c.ask(ctx, "SELECT count(*) AS n FROM ("+endless+") WHERE other % 7 = 3")
	refused(t, "the client's deadline", err, codes.DeadlineExceeded, "")
	hasty := dial(t, other(t, flight.Options{Limits: calls.Limits{QueryTimeout: 300 * time.Millisecond}}))
	_, err = hasty.ask(context.Background(), "SELECT count(*) AS n FROM ("+endless+") WHERE other % 7 = 3")
	refused(t, "the server's limit", err, codes.DeadlineExceeded, "longer than the time limit")
}

func TestAResultThatIsTooLargeIsCutAndSaysSo(t *testing.T) {
	c := dial(t, other(t, flight.Options{Limits: calls.Limits{MaxResult: 1 << 20}}))
	got, err := c.ask(context.Background(), endless)
	if err != nil {
		t.Fatal(err)
	}
	if got.last != `{"truncated":"bytes"}` || got.trailer.Get("x-rowback-truncated")[0] != "bytes" {
		t.Errorf("the last message says %q, the trailer %v", got.last, got.trailer)
	}
	got, err = c.ask(context.Background(), "SELECT 1 AS one")
	if err != nil || got.last != "" || got.trailer.Get("x-rowback-truncated")[0] != "no" {
		t.Errorf("a whole result: the last message says %q, the trailer %v, %v", got.last, got.trailer, err)
	}
}

func TestMessagesAreLargeAndFitClientsWithoutALimitOfTheirOwn(t *testing.T) {
	c := dial(t, address) // which takes 4 MiB
	got, err := c.ask(context.Background(), "SELECT range AS a, range * 2 AS b FROM range(200000)")
	if err != nil || len(got.batches) != 4 || got.batches[0] < 60_000 {
		t.Errorf("batches of %v rows, %v", got.batches, err)
	}
	got, err = c.ask(context.Background(), "SELECT repeat('x', 50000) AS wide FROM range(1000)")
	if err != nil || len(got.batches) < 10 {
		t.Errorf("batches of %v rows, %v", got.batches, err)
	}
}
