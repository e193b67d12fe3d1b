package query_test

import (
	"context"
	"testing"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
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
		s := query.Statement{SQL: text, Project: 1}
		answered := func(err error) bool {
			if err != nil && fault.KindOf(storage.Explain(err)) == fault.Internal {
				t.Fatal(err)
			}
			return err == nil
		}
		// Each of the two opens a sandbox, which takes longer than all the rest: what is refused once is not asked again.
		_, err := query.Check(context.Background(), w.Store, s)
		if !answered(err) {
			return
		}
		_, err = query.Describe(context.Background(), w.Store, s)
		answered(err)
	})
}
