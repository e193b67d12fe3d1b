//go:build duckdb_arrow

package duck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// sandboxes returns a pool of sandboxes.
func sandboxes(t *testing.T) *Pool {
	p := NewPool(func() Limits { return Limits{Threads: 1, TempDir: t.TempDir()} })
	t.Cleanup(p.Close)
	return p
}

// scoped is a scope with a view of one number.
func scoped(n int) Scope {
	return Scope{
		Setup:   []string{"CREATE SCHEMA given", fmt.Sprintf("CREATE VIEW given.number AS SELECT %d AS n", n)},
		Session: "SET search_path = 'given'", Keep: true,
	}
}

// lock takes a sandbox and confines it.
func lock(t *testing.T, p *Pool, s Scope) (*Conn, *process) {
	t.Helper()
	c, _ := take(t, p)
	if err := c.Lock(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return c, c.session.(*lent).process
}

// ask returns the number that a scope's view has.
func ask(t *testing.T, c *Conn) (n int64) {
	t.Helper()
	if err := c.Row(t.Context(), "SELECT n FROM number", &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// giveBack closes a connection and waits until its process can be lent again.
func giveBack(p *Pool, c *Conn) {
	c.Close()
	p.work.Wait()
}

// A statement of the same scope finds the instance of the last one, and opens none; one of another scope does not, and
// comes back to its own. No process is started but the two, and the one that waits unconfined.
func TestAConfinedInstanceServesItsScopeAgain(t *testing.T) {
	p := sandboxes(t)
	first := map[int]*process{}
	started := map[*process]bool{}
	for turn := range 4 {
		for _, number := range []int{1, 2} {
			asked := p.Asked()
			c, one := lock(t, p, scoped(number))
			if turn > 0 && (first[number] != one || p.Asked()-asked > 2) {
				t.Errorf("turn %d: the same process %v; locking took %d requests", turn, first[number] == one, p.Asked()-asked)
			}
			first[number] = one
			if got := ask(t, c); got != int64(number) {
				t.Errorf("the view of scope %d has %d", number, got)
			}
			giveBack(p, c)
			for one := range p.running {
				started[one] = true
			}
		}
	}
	if len(started) > 3 {
		t.Errorf("%d processes were started", len(started))
	}
}

// An instance is renewed after a bounded number of statements, and the scope goes on.
func TestAConfinedInstanceIsRenewed(t *testing.T) {
	p := sandboxes(t)
	for i := range maxReads + 2 {
		c, _ := lock(t, p, scoped(7))
		if got := ask(t, c); got != 7 {
			t.Fatalf("statement %d: %d", i, got)
		}
		giveBack(p, c)
	}
}

// Views of very many files take more memory than an instance may hold while it waits. Their statement is served all the
// same, and the next one gets another process.
func TestAScopeThatTakesMuchMemoryIsServed(t *testing.T) {
	p := sandboxes(t)
	large := scoped(8)
	large.Setup = append(large.Setup, fmt.Sprintf("CREATE TABLE given.much AS SELECT repeat('x', %d) AS text", 2*maxKept))
	for range 2 {
		c, _ := lock(t, p, large)
		if got := ask(t, c); got != 8 {
			t.Errorf("%d", got)
		}
		giveBack(p, c)
	}
}

// hostile is what would stay behind in an instance, or reach out of it.
var hostile = []string{
	"CREATE TABLE left_behind AS SELECT 42 AS n", "CREATE VIEW given.left_behind AS SELECT 42 AS n",
	"CREATE TEMP TABLE left_behind AS SELECT 42 AS n", "CREATE TEMP VIEW number AS SELECT 42 AS n",
	"CREATE OR REPLACE VIEW given.number AS SELECT 42 AS n", "DROP VIEW given.number", "CREATE MACRO left_behind() AS 42",
	"CREATE TEMP MACRO left_behind() AS 42", "CREATE SEQUENCE left_behind", "CREATE TYPE left_behind AS ENUM ('a')",
	"CREATE SCHEMA left_behind", "SET VARIABLE left_behind = 42", "PREPARE left_behind AS SELECT 42",
	"ATTACH ':memory:' AS left_behind", "USE system", "SET search_path = 'main'", "SET TimeZone = 'Asia/Tokyo'",
	"SET GLOBAL TimeZone = 'Asia/Tokyo'", "BEGIN TRANSACTION", "COMMIT", "PRAGMA disable_optimizer", "CHECKPOINT",
	"PRAGMA enable_profiling", "COMMENT ON VIEW given.number IS '42'", "CALL enable_logging()", "LOAD httpfs",
	"SELECT 1; CREATE TABLE left_behind AS SELECT 42 AS n", "CREATE TABLE left_behind (n INT); SELECT 1",
	"EXPLAIN ANALYZE SELECT 1", "COPY (SELECT 42) TO '/tmp/left_behind'", "RESET threads", "VACUUM",
}

// A confined sandbox runs single SELECT statements and nothing else, whichever way it is asked.
func TestAConfinedSandboxRunsNothingButSelect(t *testing.T) {
	p := sandboxes(t)
	for _, query := range hostile {
		c, _ := lock(t, p, scoped(7))
		_, err := c.Exec(t.Context(), query)
		_, asBatch := c.Batch(t.Context(), query)
		_, asParameters := c.Parameters(t.Context(), query)
		for _, err := range []error{err, asBatch, asParameters} {
			if err == nil {
				t.Errorf("%s was run", query)
			}
		}
		giveBack(p, c)
		c, _ = lock(t, p, scoped(7))
		if got := ask(t, c); got != 7 {
			t.Errorf("after %s the view has %d", query, got)
		}
		giveBack(p, c)
	}
}

// traces are statements that find what the hostile ones would leave, each with what it returns where there is nothing.
var traces = map[string]string{
	"SELECT CAST(getvariable('left_behind') AS VARCHAR) IS NULL":                                              "true",
	"SELECT count(*) = 0 FROM duckdb_tables()":                                                                "true",
	"SELECT count(*) = 1 AND min(view_name) = 'number' FROM duckdb_views() WHERE NOT internal":                "true",
	"SELECT count(*) = 0 FROM duckdb_functions() WHERE function_name = 'left_behind'":                         "true",
	"SELECT count(*) = 0 FROM duckdb_sequences()":                                                             "true",
	"SELECT count(*) = 0 FROM duckdb_types() WHERE type_name = 'left_behind'":                                 "true",
	"SELECT count(*) = 0 FROM duckdb_schemas() WHERE schema_name = 'left_behind'":                             "true",
	"SELECT count(*) = 3 FROM duckdb_databases()":                                                             "true",
	"SELECT count(*) = 0 FROM duckdb_prepared_statements() WHERE name = 'left_behind'":                        "true",
	"SELECT current_setting('search_path') = 'given' AND current_setting('TimeZone') = 'UTC'":                 "true",
	"SELECT current_setting('lock_configuration') AND NOT current_setting('enable_external_access')::BOOLEAN": "true",
}

// Even if clients' statements could do more, what lives in a connection would not reach the next one.
func TestTheNextBorrowerHasAConnectionOfItsOwn(t *testing.T) {
	c := &child{}
	if err := c.open(Limits{Threads: 1, TempDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	defer c.db.Close()
	if err := c.lock(locking{strings.Join(scoped(7).Setup, ";"), scoped(7).Session, lockTo(nil)}); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, query := range []string{
		"CREATE TEMP TABLE left_behind AS SELECT 42 AS n", "CREATE TEMP VIEW number AS SELECT 42 AS n",
		"CREATE TEMP MACRO left_behind() AS 42", "SET VARIABLE left_behind = 42", "PREPARE left_behind AS SELECT 42",
		"BEGIN TRANSACTION", "SELECT setseed(0.5)",
	} {
		c.conn.reads = false // as if it could do more
		if _, err := c.conn.exec(ctx, query); err != nil {
			t.Fatal(query, err)
		}
		if err := c.next(); err != nil {
			t.Fatal(query, err)
		}
		for trace, want := range traces {
			got := ""
			err := c.conn.rows(ctx, trace, func(scan Scan) error { return scan(&got) })
			if err != nil || got != want {
				t.Errorf("after %s, %s is %s, %v", query, trace, got, err)
			}
		}
	}
	c.broken = true
	if err := c.next(); !errors.Is(err, errBroken) {
		t.Errorf("an instance that is unusable is kept: %v", err)
	}
}

// Statements that are not confined for others get an instance of their own, and leave none.
func TestAScopeThatIsNotKept(t *testing.T) {
	p := sandboxes(t)
	kept, confined := lock(t, p, scoped(7))
	giveBack(p, kept)
	once := scoped(7)
	once.Keep = false
	c, one := lock(t, p, once)
	if one == confined {
		t.Error("it is in an instance of an earlier statement")
	}
	if _, err := c.Batch(t.Context(), "CREATE TEMP TABLE own AS SELECT 1"); err != nil {
		t.Error(err)
	}
	giveBack(p, c)
	if n := p.waiting(isConfined); n != 1 {
		t.Errorf("%d confined processes wait", n)
	}
	// What Take lends may be confined; where something is to be made first, it is exchanged.
	c, _ = take(t, p)
	if err := c.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(t.Context(), "CREATE TABLE own AS SELECT 1"); err != nil {
		t.Error(err)
	}
	giveBack(p, c)
}

// No more than a few confined processes wait, those that were used last.
func TestConfinedProcessesAreBounded(t *testing.T) {
	p := sandboxes(t)
	for n := range maxConfined + 2 {
		c, _ := lock(t, p, scoped(n))
		p.work.Wait() // the one that was exchanged waits again
		giveBack(p, c)
	}
	var scopes []string
	for _, one := range p.ready {
		if isConfined(one) {
			_, number, _ := strings.Cut(one.scope, "SELECT ")
			scopes = append(scopes, number[:1])
		}
	}
	if want := []string{"2", "3", "4", "5"}; !slices.Equal(scopes, want) {
		t.Errorf("those of %v wait, not %v", scopes, want)
	}
	if n := len(p.running); n > maxConfined+maxReady {
		t.Errorf("%d processes run", n)
	}
	for p.drop(isConfined) {
	}
	if n := p.waiting(isConfined); n != 0 {
		t.Errorf("%d confined processes wait after all were dropped", n)
	}
}

// Where memory is short, what only waits goes first.
func TestWhatWaitsMakesRoom(t *testing.T) {
	p := sandboxes(t)
	c, waits := lock(t, p, scoped(1))
	giveBack(p, c)
	c, lent := lock(t, p, scoped(2))
	defer c.Close()
	p.work.Wait() // the one that was exchanged waits again
	endLargest(1, []*Pool{p})
	if !waits.killed.Load() || lent.killed.Load() {
		t.Errorf("the one that waits was ended: %v; the one that is lent: %v", waits.killed.Load(), lent.killed.Load())
	}
	endLargest(1, []*Pool{p})
	if !lent.killed.Load() {
		t.Error("the one that is lent was not ended when nothing waited")
	}
}

// A process that dies while it waits, or whose statement is cancelled, is lent to no one.
func TestAConfinedProcessThatDied(t *testing.T) {
	p := sandboxes(t)
	c, one := lock(t, p, scoped(7))
	giveBack(p, c)
	if err := one.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitUntilEnded(t, one)
	c, second := lock(t, p, scoped(7))
	if second == one || ask(t, c) != 7 {
		t.Errorf("the dead process was lent: %v", second == one)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Batch(ctx, "SELECT n FROM number"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	giveBack(p, c)
	c, third := lock(t, p, scoped(7))
	if third == second || ask(t, c) != 7 {
		t.Errorf("the process of a cancelled statement was lent: %v", third == second)
	}
	giveBack(p, c)
}
