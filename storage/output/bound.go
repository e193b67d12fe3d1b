package output

import (
	"errors"
	"io"
	"math"
)

// Cut is why a result ends before all of it was written.
type Cut string

// The reasons.
const (
	Whole   Cut = ""      // it does not
	AtLimit Cut = "limit" // it has more rows than were asked for
	AtBytes Cut = "bytes" // it is larger than an answer may be
)

// ErrTooLarge is returned where a result is larger than it may be, in a format that can't be cut.
var ErrTooLarge = errors.New("the result is larger than it may be")

// bound is a writer that tells when enough was written.
type bound struct {
	io.Writer
	rows, bytes int64 // still to be written
	cut         Cut
}

func newBound(w io.Writer, q Query) *bound {
	b := &bound{Writer: w, rows: math.MaxInt64, bytes: math.MaxInt64}
	if q.Limit != nil {
		b.rows = *q.Limit
	}
	if q.Bytes > 0 {
		b.bytes = q.Bytes
	}
	return b
}

func (b *bound) Write(p []byte) (int, error) {
	n, err := b.Writer.Write(p)
	b.bytes -= int64(n)
	return n, err
}

// take tells how many of the next rows may be written. Rows that come when no more may be are a cut.
func (b *bound) take(rows int64) int64 {
	if b.bytes <= 0 {
		b.cut = AtBytes
		return 0
	}
	if rows > b.rows {
		b.cut = AtLimit
	}
	keep := min(rows, b.rows)
	b.rows -= keep
	return keep
}
