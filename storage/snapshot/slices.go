package snapshot

import (
	"slices"

	"rowback/storage/schema"
)

// SliceColumns is up to how many columns a statement reads. DuckDB's time grows with the square of the columns, and its
// memory with thousands of values for each of them, however few the records are. Every file that a slice opens costs a
// little for each column that the file has, so slices are not smaller than they have to be.
const SliceColumns = 800

// InSlices cuts columns into slices of about the same size, each for a statement of its own.
func InSlices(columns []schema.Column) [][]schema.Column {
	n := (len(columns) + SliceColumns - 1) / SliceColumns
	if n <= 1 {
		return [][]schema.Column{columns}
	}
	return slices.Collect(slices.Chunk(columns, (len(columns)+n-1)/n))
}
