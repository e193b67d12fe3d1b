package query_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/output"
)

// rows reads a result to its end, and returns how many rows each batch has.
func rows(t *testing.T, w *world, s query.Statement, most int64) (sizes []int64, cut output.Cut) {
	t.Helper()
	s.Project = 1
	r, err := query.Open(context.Background(), w.Store, s, most)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		b, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return sizes, r.Cut()
		}
		sizes = append(sizes, b.NumRows())
		b.Release()
	}
}

func TestBatchesAreLargeAndBounded(t *testing.T) {
	w := open(t)
	three := int64(3)
	for _, c := range []struct {
		s    query.Statement
		most int64
		want string
		cut  output.Cut
	}{
		{query.Statement{SQL: "SELECT id FROM employees"}, 1 << 20, "[3]", output.Whole},
		{query.Statement{SQL: "SELECT id FROM employees WHERE id < 0"}, 1 << 20, "[]", output.Whole},
		{query.Statement{SQL: "SELECT range AS n FROM range(200000)"}, 64 << 20, "[65536 65536 65536 3392]", output.Whole},
		{query.Statement{SQL: "SELECT range AS n FROM range(100000)"}, 320 << 10, "[40960 40960 18080]", output.Whole},
		{query.Statement{SQL: "SELECT range AS n FROM range(100)", Limit: &three}, 1 << 20, "[3]", output.AtLimit},
		{query.Statement{SQL: "SELECT range AS n FROM range(3)", Limit: &three}, 1 << 20, "[3]", output.Whole},
		{query.Statement{SQL: "SELECT range AS n FROM range(100000)", Bytes: 1}, 320 << 10, "[40960]", output.AtBytes},
		{query.Statement{SQL: "SELECT repeat('x', 100000) AS wide FROM range(8)"}, 250_000, "[2 2 2 2]", output.Whole},
		{query.Statement{SQL: "SELECT repeat('x', 100000) AS wide FROM range(3)"}, 1000, "[1 1 1]", output.Whole},
		{query.Statement{SQL: "SELECT repeat('x', 100000) AS wide FROM range(8)", Bytes: 300_000}, 250_000, "[2 2]",
			output.AtBytes},
	} {
		sizes, cut := rows(t, w, c.s, c.most)
		if fmt.Sprint(sizes) != c.want || cut != c.cut {
			t.Errorf("%s, most %d: batches of %v rows, cut %q; want %s, %q", c.s.SQL, c.most, sizes, cut, c.want, c.cut)
		}
	}
}

func TestAStatementKeepsItsMeaning(t *testing.T) {
	w := open(t)
	for _, c := range []struct{ sql, then string }{
		{`SELECT count(*) AS n FROM employees`, `{"n":3}`},
		{`SELECT count(*) AS n FROM "employees@head"`, `{"n":3}`},
		{`SELECT count(*) AS n FROM "1".datasets.employees`, `{"n":3}`},
		{`SELECT count(*) AS n FROM "employees@1.0.1..head"`, `{"n":1}`},
	} {
		s := query.Statement{SQL: c.sql, Project: 1}
		look, err := query.Describe(context.Background(), w.Store, s)
		w.done(err)
		w.commit(w.find("employees"), catalog.Append, fmt.Sprintf(`[{"id":%d}]`, 100+w.ids.Add(1)))
		s.Meaning = look.Meaning
		if got, _, err := w.ask(context.Background(), s); err != nil || got != c.then {
			t.Errorf("%s: %s, %v; want %s, as of the look", c.sql, got, err, c.then)
		}
		w.undo("employees")
	}
}

func TestAMeaningOfAnotherProjectIsRefused(t *testing.T) {
	w := open(t)
	salaries, err := w.FindDataset(context.Background(), 2, "salaries")
	w.done(err)
	_, _, err = w.ask(context.Background(),
		query.Statement{SQL: "SELECT * FROM employees", Meaning: query.Meaning{"employees": salaries.ID + "@1"}})
	if err == nil {
		t.Error("a statement has read a dataset of another project")
	}
}

func TestTheShapeIsThatOfTheResult(t *testing.T) {
	w := open(t)
	for _, sql := range []string{
		"SELECT * FROM employees", `SELECT * FROM "employees@1.0.0..1.0.1"`, `SELECT * FROM "team members"`,
		"SELECT * FROM nothing",
		"SELECT * FROM rowback.commits", "SELECT 1::HUGEINT AS a, NULL AS b, 'x'::ENUM('x') AS c, [1.5] AS d, now() AS e",
	} {
		s := query.Statement{SQL: sql, Project: 1}
		told, err := query.Describe(context.Background(), w.Store, s)
		w.done(err)
		r, err := query.Open(context.Background(), w.Store, s, 1<<20)
		w.done(err)
		if !told.Schema.Equal(r.Schema()) {
			t.Errorf("%s: told %s, and it is %s", sql, told.Schema, r.Schema())
		}
		r.Close()
	}
}

func TestTablesHaveTheSchemasOfQueries(t *testing.T) {
	w := open(t)
	for _, name := range []string{"employees", "team members", "nothing"} {
		s, err := w.State(context.Background(), w.find(name), "")
		w.done(err)
		tables, err := query.Tables(context.Background(), w.Store, tablesOf(s.TableColumns()))
		w.done(err)
		w.sameSchema(fmt.Sprintf("SELECT * FROM %q", name), tables[0])
	}
	for name, columns := range query.CatalogTables() {
		tables, err := query.Tables(context.Background(), w.Store, tablesOf(columns))
		w.done(err)
		w.sameSchema("SELECT * FROM rowback."+name, tables[0])
	}
}

func (w *world) sameSchema(sql string, told *arrow.Schema) {
	w.Helper()
	shape, err := query.Describe(context.Background(), w.Store, query.Statement{SQL: sql, Project: 1})
	w.done(err)
	if !told.Equal(shape.Schema) {
		w.Errorf("%s: the table is told as %s, and the result is %s", sql, told, shape.Schema)
	}
}

func TestAStatementIsCheckedWithoutValues(t *testing.T) {
	w := open(t)
	for _, c := range []struct{ sql, want string }{
		{"SELECT id FROM employees WHERE id = ? AND pay > ?", "1 int64, 2 float64, id"},
		{"SELECT id FROM employees WHERE city = $city", "city utf8, id"},
		{"SELECT id FROM employees WHERE ? IS NULL", "1 null, id"},
		{"SELECT nosuch FROM employees WHERE id = ?",
			`invalid_sql Line 1, column 8: The SQL can't be run: Referenced column "nosuch" not found in FROM clause. ` +
				`Candidate bindings: "shout". line=1 column=8`},
	} {
		got := ""
		shape, err := query.Check(context.Background(), w.Store, query.Statement{SQL: c.sql, Project: 1})
		if err != nil {
			got = told(err)
		} else {
			for _, p := range shape.Parameters {
				got += fmt.Sprintf("%s %s, ", p.Name, p.Type)
			}
			got += shape.Schema.Field(0).Name
		}
		if got != c.want {
			t.Errorf("%s: %s; want %s", c.sql, got, c.want)
		}
	}
}
