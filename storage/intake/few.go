package intake

import (
	"bytes"
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"rowback/storage/duck"
	"rowback/storage/schema"
)

// Small uploads of plain types, whose values DuckDB and Arrow have alike, are taken from their process as they are: without
// a question what their types are, and in one call instead of a view and a statement on it.

// Tiny is up to how many bytes an upload is small.
const Tiny = 64 << 10

// How many plain records are taken so, at most, and bytes of them.
const (
	fewRows  = 64 << 10
	fewBytes = 4 << 20
)

// plainRecords are records that may be of plain types. few returns all of them as an Arrow stream; nothing where they are too
// many, or not as they should be: a statement on their relation tells then.
type plainRecords interface {
	isPlain() bool
	few(ctx context.Context, conn *duck.Conn) []byte
}

func isPlain(records Records) bool {
	p, ok := records.(plainRecords)
	return ok && p.isPlain()
}

// plainType is the type that a plain Arrow field has here.
func plainType(f arrow.Field) (t schema.Type, ok bool) {
	names := map[arrow.Type]string{
		arrow.INT64: schema.Bigint, arrow.FLOAT64: schema.Double, arrow.STRING: schema.Varchar, arrow.BOOL: schema.Boolean,
	}
	name, ok := names[f.Type.ID()]
	return schema.Of(name), ok && !f.HasMetadata() // there, it may say that it is of another type
}

// plainColumns are the columns of plain fields.
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

func (r *arrowRecords) few(context.Context, *duck.Conn) []byte {
	stream, err := rewrite(Upload{Path: r.path, Size: r.size}, fewBytes)
	if err != nil {
		return nil
	}
	return stream
}

func (r *parquetRecords) isPlain() bool { return r.plain }

func (r *parquetRecords) few(ctx context.Context, conn *duck.Conn) []byte {
	var out bytes.Buffer
	b := &duck.Bound{Rows: fewRows, Bytes: fewBytes}
	if err := conn.WriteArrow(ctx, &out, b, "SELECT * FROM "+r.scan); err != nil || b.Cut != duck.Whole {
		return nil
	}
	return out.Bytes()
}

// plainRemote are plain records that a reader process reads.
type plainRemote struct{ *remote }

// Batch asks the process for all records.
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
