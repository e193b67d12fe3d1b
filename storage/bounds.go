package storage

import (
	"cmp"
	"fmt"
	"math/big"
	"strconv"

	"rowback/storage/catalog"
	"rowback/storage/schema"
)

// keyOrder is how the least and greatest keys of files are kept and compared, so that files which can't hold a key are
// not opened. Moments are kept as microseconds since 1970.
type keyOrder int

const (
	unordered keyOrder = iota // no bounds are kept
	numbers
	moments
	nanoMoments // with nanoseconds, which the bounds are kept without
	texts
)

// maxBound is the longest text that is kept as a bound, bytes.
const maxBound = 256

func orderOf(t schema.Type) keyOrder {
	switch {
	case t.IsInteger(), t.Name == schema.Decimal:
		return numbers
	case t.Name == schema.Varchar:
		return texts
	case t.Name == schema.TimestampNS:
		return nanoMoments
	case t.IsMoment(), t.Name == schema.TimestampTZ:
		return moments
	}
	return unordered
}

// sql writes the bounds of a column as two text columns, or nulls.
func (o keyOrder) sql(column string) string {
	switch o {
	case numbers, texts:
		return fmt.Sprintf("CAST(min(%[1]s) AS VARCHAR), CAST(max(%[1]s) AS VARCHAR)", column)
	case moments:
		return fmt.Sprintf("CAST(epoch_us(min(%[1]s)) AS VARCHAR), CAST(epoch_us(max(%[1]s)) AS VARCHAR)", column)
	case nanoMoments:
		return fmt.Sprintf("CAST(epoch_ns(min(%[1]s)) AS VARCHAR), CAST(epoch_ns(max(%[1]s)) AS VARCHAR)", column)
	}
	return "NULL, NULL"
}

// bounds makes bounds of what sql selected; nil where there are none to keep.
func (o keyOrder) bounds(least, greatest *string) *catalog.Bounds {
	if o == unordered || least == nil || greatest == nil || len(*least) > maxBound || len(*greatest) > maxBound {
		return nil
	}
	if o == nanoMoments {
		return &catalog.Bounds{Least: micros(*least), Greatest: micros(*greatest)}
	}
	return &catalog.Bounds{Least: *least, Greatest: *greatest}
}

// micros writes nanoseconds as microseconds, rounded down.
func micros(nanos string) string {
	n, ok := new(big.Int).SetString(nanos, 10)
	if !ok {
		return nanos
	}
	return n.Div(n, big.NewInt(1000)).String() // Euclidean: down for a positive divisor
}

// overlap tells whether two ranges may have a key in common. What is not known may.
func (o keyOrder) overlap(a, b *catalog.Bounds) bool {
	if a == nil || b == nil || o == unordered {
		return true
	}
	return o.compare(a.Least, b.Greatest) <= 0 && o.compare(b.Least, a.Greatest) <= 0
}

// join returns the bounds of two ranges together; nil is the empty one.
func (o keyOrder) join(a, b *catalog.Bounds) *catalog.Bounds {
	if a == nil {
		return b
	}
	out := *a
	if o.compare(b.Least, a.Least) < 0 {
		out.Least = b.Least
	}
	if o.compare(b.Greatest, a.Greatest) > 0 {
		out.Greatest = b.Greatest
	}
	return &out
}

func (o keyOrder) compare(a, b string) int {
	if o == texts {
		return cmp.Compare(a, b)
	}
	m, errM := strconv.ParseInt(a, 10, 64)
	n, errN := strconv.ParseInt(b, 10, 64)
	if errM == nil && errN == nil {
		return cmp.Compare(m, n)
	}
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	if !okX || !okY {
		return 0
	}
	return x.Cmp(y)
}
