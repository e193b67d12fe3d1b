package spark

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/rowback/rowback/query/spark/connect"
)

// Table is a table that a query names.
type Table struct {
	Name    string // in the query
	Format  string // Iceberg or Parquet
	Address string // of an Iceberg table the URI of its directory, which has metadata/v1.metadata.json
}

// The formats of tables.
const (
	Iceberg = "iceberg"
	Parquet = "parquet"
)

// Query is a statement that the engine runs. Values are nil, bool, int64, float64, string or Decimal.
type Query struct {
	SQL    string
	Tables []Table
	List   []any          // values for ?
	Named  map[string]any // values for :name
	Limit  *int64         // the most rows; nil: all
}

// Result is a running query. Close must be called.
type Result struct {
	session *session
	stream  connect.SparkConnectService_ExecutePlanClient
	cancel  context.CancelCauseFunc
	ctx     context.Context
	schema  *arrow.Schema
	first   []arrow.RecordBatch // read ahead, for the schema
	ended   bool
	failed  bool
}

// Run runs a query. It returns when the engine has sent the first batch, which every result has. ctx ends it.
func (e *Engine) Run(ctx context.Context, q Query) (r *Result, err error) {
	e.statements.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	r = &Result{session: e.session(), ctx: ctx, cancel: cancel}
	if err = r.start(q); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// start sends the query, and reads the first batch.
func (r *Result) start(q Query) error {
	plan, err := planOf(q)
	if err != nil {
		return err
	}
	if err := r.session.set(r.ctx); err != nil {
		return r.fail(err)
	}
	s := r.session
	r.stream, err = s.engine.client.ExecutePlan(r.ctx, &connect.ExecutePlanRequest{
		SessionId: s.id, UserContext: s.user, ClientType: &s.client, Plan: plan,
	})
	if err != nil {
		return r.fail(err)
	}
	first, err := r.receive()
	if err != nil {
		return err
	}
	if r.schema == nil {
		return r.fail(errors.New("the engine sent no schema"))
	}
	r.first = first
	return nil
}

// Schema describes the batches.
func (r *Result) Schema() *arrow.Schema { return r.schema }

// Next returns the next batches, which the caller releases; none at the end. After an error the result has ended.
func (r *Result) Next() ([]arrow.RecordBatch, error) {
	if r.first != nil {
		out := r.first
		r.first = nil
		return out, nil
	}
	if r.ended {
		return nil, nil
	}
	return r.receive()
}

// receive reads answers until one has batches.
func (r *Result) receive() ([]arrow.RecordBatch, error) {
	for {
		answer, err := r.stream.Recv()
		if errors.Is(err, io.EOF) {
			r.ended = true
			return nil, nil
		}
		if err != nil {
			return nil, r.fail(err)
		}
		batch := answer.GetArrowBatch()
		if batch == nil {
			continue // progress, metrics
		}
		out, err := r.decode(batch)
		if err != nil {
			return nil, r.fail(err)
		}
		if len(out) > 0 {
			return out, nil
		}
	}
}

// decode reads the Arrow stream of an answer. arrow-go panics on some that are malformed.
func (r *Result) decode(batch *connect.ExecutePlanResponse_ArrowBatch) (out []arrow.RecordBatch, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the engine sent a malformed batch: %v", p)
		}
		if err != nil {
			release(out)
			out = nil
		}
	}()
	in, err := ipc.NewReader(bytes.NewReader(batch.GetData()))
	if err != nil {
		return nil, fmt.Errorf("the engine sent a malformed batch: %w", err)
	}
	defer in.Release()
	if r.schema == nil {
		r.schema = in.Schema()
	}
	rows := int64(0)
	for in.Next() {
		b := in.RecordBatch()
		if !sameTypes(b.Schema(), r.schema) {
			return out, errors.New("the engine sent batches of different schemas")
		}
		rows += b.NumRows()
		if b.NumRows() > 0 {
			b.Retain()
			out = append(out, b)
		}
	}
	if err := in.Err(); err != nil {
		return out, fmt.Errorf("the engine sent a malformed batch: %w", err)
	}
	if rows != batch.GetRowCount() {
		return out, fmt.Errorf("the engine sent %d rows, and said %d", rows, batch.GetRowCount())
	}
	return out, nil
}

// sameTypes reports whether two schemas have the same columns, whatever is said of nulls.
func sameTypes(a, b *arrow.Schema) bool {
	if a.NumFields() != b.NumFields() {
		return false
	}
	for i := range a.NumFields() {
		if a.Field(i).Name != b.Field(i).Name || !arrow.TypeEqual(a.Field(i).Type, b.Field(i).Type) {
			return false
		}
	}
	return true
}

// fail notes that the query failed, and returns why.
func (r *Result) fail(err error) error {
	r.failed, r.ended = true, true
	return explain(r.ctx, err)
}

// Close ends the query, finished or not, and its session.
func (r *Result) Close() {
	release(r.first)
	r.first = nil
	running := !r.ended || r.failed
	if running {
		r.session.engine.failures.Add(1)
	}
	r.cancel(errEnded)
	go func() {
		if running {
			r.session.interrupt()
		}
		r.session.release()
	}()
}

func release(batches []arrow.RecordBatch) {
	for _, b := range batches {
		b.Release()
	}
}
