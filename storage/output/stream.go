package output

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
)

// Stream is the result of a query as Arrow, in the batches of a duck.Reader or parts of them, while it is being
// computed. Close must be called.
type Stream struct {
	reader *duck.Reader
	bound  *bound
	schema *arrow.Schema
	most   int64  // target size of a batch, in bytes
	parts  []part // what Next returns next
	ended  bool   // the reader is exhausted, or the bound reached
}

// part is a batch and its size in bytes.
type part struct {
	arrow.RecordBatch
	size int64
}

// Open runs a query. Batches have about most bytes at most; only one with a single row may be larger.
func Open(ctx context.Context, conn *duck.Conn, q Query, most int64) (*Stream, error) {
	if err := CheckTypes(q.Columns, intake.Arrow); err != nil {
		return nil, err
	}
	r, err := conn.StreamIn(ctx, most, q.limited(), q.Params...)
	if err != nil {
		return nil, err
	}
	return &Stream{reader: r, bound: newBound(nil, q), schema: Label(r.Schema(), q.Columns), most: most}, nil
}

// Schema describes the batches.
func (s *Stream) Schema() *arrow.Schema { return s.schema }

// Cut returns why the result ended early. It is valid once Next has returned nil.
func (s *Stream) Cut() Cut { return s.bound.Cut }

// Left returns how many of the bytes that Query.Bytes allows remain.
func (s *Stream) Left() int64 { return s.bound.Bytes }

// Next returns the next batch, which the caller releases, or nil at the end.
func (s *Stream) Next() (arrow.RecordBatch, error) {
	if len(s.parts) == 0 && !s.ended {
		if err := s.fetch(); err != nil {
			return nil, err
		}
	}
	if len(s.parts) == 0 || s.ended {
		return nil, nil
	}
	next := s.parts[0]
	s.parts = s.parts[1:]
	rows := s.bound.Take(next.NumRows())
	s.ended = s.bound.Cut != Whole
	s.bound.Bytes -= next.size
	defer next.Release()
	if rows == 0 && next.NumRows() > 0 {
		return nil, nil
	}
	part := next.NewSlice(0, rows)
	defer part.Release()
	return array.NewRecordBatch(s.schema, part.Columns(), rows), nil
}

// fetch reads the next batch and splits it into parts of the target size.
func (s *Stream) fetch() error {
	large, err := s.reader.Next()
	if err != nil || large == nil {
		s.ended = true
		return err
	}
	if size := duck.SizeOf(large); size <= s.most+s.most/8 {
		s.parts = []part{{large, size}}
		return nil
	}
	defer large.Release()
	s.parts, err = split(nil, large, s.most)
	return err
}

// split appends the batch to out, in parts of at most most bytes, or of one row.
func split(out []part, b arrow.RecordBatch, most int64) ([]part, error) {
	size, err := encodedSize(b)
	if err != nil {
		return out, err
	}
	rows := b.NumRows()
	if size <= most || rows <= 1 {
		b.Retain()
		return append(out, part{b, size}), nil
	}
	for _, half := range []arrow.RecordBatch{b.NewSlice(0, rows/2), b.NewSlice(rows/2, rows)} {
		if err == nil {
			out, err = split(out, half, most)
		}
		half.Release()
	}
	return out, err
}

// encodedSize returns the size of a batch as an IPC message, in bytes.
func encodedSize(b arrow.RecordBatch) (int64, error) {
	p, err := ipc.GetRecordBatchPayload(b)
	if err != nil {
		return 0, err
	}
	defer p.Release()
	var size counter
	_, err = p.WritePayload(&size)
	return int64(size), err
}

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// Close ends the query, finished or not.
func (s *Stream) Close() {
	for _, p := range s.parts {
		p.Release()
	}
	s.parts = nil
	s.reader.Close()
}
