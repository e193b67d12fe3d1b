package snapshot

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// Rows whose values are known are read from a statement, which has the values of its own columns and no others. Where
// that would be long, they are read by one scan of their file, unless they are few of the many that it has.
func TestHowPickedRowsAreRead(t *testing.T) {
	const columns = 600
	whole := with(data(1))
	for id := 3; id <= columns; id++ {
		c := schema.Column{ID: id, Name: fmt.Sprint("name", id), Type: schema.Of(schema.Bigint)}
		whole.Schema.Columns = append(whole.Schema.Columns, c)
	}
	whole.Schemas["s"] = whole.Schema
	found := func(fileRows int64, rows ...int64) *Snapshot {
		f := data(1)
		f.Rows = fileRows
		var list []Found
		for _, row := range rows {
			values := map[int]string{schema.CommitID: "7 AS _commit"}
			for _, c := range whole.Schema.Columns {
				values[c.ID] = fmt.Sprintf("%d AS %s", row, c.Name)
			}
			list = append(list, Found{Part: PartsOf([]*catalog.File{f})[0], Row: row, Place: Place{1, row}, Values: values})
		}
		return whole.Picked(list)
	}
	for _, c := range []struct {
		name          string
		s             *Snapshot
		scans, values int
	}{
		{"one", found(10, 4), 0, 1},
		{"two", found(10, 4, 6), 1, 0},
		{"two, in few columns", found(10, 4, 6).Narrow(whole.Schema.Columns[1:3]), 0, 2},
		{"two of many", found(1e6, 4, 6), 0, 2},
	} {
		sql := c.s.Rows(true)
		scans, values := strings.Count(sql, "read_parquet"), strings.Count(sql, "7 AS _commit")
		if scans != c.scans || values != c.values || len(c.s.pickedFiles()) != scans {
			t.Errorf("%s: %d scans, %d rows of values, %d files", c.name, scans, values, len(c.s.pickedFiles()))
		}
		for _, column := range whole.Schema.Columns {
			has := slices.ContainsFunc(c.s.Schema.Columns, func(own schema.Column) bool { return own.ID == column.ID })
			if !has && strings.Contains(sql, column.Name+",") {
				t.Fatalf("%s: the statement has a value of %s", c.name, column.Name)
			}
		}
	}
}
