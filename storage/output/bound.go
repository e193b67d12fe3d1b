package output

import (
	"errors"
	"io"
	"math"

	"rowback/storage/duck"
)

// Cut is why a result ends before all of it was written.
type Cut = duck.Cut

// The reasons.
const (
	Whole   = duck.Whole
	AtLimit = duck.AtLimit
	AtBytes = duck.AtBytes
)

// ErrTooLarge is returned where a result is larger than it may be, in a format that can't be cut.
var ErrTooLarge = errors.New("the result is larger than it may be")

// bound is a writer that tells when enough was written.
type bound struct {
	io.Writer
	duck.Bound
}

func newBound(w io.Writer, q Query) *bound {
	b := &bound{Writer: w, Bound: duck.Bound{Rows: math.MaxInt64, Bytes: math.MaxInt64}}
	if q.Limit != nil {
		b.Rows = *q.Limit
	}
	if q.Bytes > 0 {
		b.Bytes = q.Bytes
	}
	return b
}

func (b *bound) Write(p []byte) (int, error) {
	n, err := b.Writer.Write(p)
	b.Bytes -= int64(n)
	return n, err
}
