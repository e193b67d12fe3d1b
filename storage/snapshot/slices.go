package snapshot

import "github.com/rowback/rowback/storage/schema"

// SliceColumns is the most columns that one statement reads. DuckDB's planning time is quadratic in the columns, and it
// allocates thousands of values for each of them, however few the records are. On the other hand, opening a file costs
// a little for each of its columns, so slices are not smaller than necessary.
const SliceColumns = 800

// InSlices divides columns into slices of about the same size, each for one statement.
func InSlices(columns []schema.Column) [][]schema.Column { return SlicesOf(columns, SliceColumns) }

// SlicesOf is InSlices with slices of at most a number of columns. One of a nested type counts as many, for the vectors
// that its values are in; it may be more than a slice by itself.
func SlicesOf(columns []schema.Column, most int) (out [][]schema.Column) {
	all := 0
	for _, c := range columns {
		all += weight(c.Type)
	}
	n := (all + most - 1) / most
	if n <= 1 {
		return [][]schema.Column{columns}
	}
	from, weighs := 0, 0
	for i, c := range columns {
		w := weight(c.Type)
		if weighs > 0 && weighs+w > (all+n-1)/n {
			out, from, weighs = append(out, columns[from:i]), i, 0
		}
		weighs += w
	}
	return append(out, columns[from:])
}

// AreSliced reports whether columns are more than one statement reads.
func AreSliced(columns []schema.Column) bool { return len(InSlices(columns)) > 1 }

// itemsOfLists is how many items a list is taken to have, when it is weighed.
const itemsOfLists = 4

// weight is how many vectors DuckDB keeps the values of a type in, counting each for the values that it has room for.
func weight(t schema.Type) int {
	out := 1
	for _, f := range t.Fields {
		out += weight(f.Type)
	}
	for _, inner := range []*schema.Type{t.Key, t.Elem} {
		if inner != nil {
			out += itemsOfLists * weight(*inner)
		}
	}
	return out
}
