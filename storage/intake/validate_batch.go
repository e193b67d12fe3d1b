package intake

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
)

// ValidateBatch checks a batch of another program's in full, before DuckDB reads it: offsets that point outside their
// buffers would crash the process.
func ValidateBatch(b arrow.RecordBatch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed batch: %v", p)
		}
	}()
	for i, column := range b.Columns() {
		if err := validate(column); err != nil {
			return fmt.Errorf("column %q: %w", b.ColumnName(i), err)
		}
	}
	return nil
}
