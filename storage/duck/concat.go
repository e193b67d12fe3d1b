//go:build duckdb_arrow

package duck

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Concat joins batches of one schema into one, which the caller releases. Without batches the result is empty.
func Concat(schema *arrow.Schema, batches []arrow.RecordBatch) (arrow.RecordBatch, error) {
	if len(batches) == 1 {
		batches[0].Retain()
		return batches[0], nil
	}
	if len(batches) == 0 {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		defer b.Release()
		return b.NewRecordBatch(), nil
	}
	var rows int64
	for _, b := range batches {
		rows += b.NumRows()
	}
	columns := make([]arrow.Array, schema.NumFields())
	defer func() {
		for _, c := range columns {
			if c != nil {
				c.Release()
			}
		}
	}()
	for i := range columns {
		parts := make([]arrow.Array, len(batches))
		for j, b := range batches {
			parts[j] = b.Column(i)
		}
		joined, err := array.Concatenate(parts, memory.DefaultAllocator)
		if err != nil {
			return nil, err
		}
		columns[i] = joined
	}
	return array.NewRecordBatch(schema, columns, rows), nil
}

// Beside returns the columns of batches beside each other, which the caller releases. They have the same rows.
func Beside(parts []arrow.RecordBatch) arrow.RecordBatch {
	var fields []arrow.Field
	var columns []arrow.Array
	for _, p := range parts {
		fields = append(fields, p.Schema().Fields()...)
		columns = append(columns, p.Columns()...)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, parts[0].NumRows())
}
