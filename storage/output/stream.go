package output

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"rowback/storage/duck"
)

// How large an Arrow batch becomes before it is passed on. DuckDB's own have 2,048 rows, too few for readers to be fast.
const (
	batchRows  = 64 << 10
	batchBytes = 64 << 20
)

// Stream is the result of a query as Arrow, in large batches, as it arrives. Close must be called.
type Stream struct {
	reader *duck.Reader
	bound  *bound
	most   int64 // bytes of a batch, about
	held   []arrow.RecordBatch
	ended  bool
}

// Open runs a query. Its batches have about 64k rows, or about most bytes where that is less; one of DuckDB's own may be
// larger. What is sent of it must be told with Spend, if the query has a limit of bytes.
func Open(ctx context.Context, conn *duck.Conn, q Query, most int64) (*Stream, error) {
	return openStream(ctx, conn, q, newBound(nil, q), most)
}

func openStream(ctx context.Context, conn *duck.Conn, q Query, b *bound, most int64) (*Stream, error) {
	r, err := conn.Stream(ctx, q.limited(), q.Params...)
	if err != nil {
		return nil, err
	}
	return &Stream{reader: r, bound: b, most: most}, nil
}

// Schema describes the batches.
func (s *Stream) Schema() *arrow.Schema { return s.reader.Schema() }

// Cut tells why the result ends before all of it was read, once Next has returned nil.
func (s *Stream) Cut() Cut { return s.bound.cut }

// Spend takes bytes from those that the answer may have.
func (s *Stream) Spend(bytes int64) { s.bound.bytes -= bytes }

// Next returns the next batch, which the caller releases, or nil at the end.
func (s *Stream) Next() (arrow.RecordBatch, error) {
	if s.ended {
		return nil, nil
	}
	large, err := s.collect()
	if err != nil || large == nil {
		s.ended = true
		return nil, err
	}
	rows := s.bound.take(large.NumRows())
	s.ended = s.bound.cut != Whole
	if s.ended && rows == 0 {
		large.Release()
		return nil, nil
	}
	if rows == large.NumRows() {
		return large, nil
	}
	defer large.Release()
	return large.NewSlice(0, rows), nil
}

// collect joins batches of DuckDB's until they make a large one; nil: there are none.
func (s *Stream) collect() (arrow.RecordBatch, error) {
	defer s.drop()
	var rows, bytes int64
	for rows < batchRows && bytes < s.most {
		b, err := s.reader.Next()
		if err != nil {
			return nil, err
		}
		if b == nil {
			break
		}
		s.held = append(s.held, b)
		rows += b.NumRows()
		bytes += sizeOf(b)
	}
	if len(s.held) == 0 {
		return nil, nil
	}
	return duck.Concat(s.Schema(), s.held)
}

func (s *Stream) drop() {
	for _, b := range s.held {
		b.Release()
	}
	s.held = s.held[:0]
}

// Close ends the query, wherever it was.
func (s *Stream) Close() { s.reader.Close() }

// sizeOf is how many bytes the buffers of a batch have.
func sizeOf(b arrow.RecordBatch) (bytes int64) {
	for _, c := range b.Columns() {
		bytes += sizeOfData(c.Data())
	}
	return bytes
}

func sizeOfData(d arrow.ArrayData) (bytes int64) {
	for _, b := range d.Buffers() {
		if b != nil {
			bytes += int64(b.Len())
		}
	}
	for _, child := range d.Children() {
		bytes += sizeOfData(child)
	}
	return bytes
}
