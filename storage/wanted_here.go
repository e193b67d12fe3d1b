package storage

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Few records of many columns of plain types are read without statements (snapshot.ReadRows). As Arrow they are the
// answer. For the other formats a statement makes the text of some columns at a time, of what was read: such a slice
// opens no file, so that it can be small, and the time it takes to plan one is quadratic in its columns.

// hereColumns is the most columns of such a slice.
const hereColumns = 128

// isReadHere reports whether the records may be read without statements.
func (r Wanted) isReadHere() bool {
	return r.Snapshot.Total() > 0 && !r.isPart() && len(r.derived()) == 0 && r.Snapshot.AreReadHere(r.Columns)
}

// isPart reports whether the records are few of the snapshot's, so that a statement can leave out most of the rest.
func (r Wanted) isPart() bool {
	return r.Limit != nil && *r.Limit < r.Snapshot.Total()/4 || r.Offset > r.Snapshot.Total()/4
}

// openHere opens a connection on which the query reads the records that were found; ok is false if statements have to
// read them.
func (t *Tables) openHere(
	ctx context.Context, r Wanted, found arrow.RecordBatch,
) (conn *duck.Conn, q output.Query, ok bool, err error) {
	if !r.isReadHere() {
		return nil, q, false, nil
	}
	rows, ok, err := r.Snapshot.ReadRows(ctx, r.Columns)
	if !ok || err != nil {
		return nil, q, false, err
	}
	defer rows.Release()
	q = output.Query{Columns: r.Columns, Result: rows.Pick(found, r.Columns)}
	if q.Result == nil {
		return nil, q, false, nil
	}
	at := 0
	for _, some := range snapshot.SlicesOf(r.Columns, min(hereColumns, r.sliceColumns())) {
		q.Slices = append(q.Slices, sliceHere(q.Result, at, some))
		at += len(some)
	}
	conn, err = t.Conn(ctx)
	return conn, q, true, err
}

// sliceHere is the query of some columns of records, from one on.
func sliceHere(all arrow.RecordBatch, first int, columns []schema.Column) output.Query {
	fields := all.Schema().Fields()[first : first+len(columns)]
	part := array.NewRecordBatch(arrow.NewSchema(fields, nil), all.Columns()[first:first+len(columns)], all.NumRows())
	return output.Of(part, columns, 0)
}
