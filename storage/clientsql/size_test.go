package clientsql

import (
	"context"
	"testing"
)

// The size of a statement is what DuckDB would plan: a named query counts where it is named, and is written out there
// with NOT MATERIALIZED; * is the columns of the FROM; a name is not seen outside the query that gives it.
func TestStatementsAreMeasured(t *testing.T) {
	box := sandbox(t)
	for sql, want := range map[string]size{
		"SELECT 1":                         {0, 1},
		"SELECT *, 1, 2 FROM d":            {1, 3},
		"SELECT * FROM d JOIN e USING (k)": {2, 2},
		"WITH a AS (SELECT 1, 2 FROM d, e) SELECT * FROM a":                       {1, 2},
		"WITH a AS NOT MATERIALIZED (SELECT 1, 2 FROM d, e) SELECT * FROM a x, a": {6, 4},
		"WITH a AS (SELECT 1, 2, 3), b AS (SELECT *, 4 FROM a) SELECT * FROM b":   {1, 4},
		"SELECT 1, 2 FROM d UNION SELECT 1, 2 FROM e":                             {2, 2},
		"SELECT (SELECT count(*) FROM d), 2 FROM e WHERE k IN (SELECT k FROM f)":  {3, 2},
		"SELECT * FROM (WITH a AS (SELECT 1, 2) SELECT * FROM a), a":              {2, 3},
		"SELECT 1 FROM d GROUP BY ALL ORDER BY (SELECT max(k) FROM e)":            {2, 1},
	} {
		n, err := parse(context.Background(), box, sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		all := &sizing{inlined: notMaterialized.MatchString(sql), named: map[string]size{}}
		if err := walk(all, n); err != nil || all.parts != want {
			t.Errorf("%s: %+v, not %+v (%v)", sql, all.parts, want, err)
		}
	}
}
