//go:build duckdb_arrow

package duck

import (
	"context"
	"database/sql/driver"
	"errors"
	"reflect"
	"sync"
	"time"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	bindings "github.com/duckdb/duckdb-go-bindings"
	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/arrowmapping"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// chunks is a result that is read while DuckDB computes it. DuckDB pauses when it is a few chunks ahead of the reader.
type chunks struct {
	ctx     context.Context
	on      *local
	query   string
	handle  mapping.Connection
	stmt    *duckdb.Stmt
	pending mapping.PendingResult
	res     mapping.Result
	opts    arrowmapping.ArrowOptions
	schema  *arrow.Schema
	running bool // DuckDB has begun to compute it, and has not come to its end
	stop    func()
}

// stream runs a statement. duckdb-go materialises a result before it returns the first row, although the C API under it
// can stream. So duckdb-go prepares the statement, and its bindings bind and run it.
func (l *local) stream(ctx context.Context, most int64, query string, params []Param) (source, error) {
	s, err := l.chunks(ctx, query, params)
	if err != nil {
		return nil, err
	}
	return enlarged(s, most), nil
}

// chunks runs a statement and returns its result in DuckDB's own chunks.
func (l *local) chunks(ctx context.Context, query string, params []Param) (source, error) {
	r := &chunks{ctx: ctx, on: l, query: query}
	err := l.raw(func(conn *duckdb.Conn) error {
		r.handle = handleOf(conn)
		r.stop = interruptAtEnd(ctx, r.handle)
		return r.start(conn, params)
	})
	if err != nil {
		r.Close()
		return nil, l.handled(ctx, query, err)
	}
	return r, nil
}

func (r *chunks) start(conn *duckdb.Conn, params []Param) error {
	var err error
	if r.stmt, err = r.on.prepare(r.ctx, conn, r.query); err != nil {
		return err
	}
	prepared := preparedOf(r.stmt)
	if err := bindParams(prepared, params); err != nil {
		return err
	}
	if bindings.PendingPreparedStreaming(prepared, &r.pending) == mapping.StateError {
		return statementError(mapping.PendingError(r.pending))
	}
	if mapping.ExecutePending(r.pending, &r.res) == mapping.StateError {
		return statementError(mapping.ResultError(&r.res))
	}
	r.running = true
	return r.readSchema()
}

// pointerIn reads the C pointer from an unexported field of duckdb-go's. The version is pinned, and every test that
// reads a row fails if the field changes.
func pointerIn(of any, field string) unsafe.Pointer {
	return reflect.ValueOf(of).Elem().FieldByName(field).FieldByName("Ptr").UnsafePointer()
}

// interruptEvery is how often a statement whose context has ended is interrupted.
const interruptEvery = 50 * time.Millisecond

// interruptAtEnd interrupts the connection if ctx ends before the returned function is called, and again until then: a
// statement that starts makes DuckDB forget an earlier interruption.
func interruptAtEnd(ctx context.Context, conn mapping.Connection) (stop func()) {
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		for {
			mapping.Interrupt(conn)
			select {
			case <-done:
				return
			case <-time.After(interruptEvery):
			}
		}
	})
	return sync.OnceFunc(func() { close(done); watching.Wait() })
}

func (r *chunks) readSchema() error {
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

func (r *chunks) Schema() *arrow.Schema { return r.schema }

// Next returns a batch of at most 2,048 rows.
func (r *chunks) Next() (arrow.RecordBatch, error) {
	if r.ctx.Err() != nil {
		return nil, context.Cause(r.ctx)
	}
	chunk := mapping.FetchChunk(r.res)
	if chunk.Ptr == nil {
		r.running = false
		if msg := mapping.ResultError(&r.res); msg != "" {
			return nil, r.on.handled(r.ctx, r.query, statementError(msg))
		}
		return nil, nil
	}
	defer mapping.DestroyDataChunk(&chunk)
	if mapping.DataChunkGetSize(chunk) == 0 {
		return nil, nil
	}
	batch, ed := arrowmapping.DataChunkToArrowArray(r.opts, r.schema, chunk)
	if err := arrowError(ed); err != nil {
		return batch, r.on.handled(r.ctx, r.query, err)
	}
	blank(batch)
	return batch, nil
}

// Close frees the result. Nothing computes it any more when it returns.
func (r *chunks) Close() {
	if r.stop != nil {
		r.stop()
	}
	if r.running {
		r.abandon()
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

// abandon ends the computation of a result that was not read to its end. DuckDB's threads go on with it otherwise, even
// after the result is destroyed, until the connection's next statement; and what they read, such as an Arrow stream, may
// be freed before. So the next statement is this one, which has nothing to do but that.
func (r *chunks) abandon() {
	mapping.Interrupt(r.handle)
	var one mapping.Result
	_ = mapping.Query(r.handle, "SELECT 1", &one) // even where it fails, DuckDB has cleaned up before it
	mapping.DestroyResult(&one)
}

// View makes an Arrow stream readable on this connection, once, as a view of that name. The caller must call release
// after the last statement that reads it, and keeps its own reference to the stream. Sandboxes have no such views:
// values are passed to them as parameters.
func (c *Conn) View(ctx context.Context, name string, stream array.RecordReader) (release func(), err error) {
	l, ok := c.session.(*local)
	if !ok {
		return nil, errors.New("a sandbox can't read a stream")
	}
	if err := l.ownSchema(ctx); err != nil {
		return nil, err
	}
	err = l.sql.Raw(func(dc any) error {
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
