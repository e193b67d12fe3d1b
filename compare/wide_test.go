package compare_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/compare"
	"github.com/rowback/rowback/storage"
)

// Records with many columns are compared in slices of columns: a record that differs in several slices counts once.
func TestManyColumnsAreCompared(t *testing.T) {
	const n = 1000
	record := func(id int, changed map[int]int) string {
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprintf(`"c%d":%d`, i, i+changed[i])
		}
		return fmt.Sprintf(`{"part":"p%d","id":%d,%s}`, id%2, id, strings.Join(values, ","))
	}
	b := open(t)
	d := b.create(storage.NewDataset{Name: "wide", Key: []string{"part", "id"}})
	first, last, both := map[int]int{0: 1}, map[int]int{n - 1: 1}, map[int]int{0: 2, n - 1: 2}
	list := func(records ...string) string { return "[" + strings.Join(records, ",") + "]" }
	from := b.commit(d, "append", list(record(1, nil), record(2, nil), record(3, nil), record(4, nil), record(5, nil)))
	b.commit(d, "upsert", list(record(5, both), record(1, first), record(2, last), record(3, both), record(6, nil)))
	b.commit(d, "upsert", list(record(5, nil))) // the first values again, in another file
	to := b.commit(d, "delete", `[{"part":"p0","id":4}]`)
	for _, at := range [][2]string{{from, to}, {to, from}} {
		s := b.summary(d, at[0], at[1])
		want := compare.Comparison{
			EntriesAdded: 1, EntriesRemoved: 1, EntriesModified: 3, TotalEntriesV1: 5, TotalEntriesV2: 5,
		}
		got := compare.Comparison{
			EntriesAdded: s.EntriesAdded, EntriesRemoved: s.EntriesRemoved, EntriesModified: s.EntriesModified,
			TotalEntriesV1: s.TotalEntriesV1, TotalEntriesV2: s.TotalEntriesV2,
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || fmt.Sprint(s.Columns) != "map[c0:2 c999:2]" {
			t.Errorf("from %s to %s: %+v, by column %v", at[0], at[1], got, s.Columns)
		}
	}
	lines := strings.Split(b.diff(d, from, to), "\n")
	if len(lines) != 5 {
		t.Errorf("the diff has %d records", len(lines))
	}
}
