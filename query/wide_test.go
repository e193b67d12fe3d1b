package query_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// All columns of a wide dataset are selected with the memory that their rows take, also where some were displaced.
func TestManyColumnsOfAVersionAreSelected(t *testing.T) {
	const columns = 3000
	w := empty(t, storage.Options{Memory: 7 << 30})
	d := w.create(1, "wide", "id")
	record := func(id, shift int) string {
		value := func(i int) string { return fmt.Sprintf(`"c%d":%d`, i, i+shift) }
		return fmt.Sprintf(`{"id":%d,`, id) + series(1, columns, ",", value) + "}"
	}
	w.commit(d, catalog.Append, "["+record(1, 0)+","+record(2, 0)+"]")
	w.commit(d, catalog.Upsert, "["+record(2, 5)+"]")
	got, _, err := w.ask(context.Background(), query.Statement{SQL: "SELECT * FROM wide ORDER BY id"})
	w.done(err)
	if want := fmt.Sprintf(`"c%d":%d`, columns, columns+5); strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
		t.Errorf("%d bytes without %s", len(got), want)
	}
}
