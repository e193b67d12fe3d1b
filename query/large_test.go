package query_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage"
)

// series joins the results of f for the numbers from first to last.
func series(first, last int, between string, f func(i int) string) string {
	parts := make([]string, 0, last-first+1)
	for i := first; i <= last; i++ {
		parts = append(parts, f(i))
	}
	return strings.Join(parts, between)
}

func nested(open, inside, end string, times int) string {
	return strings.Repeat(open, times) + inside + strings.Repeat(end, times)
}

// Statements that would take DuckDB long to plan are refused; statements that are merely long are not.
func TestLargeStatements(t *testing.T) {
	w := open(t)
	doubled := func(how string, levels int) string {
		return "WITH c0 AS (SELECT 1 AS x), " + series(1, levels, ", ", func(i int) string {
			return fmt.Sprintf("c%d AS %s (SELECT a.x FROM c%d a JOIN c%d b USING (x))", i, how, i-1, i-1)
		}) + fmt.Sprintf(" SELECT count(*) AS n FROM c%d", levels)
	}
	aliases := func(levels int) string {
		return "SELECT id AS a0, " + series(1, levels, ", ",
			func(i int) string { return fmt.Sprintf("a%d + a%d AS a%d", i-1, i-1, i) }) + " FROM employees"
	}
	chain := func(levels int) string {
		return "WITH c0 AS (SELECT 1 AS x), " + series(1, levels, ", ", func(i int) string {
			return fmt.Sprintf("c%d AS (SELECT *, x + %d AS y%d FROM c%d)", i, i, i, i-1)
		}) + fmt.Sprintf(" SELECT x AS n FROM c%d", levels)
	}
	for name, c := range map[string]struct{ sql, says string }{
		"queries written out": {doubled("NOT MATERIALIZED", 40), "more than 1000 times"},
		"* beside *":          {nested("SELECT *, * FROM (", "SELECT 1", ")", 19), "more than 10000 columns"},
		"* in CTEs": {
			"WITH c0 AS (SELECT 1 AS x), " + series(1, 30, ", ",
				func(i int) string { return fmt.Sprintf("c%d AS (SELECT *, * FROM c%d)", i, i-1) }) + " SELECT 1 FROM c30",
			"more than 10000 columns"},
		"columns of the result": {"SELECT " + series(1, 10_001, ", ", func(i int) string { return "1" }),
			"10000 columns"},
		"lists in lists":           {"SELECT " + nested("[", "1", "]", 300), "more than 40 types"},
		"aliases of aliases":       {aliases(40), "more than 5000 others"},
		"queries in queries":       {nested("SELECT * FROM (", "SELECT 1", ")", 51), "more than 50 deep"},
		"subqueries in subqueries": {"SELECT " + nested("(SELECT ", "1", ")", 20), "more than 15 deep"},
		"a sum of many": {
			"SELECT " + series(1, 900, " + ", func(int) string { return "id" }) + " FROM employees", "more than 400 parts"},
		"calls of calls": {"SELECT " + nested("abs(", "id", ")", 450) + " FROM employees",
			"more than 400 parts"},
		"brackets": {"SELECT " + nested("(", "id", ")", 501) + " FROM employees",
			"more than 500 brackets"},
		"parts":                     {"SELECT " + strings.Repeat("1,", 200_000) + "1", "too many parts"},
		"queries that are named":    {doubled("", 40), ""},
		"a chain":                   {chain(100), ""},
		"aliases":                   {aliases(8), ""},
		"queries in queries, a few": {nested("SELECT * FROM (", "SELECT 1", ")", 45), ""},
		"a long list": {
			"SELECT count(*) AS n FROM employees WHERE id IN (" + series(1, 50_000, ", ",
				func(i int) string { return fmt.Sprint(i) }) + ")",
			""},
		"a long disjunction": {
			"SELECT count(*) AS n FROM employees WHERE " + series(1, 3_000, " OR ",
				func(i int) string { return fmt.Sprint("id = ", i) }),
			""},
		"many rows": {
			"SELECT count(*) AS n FROM (VALUES " + series(1, 5_000, ", ",
				func(i int) string { return fmt.Sprintf("(%d, 'x')", i) }) + ")",
			""},
		"a union of many": {
			series(1, 300, " UNION ALL ", func(i int) string { return fmt.Sprintf("SELECT * FROM employees WHERE id = %d", i) }),
			""},
		"versions, joined many times": {
			"SELECT count(*) AS n FROM employees " + series(1, 60, " ",
				func(i int) string { return fmt.Sprintf(`JOIN "employees@%d" e%d USING (id)`, i%3+1, i) }),
			""},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := w.ask(context.Background(), query.Statement{SQL: c.sql})
			switch {
			case c.says == "" && err != nil:
				t.Error(storage.Explain(err))
			case c.says != "" && (err == nil || storage.Explain(err).Code != "too_complex" ||
				!strings.Contains(err.Error(), c.says)):
				t.Errorf("got %v", err)
			}
		})
	}
}
