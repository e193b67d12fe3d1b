//go:build duckdb_arrow

package duck

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// scan reads row i of a batch into dest: *string, *int64, *float64 or *bool.
func scan(batch arrow.RecordBatch, i int, dest []any) error {
	if len(dest) != int(batch.NumCols()) {
		return fmt.Errorf("a row has %d columns, not %d", batch.NumCols(), len(dest))
	}
	for k, d := range dest {
		if !scanValue(batch.Column(k), i, d) {
			return fmt.Errorf("column %d is %s or null and can't be read as %T", k, batch.Column(k).DataType(), d)
		}
	}
	return nil
}

func scanValue(column arrow.Array, i int, dest any) bool {
	if column.IsNull(i) {
		return false
	}
	switch c := column.(type) {
	case *array.String:
		if d, ok := dest.(*string); ok {
			*d = strings.Clone(c.Value(i))
			return true
		}
	case *array.Int64:
		return setInt(dest, c.Value(i))
	case *array.Int32:
		return setInt(dest, int64(c.Value(i)))
	case *array.Float64:
		if d, ok := dest.(*float64); ok {
			*d = c.Value(i)
			return true
		}
	case *array.Boolean:
		if d, ok := dest.(*bool); ok {
			*d = c.Value(i)
			return true
		}
	}
	return false
}

// setInt sets an *int64, also from INTEGER, which is DuckDB's type for small integer literals. database/sql widens them
// too.
func setInt(dest any, n int64) bool {
	d, ok := dest.(*int64)
	if ok {
		*d = n
	}
	return ok
}
