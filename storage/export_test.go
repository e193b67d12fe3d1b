package storage

import "slices"

// ReaderRequests is how many requests reader processes have been sent, once what they were given is back.
func (s *Store) ReaderRequests() int64 {
	s.readers.lent.Wait()
	return s.readers.pool.Asked()
}

// Parts is how many of n columns each statement on an upload tests.
func Parts(n int) (sizes []int) {
	columns := make([]int, n)
	for i := range columns {
		columns[i] = i
	}
	for part := range parts(columns, func(i int) int { return i }) {
		sizes = append(sizes, len(part))
	}
	return sizes
}

// MostColumns is how many columns a statement on an upload tests, and how many it writes, at most.
func (s *Store) MostColumns() (tested, written int) {
	return slices.Max(Parts(10_000)), s.sliceColumns()
}
