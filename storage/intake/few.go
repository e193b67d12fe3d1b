package intake

import (
	"bytes"
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// Small uploads whose columns have plain types, whose values are the same in DuckDB and in Arrow, take a shortcut: the
// reader process returns all records in one call, without asking DuckDB for types and without a view and a statement.

// Tiny is the size, in bytes, up to which an upload is small.
const Tiny = 64 << 10

// The most plain records that are returned in one call, and the most bytes of them.
const (
	fewRows  = 64 << 10
	fewBytes = 4 << 20
)

// plainRecords are records that may have plain types. few returns all of them as an Arrow stream, or nothing if they
// are too many or invalid: a statement on their relation then reports the error.
type plainRecords interface {
	isPlain() bool
	few(ctx context.Context, conn *duck.Conn) []byte
}

func isPlain(records Records) bool {
	p, ok := records.(plainRecords)
	return ok && p.isPlain()
}

// plainType returns the column type of a plain Arrow field.
func plainType(f arrow.Field) (t schema.Type, ok bool) {
	names := map[arrow.Type]string{
		arrow.INT64: schema.Bigint, arrow.FLOAT64: schema.Double, arrow.STRING: schema.Varchar, arrow.BOOL: schema.Boolean,
	}
	name, ok := names[f.Type.ID()]
	return schema.Of(name), ok && !f.HasMetadata() // metadata may say that it has an extension type
}

// plainColumns returns the columns of fields that are all plain.
func plainColumns(fields []arrow.Field) (columns []Offered, ok bool) {
	for _, f := range fields {
		t, ok := plainType(f)
		if !ok {
			return nil, false
		}
		columns = append(columns, Offered{Name: f.Name, Type: t})
	}
	return columns, len(columns) > 0
}

func (r *arrowRecords) isPlain() bool { return r.plain && r.size <= Tiny }

// few returns the records as an Arrow stream; nil if they are too many, or malformed: then reading them in the ordinary
// way says what is wrong.
func (r *arrowRecords) few(context.Context, *duck.Conn) []byte {
	stream, err := rewrite(Upload{Path: r.path, Size: r.size}, fewBytes)
	if err != nil {
		return nil
	}
	return stream
}

func (r *parquetRecords) isPlain() bool { return r.plain }

// few returns the records as an Arrow stream; nil as above.
func (r *parquetRecords) few(ctx context.Context, conn *duck.Conn) []byte {
	var out bytes.Buffer
	b := &duck.Bound{Rows: fewRows, Bytes: fewBytes}
	if err := conn.WriteArrow(ctx, &out, b, "SELECT * FROM "+r.scan); err != nil || b.Cut != duck.Whole {
		return nil
	}
	return out.Bytes()
}

// plainRemote are plain records in a reader process.
type plainRemote struct{ *remote }

// Batch requests all records from the process.
func (r plainRemote) Batch() (arrow.RecordBatch, error) {
	out, err := r.call(r.ctx, call{Few: true})
	if err != nil || len(out.Stream) == 0 {
		return nil, err
	}
	in, err := ipc.NewReader(bytes.NewReader(out.Stream))
	if err != nil {
		return nil, err
	}
	defer in.Release()
	return gather(in)
}

// gather returns all records of a reader as one batch.
func gather(in array.RecordReader) (arrow.RecordBatch, error) {
	var all []arrow.RecordBatch
	for in.Next() {
		b := in.RecordBatch()
		b.Retain()
		defer b.Release()
		all = append(all, b)
	}
	if in.Err() != nil {
		return nil, in.Err()
	}
	return duck.Concat(in.Schema(), all)
}
