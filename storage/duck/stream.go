//go:build duckdb_arrow

package duck

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	bindings "github.com/duckdb/duckdb-go-bindings"
	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/arrowmapping"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Reader is a result that arrives while it is computed: DuckDB keeps a few chunks ahead of whoever reads and waits.
// Close must be called before the connection is used again.
type Reader struct {
	ctx     context.Context
	conn    *Conn
	query   string
	handle  mapping.Connection
	stmt    *duckdb.Stmt
	pending mapping.PendingResult
	res     mapping.Result
	opts    arrowmapping.ArrowOptions
	schema  *arrow.Schema
	stop    func()
}

// Stream runs one statement and returns its result as Arrow, never whole in memory. Ending ctx interrupts it.
//
// duckdb-go collects every result before it hands out the first row; the C API under it can stream. So the statement
// is prepared by duckdb-go, and bound and run by the bindings that it is built on.
func (c *Conn) Stream(ctx context.Context, query string, params ...Param) (*Reader, error) {
	r := &Reader{ctx: ctx, conn: c, query: query}
	err := c.sql.Raw(func(dc any) error {
		conn, ok := dc.(*duckdb.Conn)
		if !ok {
			return fmt.Errorf("not a DuckDB connection: %T", dc)
		}
		r.handle = mapping.Connection{Ptr: pointerIn(conn, "conn")}
		r.stop = interruptAtEnd(ctx, r.handle)
		return r.start(conn, params)
	})
	if err != nil {
		r.Close()
		return nil, c.noted(ctx, query, err)
	}
	return r, nil
}

func (r *Reader) start(conn *duckdb.Conn, params []Param) error {
	stmt, err := conn.PrepareContext(r.ctx, r.query)
	if err != nil {
		return err
	}
	r.stmt = stmt.(*duckdb.Stmt)
	pointer := reflect.ValueOf(r.stmt).Elem().FieldByName("preparedStmt").Elem().FieldByName("Ptr")
	prepared := mapping.PreparedStatement{Ptr: pointer.UnsafePointer()}
	if err := bindParams(prepared, params); err != nil {
		return err
	}
	if bindings.PendingPreparedStreaming(prepared, &r.pending) == mapping.StateError {
		return statementError(mapping.PendingError(r.pending))
	}
	if mapping.ExecutePending(r.pending, &r.res) == mapping.StateError {
		return statementError(mapping.ResultError(&r.res))
	}
	return r.readSchema()
}

// pointerIn reads the C pointer out of one of duckdb-go's handles, which it keeps to itself. The version is pinned, and
// every test that reads a row fails where this no longer holds.
func pointerIn(of any, field string) unsafe.Pointer {
	return reflect.ValueOf(of).Elem().FieldByName(field).FieldByName("Ptr").UnsafePointer()
}

// interruptAtEnd interrupts the connection when ctx ends before the returned function is called.
func interruptAtEnd(ctx context.Context, conn mapping.Connection) (stop func()) {
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-ctx.Done():
			mapping.Interrupt(conn)
		case <-done:
		}
	})
	return sync.OnceFunc(func() { close(done); watching.Wait() })
}

func (r *Reader) readSchema() error {
	r.opts = arrowmapping.ResultGetArrowOptions(&r.res)
	n := mapping.ColumnCount(&r.res)
	names := make([]string, n)
	types := make([]mapping.LogicalType, n)
	for i := range n {
		names[i] = mapping.ColumnName(&r.res, i)
		types[i] = mapping.ColumnLogicalType(&r.res, i)
		defer mapping.DestroyLogicalType(&types[i])
	}
	schema, ed := arrowmapping.NewArrowSchema(r.opts, types, names)
	r.schema = schema
	return arrowError(ed)
}

// Schema describes the batches.
func (r *Reader) Schema() *arrow.Schema { return r.schema }

// Next returns the next batch, of at most 2,048 rows, or nil at the end. The caller releases it.
func (r *Reader) Next() (arrow.RecordBatch, error) {
	if r.ctx.Err() != nil {
		return nil, context.Cause(r.ctx)
	}
	chunk := mapping.FetchChunk(r.res)
	if chunk.Ptr == nil {
		if msg := mapping.ResultError(&r.res); msg != "" {
			return nil, r.conn.noted(r.ctx, r.query, statementError(msg))
		}
		return nil, nil
	}
	defer mapping.DestroyDataChunk(&chunk)
	if mapping.DataChunkGetSize(chunk) == 0 {
		return nil, nil
	}
	batch, ed := arrowmapping.DataChunkToArrowArray(r.opts, r.schema, chunk)
	return batch, arrowError(ed)
}

// Close ends the statement, wherever it was.
func (r *Reader) Close() {
	if r.stop != nil {
		r.stop()
	}
	if r.opts.Ptr != nil {
		arrowmapping.DestroyArrowOptions(&r.opts)
	}
	mapping.DestroyResult(&r.res)
	if r.pending.Ptr != nil {
		mapping.DestroyPending(&r.pending)
	}
	if r.stmt != nil {
		r.stmt.Close()
		r.stmt = nil
	}
}

// All reads the rest of the result as one batch, which the caller releases. It is for results known to be small.
func (r *Reader) All() (arrow.RecordBatch, error) {
	var batches []arrow.RecordBatch
	defer func() {
		for _, b := range batches {
			b.Release()
		}
	}()
	for {
		b, err := r.Next()
		if err != nil {
			return nil, err
		}
		if b == nil {
			return Concat(r.schema, batches)
		}
		batches = append(batches, b)
	}
}

// Batch runs one statement and returns its result, known to be small, as one batch, which the caller releases.
func (c *Conn) Batch(ctx context.Context, query string, params ...Param) (arrow.RecordBatch, error) {
	r, err := c.Stream(ctx, query, params...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.All()
}

// View makes an Arrow stream readable, once, as a view of that name. release must be called after the last statement
// that reads it; the caller keeps its own reference to the stream.
func (c *Conn) View(ctx context.Context, name string, stream array.RecordReader) (release func(), err error) {
	err = c.sql.Raw(func(dc any) error {
		a, err := duckdb.NewArrowFromConn(dc.(driver.Conn))
		if err != nil {
			return err
		}
		release, err = a.RegisterView(stream, name)
		return err
	})
	return release, err
}

func statementError(msg string) error {
	if msg == "" {
		return errors.New("DuckDB failed without a message")
	}
	kind, _, _ := cutKind(msg)
	return &duckdb.Error{Type: kind, Msg: msg}
}

func arrowError(ed mapping.ErrorData) error {
	defer mapping.DestroyErrorData(&ed)
	if !mapping.ErrorDataHasError(ed) {
		return nil
	}
	return statementError(mapping.ErrorDataMessage(ed))
}

// Records returns the rest of the result as an Arrow record reader. Close still ends the statement.
func (r *Reader) Records() array.RecordReader { return &records{reader: r} }

// records reads a result as arrow-go asks for it. The reader, not the reference count, owns the statement.
type records struct {
	reader *Reader
	batch  arrow.RecordBatch
	err    error
}

func (r *records) Retain()                        {}
func (r *records) Release()                       { r.drop() }
func (r *records) Schema() *arrow.Schema          { return r.reader.schema }
func (r *records) RecordBatch() arrow.RecordBatch { return r.batch }
func (r *records) Record() arrow.RecordBatch      { return r.batch }
func (r *records) Err() error                     { return r.err }

func (r *records) Next() bool {
	r.drop()
	if r.err != nil {
		return false
	}
	r.batch, r.err = r.reader.Next()
	return r.batch != nil && r.err == nil
}

func (r *records) drop() {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
}
