package query_test

import (
	"context"
	"testing"

	"rowback/query"
	"rowback/storage"
	"rowback/storage/fault"
)

// Whatever SQL a client sends is answered or refused with a sentence: we parse names, AT and parameters ourselves.
func FuzzStatement(f *testing.F) {
	for _, text := range []string{
		"SELECT 1", "SELECT * FROM employees AT (VERSION => '1.0.0')", `FROM "employees@head~1"`, "SELECT $1, $name",
		"SELECT ?, ?",
		"WITH a AS (FROM employees) FROM a", "SELECT * FROM rowback.datasets", "FROM employees AT (TIMESTAMP => now())",
		"SELECT '", "((((", "--", ";",
		"SELECT 1e999999", "SELECT * FROM employees AT (VERSION => $v)", `FROM "1"."employees@"`, "PIVOT employees ON city",
		"\x00",
	} {
		f.Add(text)
	}
	w := open(f)
	f.Fuzz(func(t *testing.T, text string) {
		for _, look := range []func(context.Context, *storage.Store,
			query.Statement) (query.Shape, error){query.Check, query.Describe} {
			if _, err := look(context.Background(), w.Store, query.Statement{SQL: text, Project: 1}); err != nil &&
				fault.KindOf(storage.Explain(err)) == fault.Internal {
				t.Fatal(err)
			}
		}
	})
}
