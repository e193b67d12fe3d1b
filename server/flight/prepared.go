package flight

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	gen "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"google.golang.org/protobuf/proto"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
)

// CreatePreparedStatement describes a statement, and returns a handle that has all of it.
func (f *Face) CreatePreparedStatement(
	ctx context.Context, in flightsql.ActionCreatePreparedStatementRequest,
) (out flightsql.ActionCreatePreparedStatementResult, err error) {
	if len(in.GetTransactionId()) > 0 {
		return out, errTransactions
	}
	id, err := f.project(ctx)
	if err != nil {
		return out, err
	}
	timed, cancel := context.WithTimeout(ctx, f.options.Limits.QueryTimeout)
	defer cancel()
	shape, err := query.Check(timed, f.store, query.Statement{SQL: in.GetQuery(), Project: id, Audit: f.auditFiles(ctx)})
	if err != nil {
		return out, err
	}
	fields, names := inOrder(shape.Parameters), []string{}
	for i, f := range fields {
		names = append(names, f.Name)
		fields[i].Type = bindable(f.Type)
	}
	h := newHandle(userOf(ctx), in.GetQuery(), id, names)
	text, err := h.encode()
	if err != nil {
		return out, err
	}
	f.statements.add(&preparedStatement{handle: h})
	isUpdate := false
	return flightsql.ActionCreatePreparedStatementResult{
		Handle: text, DatasetSchema: shape.Schema, ParameterSchema: arrow.NewSchema(fields, nil), IsUpdate: &isUpdate,
	}, nil
}

// inOrder sorts parameters by number, or else by name.
func inOrder(fields []arrow.Field) []arrow.Field {
	return slices.SortedFunc(slices.Values(fields), func(a, b arrow.Field) int {
		m, errA := strconv.Atoi(a.Name)
		n, errB := strconv.Atoi(b.Name)
		if errA == nil && errB == nil {
			return cmp.Compare(m, n)
		}
		return cmp.Compare(a.Name, b.Name)
	})
}

// bindable returns the type that clients see for a parameter. Some drivers convert each value to it, so
// numbers are wide, so that no value is cut; times are in milliseconds, which the JDBC driver sends
// whatever the unit; and a parameter that may have any type is a string.
func bindable(t arrow.DataType) arrow.DataType {
	switch t := t.(type) {
	case *arrow.NullType, *arrow.DictionaryType, *arrow.LargeStringType, *arrow.StringViewType:
		return arrow.BinaryTypes.String
	case *arrow.TimestampType:
		return &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: t.TimeZone}
	case *arrow.Time32Type, *arrow.Time64Type:
		return arrow.FixedWidthTypes.Time32ms
	case arrow.DecimalType:
		if t.GetScale() > 0 {
			return t
		}
		return arrow.PrimitiveTypes.Int64 // HUGEINT, and counts and sums
	case arrow.ExtensionType:
		return bindable(t.StorageType())
	}
	switch {
	case arrow.IsInteger(t.ID()) && t.ID() != arrow.UINT64:
		return arrow.PrimitiveTypes.Int64
	case arrow.IsFloating(t.ID()):
		return arrow.PrimitiveTypes.Float64
	}
	return t
}

// ClosePreparedStatement forgets a statement. One that is not remembered counts as closed.
func (f *Face) ClosePreparedStatement(ctx context.Context, in flightsql.ActionClosePreparedStatementRequest) error {
	if h, err := decodeHandle(in.GetPreparedStatementHandle(), userOf(ctx)); err == nil {
		f.statements.remove(h)
	}
	return nil
}

// statement finds the statement of a handle: as this server remembers it, or made again from the handle. What is bound
// in the handle counts.
func (f *Face) statement(ctx context.Context, text []byte) (*preparedStatement, handle, error) {
	h, err := decodeHandle(text, userOf(ctx))
	if err != nil {
		return nil, h, err
	}
	p := f.statements.get(h)
	if p != nil && (len(h.bound) == 0 || bytes.Equal(h.bound, p.handle.bound)) {
		return p, h, nil
	}
	p = &preparedStatement{handle: h}
	if len(h.bound) > 0 {
		_, b, err := f.parameters(ctx, h, func() (calls.Upload, error) {
			return calls.Stage(f.store, intake.Arrow, func(out io.Writer) (int64, error) {
				n, err := out.Write(h.bound)
				return int64(n), err
			})
		})
		if err != nil {
			return nil, h, err
		}
		p.rows, p.every = b.rows, b.every
	}
	f.statements.add(p)
	return p, h, nil
}

// bind binds the parameters of a statement: each row gives a result, and the results follow each other. The client gets
// a handle that has them.
func (f *Face) bind(stream *putStream, in *gen.CommandPreparedStatementQuery) error {
	ctx := stream.Context()
	h, err := decodeHandle(in.GetPreparedStatementHandle(), userOf(ctx))
	if err != nil {
		return err
	}
	h.Meaning, h.bound = nil, nil // what the names stand for may depend on what is bound
	text, b, err := f.parameters(ctx, h, func() (calls.Upload, error) {
		upload, _, err := f.stage(stream, 2*maxBoundBytes)
		return upload, err
	})
	if err != nil {
		return err
	}
	if len(text) <= maxHandle {
		h.bound = text
	}
	f.statements.add(&preparedStatement{handle: h, rows: b.rows, every: b.every})
	bound, err := h.encode()
	if err != nil {
		return err
	}
	answer, err := proto.Marshal(&gen.DoPutPreparedStatementResult{PreparedStatementHandle: bound})
	if err != nil {
		return err
	}
	return stream.Send(&flight.PutResult{AppMetadata: answer})
}

// parameters reads rows that are bound, decoded by another process, and returns them as a stream too.
func (f *Face) parameters(
	ctx context.Context, h handle, stage func() (calls.Upload, error),
) (text []byte, b *binding, err error) {
	upload, err := stage()
	if err != nil {
		if errors.Is(err, errTooLarge) {
			err = errManyBound
		}
		return nil, nil, err
	}
	defer upload.Remove()
	ctx, cancel := context.WithTimeout(ctx, f.options.Limits.QueryTimeout)
	defer cancel()
	text, err = f.store.Readers.RewriteArrow(ctx, upload.Upload, 2*maxBoundBytes)
	switch {
	case fault.KindOf(storage.Explain(err)) == fault.TooLarge:
		return nil, nil, errManyBound
	case err != nil:
		return nil, nil, err
	}
	rows, err := ipc.NewReader(bytes.NewReader(text), ipc.WithAllocator(f.options.Memory))
	if err != nil {
		return nil, nil, err
	}
	defer rows.Release()
	b = &binding{parameters: h.Parameters}
	return text, b, readable(func() error { return b.read(rows) })
}

// look describes a statement with its bound parameters again.
func (f *Face) look(ctx context.Context, text []byte) (*query.Shape, handle, error) {
	p, h, err := f.statement(ctx, text)
	if err != nil {
		return nil, h, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	err = f.lookAt(ctx, p, nil)
	return p.shape, h, err
}

// lookAt finds the statement's shape, where its names have a meaning; nil: what they stand for now. p.mu is held.
func (f *Face) lookAt(ctx context.Context, p *preparedStatement, meaning query.Meaning) error {
	ctx, cancel := context.WithTimeout(ctx, f.options.Limits.QueryTimeout)
	defer cancel()
	shape, err := query.Describe(ctx, f.store, query.Statement{
		SQL: p.handle.SQL, Project: p.handle.Project, Values: p.every, Meaning: meaning, Audit: f.auditFiles(ctx),
	})
	if err == nil {
		p.shape = &shape
	}
	return err
}

// GetFlightInfoPreparedStatement returns the schema of a bound statement's result, and the ticket that fetches it.
func (f *Face) GetFlightInfoPreparedStatement(
	ctx context.Context, in flightsql.PreparedStatementQuery, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	shape, h, err := f.look(ctx, in.GetPreparedStatementHandle())
	if err != nil {
		return nil, err
	}
	h.Meaning = shape.Meaning
	t, err := h.ticket()
	if err != nil {
		return nil, err
	}
	return f.info(desc, t, shape.Schema), nil
}

// GetSchemaPreparedStatement returns the schema of a bound statement's result.
func (f *Face) GetSchemaPreparedStatement(
	ctx context.Context, in flightsql.PreparedStatementQuery, _ *flight.FlightDescriptor,
) (*flight.SchemaResult, error) {
	shape, _, err := f.look(ctx, in.GetPreparedStatementHandle())
	if err != nil {
		return nil, err
	}
	return &flight.SchemaResult{Schema: flight.SerializeSchema(shape.Schema, f.options.Memory)}, nil
}

// DoGetPreparedStatement runs a bound statement, with the meaning that its ticket says, or of its last description.
func (f *Face) DoGetPreparedStatement(
	ctx context.Context, in flightsql.PreparedStatementQuery,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	p, h, err := f.statement(ctx, in.GetPreparedStatementHandle())
	if err != nil {
		return nil, nil, err
	}
	list, err := f.runs(ctx, p, h.Meaning)
	if err != nil {
		return nil, nil, err
	}
	return f.send(ctx, list)
}

// runs returns the statements to run: one for each row of parameters, cast to the schema that clients were given.
func (f *Face) runs(ctx context.Context, p *preparedStatement, meaning query.Meaning) (list []query.Statement, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shape == nil || meaning != nil && !maps.Equal(meaning, p.shape.Meaning) {
		if err := f.lookAt(ctx, p, meaning); err != nil {
			return nil, err
		}
	}
	s := query.Statement{SQL: p.handle.SQL, Project: p.handle.Project, Meaning: p.shape.Meaning}
	if len(p.handle.Parameters) == 0 {
		return []query.Statement{s}, nil
	}
	s.Columns = p.shape.Columns
	for _, row := range p.rows {
		s.Values = row
		list = append(list, s)
	}
	return list, nil
}
