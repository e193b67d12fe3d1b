package query

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/query/spark"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/schema"
)

// answer is the view of an engine's result.
const answer = "answer"

// writeRows writes an engine's result in a format.
func writeRows(
	ctx context.Context, conn *duck.Conn, rows *engineRows, s Statement, format intake.Format, w io.Writer, scratch string,
) (output.Cut, error) {
	q := output.Query{SQL: "SELECT * FROM " + answer, Limit: s.Limit, Bytes: s.Bytes, Pages: s.Pages}
	var err error
	if q.Columns, err = columnsOf(ctx, conn, rows.schema, q.SQL); err != nil {
		return output.Whole, err
	}
	release, err := conn.View(ctx, answer, rows)
	if err != nil {
		return output.Whole, err
	}
	defer release()
	cut, err := output.Write(ctx, conn, q, format, w, scratch)
	return cut, (&text{}).explain(err)
}

// columnsOf returns the columns that DuckDB reads of a result. It asks for them by a result without rows, as a stream can
// be read once.
func columnsOf(ctx context.Context, conn *duck.Conn, s *arrow.Schema, sql string) ([]schema.Column, error) {
	if s.NumFields() > maxColumns {
		return nil, refuse("too_complex",
			"The result has %d columns, and the limit is %d. Name the columns that you need instead of *.", s.NumFields(),
			maxColumns)
	}
	none, err := array.NewRecordReader(s, nil)
	if err != nil {
		return nil, err
	}
	release, err := conn.View(ctx, answer, none)
	if err != nil {
		return nil, err
	}
	defer release()
	columns, err := describe(ctx, conn, sql, nil)
	if duck.CauseOf(err) == duck.Input {
		return nil, refuse("unsupported_type",
			"The engine's result has a column of a type that can't be read. Cast it to STRING in the statement.")
	}
	return columns, err
}

// engineRows is an engine's result as DuckDB reads it: with names that differ, and batches that were checked.
type engineRows struct {
	result  *spark.Result
	schema  *arrow.Schema
	waiting []arrow.RecordBatch
	batch   arrow.RecordBatch
	err     error
	closed  bool
}

// newEngineRows takes over a result.
func newEngineRows(r *spark.Result) *engineRows {
	fields := slices.Clone(r.Schema().Fields())
	taken := map[string]bool{}
	for i, f := range fields {
		name := f.Name
		for n := 1; taken[schema.Fold(name)] || name == ""; n++ { // as DuckDB does with the columns of a subquery
			name = fmt.Sprintf("%s_%d", f.Name, n)
		}
		taken[schema.Fold(name)] = true
		fields[i].Name, fields[i].Nullable = name, true
	}
	return &engineRows{result: r, schema: arrow.NewSchema(fields, nil)}
}

// Retain implements array.RecordReader. There is one owner.
func (r *engineRows) Retain() {}

// Release ends the result.
func (r *engineRows) Release() {
	if r.closed {
		return
	}
	r.closed = true
	r.drop()
	for _, b := range r.waiting {
		b.Release()
	}
	r.waiting = nil
	r.result.Close()
}

// Schema implements array.RecordReader.
func (r *engineRows) Schema() *arrow.Schema { return r.schema }

// RecordBatch implements array.RecordReader.
func (r *engineRows) RecordBatch() arrow.RecordBatch { return r.batch }

// Record implements array.RecordReader.
func (r *engineRows) Record() arrow.RecordBatch { return r.batch }

// Err implements array.RecordReader.
func (r *engineRows) Err() error { return r.err }

func (r *engineRows) drop() {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
}

// Next reads a batch. DuckDB asks for it from C code, which a panic must not pass through.
func (r *engineRows) Next() (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			r.err, ok = spark.ErrFailed.Sayf("The engine's answer can't be used.").Because(fmt.Errorf("%v", p)), false
		}
	}()
	r.drop()
	if len(r.waiting) == 0 && r.err == nil {
		r.waiting, r.err = r.result.Next()
	}
	if r.err != nil || len(r.waiting) == 0 {
		return false
	}
	next := r.waiting[0]
	r.waiting = r.waiting[1:]
	defer next.Release()
	if err := intake.ValidateBatch(next); err != nil {
		r.err = spark.ErrFailed.Sayf("The engine's answer can't be used: %s.", err).Because(err)
		return false
	}
	r.batch = array.NewRecordBatch(r.schema, next.Columns(), next.NumRows())
	return true
}
