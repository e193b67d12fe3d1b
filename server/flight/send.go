package flight

import (
	"cmp"
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage/fair"
	"github.com/rowback/rowback/storage/output"
)

// truncated is the trailer that says whether a result ends before all of it was sent: no, or bytes.
const truncated = "x-rowback-truncated"

// sender sends the results of statements, one after another, as one stream.
type sender struct {
	face   *Face
	call   context.Context // the client's
	ctx    context.Context // the statements'
	stream *fair.Stream
	left   int64 // bytes that may still be sent
	schema *arrow.Schema
	out    chan flight.StreamChunk
}

// send runs statements whose results have the same schema, and returns the schema and the stream. Nothing is read ahead
// of the client; when it disconnects, or its caller may not see the results any more, the statement ends.
func (f *Face) send(call context.Context, list []query.Statement) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	for i, statement := range list {
		list[i].Audit = f.auditFiles(call)
		audit.Of(call).Project(statement.Project)
		audit.Of(call).Statement(statement.SQL)
	}
	ctx, end := context.WithCancelCause(call)
	ctx, stop := context.WithTimeout(ctx, f.options.Limits.QueryTimeout)
	cancel := func() { stop(); end(nil) }
	ctx, stream := fair.WithStream(ctx, end)
	if !f.options.Gate.IsOpen() {
		go permit.While(ctx, callerOf(call).Caller, end)
	}
	s := &sender{
		face: f, call: call, ctx: ctx, stream: stream, left: f.options.Limits.MaxResult, out: make(chan flight.StreamChunk),
	}
	result, err := s.open(list[0])
	if err != nil {
		cancel()
		return nil, nil, err
	}
	s.schema = result.Schema()
	f.work.Go(func() {
		defer close(s.out)
		defer cancel()
		cut, err := output.Whole, error(nil)
		err = recovered(func() error { cut, err = s.all(result, list[1:]); return err })
		if err != nil {
			select {
			case s.out <- flight.StreamChunk{Err: err}:
			case <-call.Done():
			}
			return
		}
		trailer := metadata.Pairs(truncated, cmp.Or(string(cut), "no"))
		_ = grpc.SetTrailer(call, trailer) // it fails if the client has disconnected
	})
	return s.schema, s.out, nil
}

func (s *sender) open(statement query.Statement) (*query.Result, error) {
	statement.Bytes = s.left
	return query.Open(s.ctx, s.face.store, statement, sentMessage)
}

// all sends the first result and the others. If they are cut, the last message says so too.
func (s *sender) all(first *query.Result, rest []query.Statement) (cut output.Cut, err error) {
	cut, err = s.one(first)
	for len(rest) > 0 && err == nil && cut == output.Whole {
		var next *query.Result
		if next, err = s.open(rest[0]); err == nil {
			cut, err = s.one(next)
			rest = rest[1:]
		}
	}
	if err != nil || cut == output.Whole {
		return cut, err
	}
	b := array.NewRecordBuilder(s.face.options.Memory, s.schema)
	defer b.Release()
	none := b.NewRecordBatch()
	return cut, s.put(flight.StreamChunk{Data: none, AppMetadata: fmt.Appendf(nil, `{"truncated":%q}`, cut)})
}

// one sends one result.
func (s *sender) one(r *query.Result) (output.Cut, error) {
	defer r.Close()
	for {
		b, err := r.Next()
		if err != nil || b == nil {
			s.left = max(r.Left(), 1)
			return r.Cut(), err
		}
		if err := s.put(flight.StreamChunk{Data: b}); err != nil {
			b.Release()
			return output.Whole, err
		}
	}
}

// put waits until the client takes a chunk, or the time limit.
func (s *sender) put(c flight.StreamChunk) error {
	return s.stream.Send(func() error {
		select {
		case s.out <- c:
			return nil
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	})
}
