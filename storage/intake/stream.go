package intake

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"rowback/storage/duck"
)

// view is the name under which a connection reads an Arrow stream.
const view = "_upload"

// register makes some columns of a stream readable as the view, and each record's number as _n.
//
// DuckDB asks the scan of a registered stream for the columns that its statement uses, and takes what comes for those,
// whatever it is: a stream can't know what was asked. So it must hold just what is used, in the order of its columns.
// The same goes for conditions: the statement must have none that could be left to the scan.
func register(ctx context.Context, conn *duck.Conn, stream array.RecordReader, columns []int) (release func(), err error) {
	n := newNumbered(stream, columns)
	free, err := conn.View(ctx, view, n)
	if err != nil {
		n.Release()
		return nil, err
	}
	return func() { free(); n.Release() }, nil
}

// numbered is some columns of a stream, and the number of each record.
type numbered struct {
	array.RecordReader
	columns []int
	schema  *arrow.Schema
	batch   arrow.RecordBatch
	next    int64
}

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
