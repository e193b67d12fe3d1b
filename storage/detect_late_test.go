package storage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
)

// The type of a column of a CSV takes all of its values, however late the one comes that decides it: after the records
// that are looked at first, after those that are looked at next, or after both, twice.
func TestTheTypeOfAColumnIsThatOfItsLastValue(t *testing.T) {
	t.Parallel()
	const columns, first, next, rows = 40, 6_000, 10_300, 10_600 // 5,000 records are looked at first, then 10,000
	b := open(t)
	d := b.Create("late", "id")
	var text strings.Builder
	text.WriteString("id,whole,early,then,last,twice,empty")
	for i := range columns - 7 {
		fmt.Fprintf(&text, ",c%d", i)
	}
	for row := range rows {
		pick := func(at int, there, before string) string {
			if row >= at {
				return there
			}
			return before
		}
		fmt.Fprintf(&text, "\n%d,%d,%s,%s,%s,%s,%s%s", row, row, pick(100, "1.5", "1"), pick(first, "1.5", "1"),
			pick(next, "x", "1"), pick(next, "x", pick(first, "1.5", "1")), pick(next, "2024-01-01", ""),
			strings.Repeat(",7", columns-7))
	}
	b.Put(d, catalog.Append, intake.CSV, text.String())
	snap, err := b.Snapshot(context.Background(), d, "head")
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, c := range snap.Schema.Columns {
		types = append(types, c.Type.SQL())
	}
	got, want := strings.Join(types[:8], " "), "BIGINT BIGINT DOUBLE DOUBLE VARCHAR VARCHAR DATE BIGINT"
	if got != want {
		t.Errorf("the types are %s, not %s", got, want)
	}
}
