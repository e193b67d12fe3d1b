package snapshot

import (
	"cmp"
	"fmt"
	"math/big"
	"strconv"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// KeyOrder is how the least and greatest keys of files are stored and compared, so that files that can't hold a key are
// not opened. Dates and timestamps are stored as microseconds since 1970.
type KeyOrder int

// The orders.
const (
	Unordered KeyOrder = iota // no bounds are stored
	numbers
	moments
	nanoMoments // timestamps in nanoseconds; bounds have microseconds
	texts
)

// maxBound is the length of the longest text stored as a bound, in bytes.
const maxBound = 256

// OrderOf returns the order of keys of a type.
func OrderOf(t schema.Type) KeyOrder {
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
	return Unordered
}

// SQL returns the SQL of a column's bounds, as two columns of text, which are null if none are stored.
func (o KeyOrder) SQL(column string) string {
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

// Bounds returns the bounds from what SQL selected; nil if none are stored.
func (o KeyOrder) Bounds(least, greatest *string) *catalog.Bounds {
	if o == Unordered || least == nil || greatest == nil || len(*least) > maxBound || len(*greatest) > maxBound {
		return nil
	}
	if o == nanoMoments {
		return &catalog.Bounds{Least: micros(*least), Greatest: micros(*greatest)}
	}
	return &catalog.Bounds{Least: *least, Greatest: *greatest}
}

// micros converts nanoseconds to microseconds, rounded down.
func micros(nanos string) string {
	n, ok := new(big.Int).SetString(nanos, 10)
	if !ok {
		return nanos
	}
	return n.Div(n, big.NewInt(1000)).String() // Euclidean: down for a positive divisor
}

// Overlap reports whether two ranges may have a key in common. Unknown bounds, which are nil, may have any.
func (o KeyOrder) Overlap(a, b *catalog.Bounds) bool {
	if a == nil || b == nil || o == Unordered {
		return true
	}
	return o.Compare(a.Least, b.Greatest) <= 0 && o.Compare(b.Least, a.Greatest) <= 0
}

// overlaps is Overlap with one range, whose bounds are read once for all ranges that are compared with it.
func (o KeyOrder) overlaps(a *catalog.Bounds) func(b *catalog.Bounds) bool {
	least, errLeast := strconv.ParseInt(a.Least, 10, 64)
	greatest, errGreatest := strconv.ParseInt(a.Greatest, 10, 64)
	areIntegers := o != texts && o != Unordered && errLeast == nil && errGreatest == nil
	return func(b *catalog.Bounds) bool {
		if b == nil || !areIntegers {
			return o.Overlap(a, b)
		}
		end, errEnd := strconv.ParseInt(b.Greatest, 10, 64)
		if errEnd == nil && end < least {
			return false
		}
		begin, errBegin := strconv.ParseInt(b.Least, 10, 64)
		if errEnd != nil || errBegin != nil {
			return o.Overlap(a, b)
		}
		return begin <= greatest
	}
}

// Join returns the bounds of two ranges together; a nil a is the empty range.
func (o KeyOrder) Join(a, b *catalog.Bounds) *catalog.Bounds {
	if a == nil {
		return b
	}
	out := *a
	if o.Compare(b.Least, a.Least) < 0 {
		out.Least = b.Least
	}
	if o.Compare(b.Greatest, a.Greatest) > 0 {
		out.Greatest = b.Greatest
	}
	return &out
}

// Compare compares two bounds like cmp.Compare. Integers beyond 64 bits and decimals are compared exactly.
func (o KeyOrder) Compare(a, b string) int {
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
