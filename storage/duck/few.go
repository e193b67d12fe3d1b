//go:build duckdb_arrow

package duck

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// How large a result of Few may be, as an Arrow stream.
const (
	fewRows  = 64 << 10
	fewBytes = 4 << 20
)

// Few runs one statement and returns its result as one batch, which the caller releases; or nil if it is too large to
// be held in memory.
func (c *Conn) Few(ctx context.Context, query string) (arrow.RecordBatch, error) {
	b := &Bound{Rows: fewRows, Bytes: fewBytes}
	all, err := c.session.few(ctx, b, query)
	if err != nil || b.Cut != Whole {
		return nil, err
	}
	in, err := ipc.NewReader(bytes.NewReader(all))
	if err != nil {
		return nil, err
	}
	defer in.Release()
	var batches []arrow.RecordBatch
	defer func() { release(batches) }()
	for in.Next() {
		in.RecordBatch().Retain()
		batches = append(batches, in.RecordBatch())
	}
	if err := in.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return Concat(in.Schema(), batches)
}

func (l *local) few(ctx context.Context, b *Bound, query string) ([]byte, error) {
	var out bytes.Buffer
	err := l.writeArrow(ctx, &out, b, query, nil)
	return out.Bytes(), err
}

// Call sends a call to the process behind the connection, whose Handler answers it.
func (c *Conn) Call(ctx context.Context, call []byte) (reply []byte, err error) {
	p, ok := c.session.(interface {
		call(ctx context.Context, call []byte) ([]byte, error)
	})
	if !ok {
		return nil, errors.New("this connection has no process to call")
	}
	return p.call(ctx, call)
}

// Remote reports whether the connection is to another process.
func (c *Conn) Remote() bool {
	_, own := c.session.(*local)
	return !own
}
