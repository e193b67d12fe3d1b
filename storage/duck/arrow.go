//go:build duckdb_arrow

package duck

import (
	"context"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// WriteArrow runs one statement and writes its result to w as an Arrow stream, in batches as large as a Reader's and up
// to the bound. Nothing is written if the statement fails before its first batch.
func (c *Conn) WriteArrow(ctx context.Context, w io.Writer, b *Bound, query string, params ...Param) error {
	return c.guarded(ctx, query, func() error { return c.session.writeArrow(ctx, w, b, query, params) })
}

func (l *local) writeArrow(ctx context.Context, w io.Writer, b *Bound, query string, params []Param) error {
	s, err := l.stream(ctx, batchBytes, query, params)
	if err != nil {
		return err
	}
	defer s.Close()
	return writeStream(s, w, b)
}

// unbound is the bound of a result that is written in full.
func unbound() *Bound { return &Bound{Rows: math.MaxInt64, Bytes: math.MaxInt64} }

// writeStream writes a result as an Arrow stream. After a failure the end-of-stream marker is missing, so that readers
// notice.
func writeStream(s source, w io.Writer, b *Bound) error {
	out := ipc.NewWriter(&counted{w, b}, ipc.WithSchema(s.Schema()))
	for b.Cut == Whole {
		batch, err := s.Next()
		if err != nil {
			return err
		}
		if batch == nil {
			break
		}
		part := batch.NewSlice(0, b.Take(batch.NumRows()))
		err = out.Write(part)
		part.Release()
		batch.Release()
		if err != nil {
			return err
		}
	}
	return out.Close()
}

// counted counts the bytes written against a bound.
type counted struct {
	io.Writer
	bound *Bound
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.bound.Bytes -= int64(n)
	return n, err
}
