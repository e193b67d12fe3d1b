package snapshot

import (
	"slices"

	"github.com/rowback/rowback/storage/schema"
)

// SliceColumns is the most columns that one statement reads. DuckDB's planning time is quadratic in the columns, and it
// allocates thousands of values for each of them, however few the records are. On the other hand, opening a file costs
// a little for each of its columns, so slices are not smaller than necessary.
const SliceColumns = 800

// InSlices divides columns into slices of about the same size, each for one statement.
func InSlices(columns []schema.Column) [][]schema.Column { return SlicesOf(columns, SliceColumns) }

// SlicesOf is InSlices with slices of at most a number of columns.
func SlicesOf(columns []schema.Column, most int) [][]schema.Column {
	n := (len(columns) + most - 1) / most
	if n <= 1 {
		return [][]schema.Column{columns}
	}
	return slices.Collect(slices.Chunk(columns, (len(columns)+n-1)/n))
}
