package clientsql

import (
	"context"
	"slices"
	"testing"

	"github.com/rowback/rowback/storage/duck"
)

// Every function of this version of DuckDB is classified: an upgrade with new functions fails here until they are in
// functions.txt.
func TestEveryFunctionIsClassified(t *testing.T) {
	ctx := context.Background()
	pool := duck.NewPool(func() duck.Limits { return duck.Limits{Threads: 1} })
	defer pool.Close()
	box, err := pool.Take(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	allowed, refused := functions()
	if len(allowed) < 400 || len(refused) < 100 {
		t.Fatalf("functions.txt has %d that compute and %d others", len(allowed), len(refused))
	}
	have := map[string]bool{}
	query := `SELECT DISTINCT lower(function_name), function_type IN ('scalar', 'aggregate', 'macro')
		FROM duckdb_functions()`
	err = box.Rows(ctx, query, func(scan duck.Scan) error {
		var name string
		var called bool
		err := scan(&name, &called)
		have[name] = true
		if called && slices.Contains(allowed, name) == slices.Contains(refused, name) {
			t.Errorf("%s must be in one of the two lists of functions.txt", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Concat(allowed, refused) {
		if !have[name] {
			t.Errorf("DuckDB has no function %s", name)
		}
	}
	for _, name := range pureTables {
		if !slices.Contains(allowed, name) {
			t.Errorf("%s is a table function that computes, and is not among them in functions.txt", name)
		}
	}
}
