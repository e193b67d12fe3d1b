package query_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage"
)

// counted asks for the number of records of a table.
func counted(t *testing.T, w *world, table string, want int) {
	t.Helper()
	got, _, err := w.ask(context.Background(), query.Statement{SQL: "SELECT count(*) AS n FROM " + table})
	if got != fmt.Sprintf(`{"n":%d}`, want) {
		t.Errorf("%s has %s, %v, and not %d", table, got, err, want)
	}
}

// A sandbox that is kept for a state is not used for another one: the head moves, back too, and each ref that has been
// asked for before is asked for again.
func TestStatementsReadTheStateThatTheyName(t *testing.T) {
	w := empty(t, storage.Options{})
	id := w.create(1, "t", "id")
	for i := range 6 {
		w.commit(id, "append", fmt.Sprintf(`[{"id":%d}]`, i))
		w.version(id, "major")
		for range 2 {
			counted(t, w, "t", i+1)
			counted(t, w, `"t@1.0.0"`, 1)
			counted(t, w, fmt.Sprintf(`"t@%d.0.0"`, i/2+1), i/2+1)
			counted(t, w, `"1".datasets.t`, i+1)
			counted(t, w, `t, rowback.datasets`, i+1)
			counted(t, w, fmt.Sprintf(`"t@1.0.0..%d.0.0"`, i+1), i)
		}
	}
	w.undo("t")
	counted(t, w, "t", 5)
	counted(t, w, `"t@6.0.0"`, 6)
	w.commit(id, "delete", `[{"id":0},{"id":1}]`)
	counted(t, w, "t", 3)
}

// A statement of the same tables as one before costs no process and no instance, whatever it says of them; nor does a
// condition on them that is asked for again.
func TestAStatementOfTheSameTablesOpensNoInstance(t *testing.T) {
	w := empty(t, storage.Options{})
	id := w.create(1, "t", "id")
	w.commit(id, "append", `[{"id":1,"n":2}]`)
	pool := w.Sandboxes.Pool
	ask := func(sql string) {
		if _, _, err := w.ask(context.Background(), query.Statement{SQL: sql}); err != nil {
			t.Fatal(err)
		}
	}
	filter := func() {
		snap, err := w.Snapshot(context.Background(), id, "head")
		w.done(err)
		box, err := w.Filter(context.Background(), snap, false, nil)
		w.done(err)
		w.done(box.Close())
	}
	ask("SELECT n FROM t")
	filter()
	var before int64
	for opened := int64(-1); before != opened; time.Sleep(50 * time.Millisecond) { // what is started ahead is there
		before, opened = pool.Opened(), before
	}
	for range 6 {
		ask("SELECT count(*) AS n FROM t")
		ask("SELECT sum(n) AS n FROM t WHERE id > 0")
		ask(`SELECT a.n FROM t a JOIN "t" b USING (id)`)
		filter()
	}
	// Where the next statement comes before the sandbox is ready again, another process is taken, and one is started
	// ahead, until a few wait.
	if opened := pool.Opened() - before; opened > 4 {
		t.Errorf("%d instances were opened", opened)
	}
}
