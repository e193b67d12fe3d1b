package intake

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage/duck"
)

// view is the name of the view through which a connection reads an Arrow stream.
const view = "_upload"

// register makes the given columns of a stream readable as the view, and each record's number as _n. DuckDB pushes
// projections down into a registered stream, which can't see them, and takes whatever columns it delivers for the
// requested ones. So the stream must have exactly the columns that the statement uses, in their order. The same holds
// for conditions: the statement must have none that DuckDB could push down.
func register(
	ctx context.Context, conn *duck.Conn, stream array.RecordReader, columns []int,
) (release func(), err error) {
	n := newNumbered(stream, columns)
	free, err := conn.View(ctx, view, n)
	if err != nil {
		n.Release()
		return nil, err
	}
	return func() { free(); n.Release() }, nil
}

// numbered has some columns of a stream, followed by each record's number.
type numbered struct {
	array.RecordReader
	columns []int
	schema  *arrow.Schema
	batch   arrow.RecordBatch
	next    int64
}

// newNumbered takes over the stream.
func newNumbered(stream array.RecordReader, columns []int) *numbered {
	n := &numbered{RecordReader: stream, columns: columns}
	fields := make([]arrow.Field, 0, len(columns)+1)
	for _, i := range columns {
		fields = append(fields, stream.Schema().Field(i))
	}
	n.schema = arrow.NewSchema(append(fields, arrow.Field{Name: "_n", Type: arrow.PrimitiveTypes.Int64}), nil)
	return n
}

func (n *numbered) Schema() *arrow.Schema          { return n.schema }
func (n *numbered) RecordBatch() arrow.RecordBatch { return n.batch }
func (n *numbered) Record() arrow.RecordBatch      { return n.batch }

// Next adds the numbers to the next batch. The columns are shared with the stream's own batch, not copied.
func (n *numbered) Next() bool {
	n.drop()
	if !n.RecordReader.Next() {
		return false
	}
	from := n.RecordReader.RecordBatch()
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(int(from.NumRows()))
	for range from.NumRows() {
		b.UnsafeAppend(n.next)
		n.next++
	}
	numbers := b.NewArray()
	defer numbers.Release()
	arrays := make([]arrow.Array, 0, len(n.columns)+1)
	for _, i := range n.columns {
		arrays = append(arrays, from.Column(i))
	}
	n.batch = array.NewRecordBatch(n.schema, append(arrays, numbers), from.NumRows())
	return true
}

func (n *numbered) drop() {
	if n.batch != nil {
		n.batch.Release()
		n.batch = nil
	}
}

func (n *numbered) Release() {
	n.drop()
	n.RecordReader.Release()
}
