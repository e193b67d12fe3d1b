package output

import (
	"errors"
	"io"
	"math"

	"github.com/rowback/rowback/storage/duck"
)

// Cut is why a result ends early.
type Cut = duck.Cut

// The reasons.
const (
	Whole   = duck.Whole
	AtLimit = duck.AtLimit
	AtBytes = duck.AtBytes
)

// ErrTooLarge is returned when a result is larger than allowed, in a format that can't be cut.
var ErrTooLarge = errors.New("the result is larger than allowed")

// bound is a writer that counts bytes against a Bound.
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
