package flight

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	gen "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"google.golang.org/protobuf/proto"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
)

// CreatePreparedStatement describes a statement and keeps it.
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
	p := &preparedStatement{user: userOf(ctx), project: id, sql: in.GetQuery()}
	fields := inOrder(shape.Parameters)
	for i, f := range fields {
		p.parameters = append(p.parameters, f.Name)
		fields[i].Type = bindable(f.Type)
	}
	isUpdate := false
	return flightsql.ActionCreatePreparedStatementResult{
		Handle: f.statements.add(p), DatasetSchema: shape.Schema, ParameterSchema: arrow.NewSchema(fields, nil),
		IsUpdate: &isUpdate,
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

// ClosePreparedStatement forgets a statement. One that does not exist counts as closed.
func (f *Face) ClosePreparedStatement(ctx context.Context, in flightsql.ActionClosePreparedStatementRequest) error {
	if _, err := f.statements.get(in.GetPreparedStatementHandle(), userOf(ctx)); err == nil {
		f.statements.remove(in.GetPreparedStatementHandle())
	}
	return nil
}

// bind binds the parameters of a statement: each row gives a result, and the results follow each other.
func (f *Face) bind(stream *putStream, in *gen.CommandPreparedStatementQuery) error {
	handle := in.GetPreparedStatementHandle()
	p, err := f.statements.get(handle, userOf(stream.Context()))
	if err != nil {
		return err
	}
	rows, err := f.parameters(stream)
	if err != nil {
		return err
	}
	defer rows.Release()
	b := &binding{parameters: p.parameters}
	if err := readable(func() error { return b.read(rows) }); err != nil {
		return err
	}
	p.mu.Lock()
	p.rows, p.every, p.shape = b.rows, b.every, nil
	p.mu.Unlock()
	answer, err := proto.Marshal(&gen.DoPutPreparedStatementResult{PreparedStatementHandle: handle})
	if err != nil {
		return err
	}
	return stream.Send(&flight.PutResult{AppMetadata: answer})
}

// parameters returns the records of a stream, decoded by another process.
func (f *Face) parameters(stream *putStream) (array.RecordReader, error) {
	upload, _, err := f.stage(stream, 2*maxBoundBytes)
	if err != nil {
		if errors.Is(err, errTooLarge) {
			err = errManyBound
		}
		return nil, err
	}
	defer upload.Remove()
	ctx, cancel := context.WithTimeout(stream.Context(), f.options.Limits.QueryTimeout)
	defer cancel()
	text, err := f.store.Readers.RewriteArrow(ctx, upload.Upload, 2*maxBoundBytes)
	switch {
	case fault.KindOf(storage.Explain(err)) == fault.TooLarge:
		return nil, errManyBound
	case err != nil:
		return nil, err
	}
	return ipc.NewReader(bytes.NewReader(text), ipc.WithAllocator(f.options.Memory))
}

// look describes a statement with its bound parameters again.
func (f *Face) look(ctx context.Context, handle []byte) (*query.Shape, error) {
	p, err := f.statements.get(handle, userOf(ctx))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	err = f.lookAt(ctx, p)
	return p.shape, err
}

// lookAt finds the statement's shape. p.mu is held.
func (f *Face) lookAt(ctx context.Context, p *preparedStatement) error {
	ctx, cancel := context.WithTimeout(ctx, f.options.Limits.QueryTimeout)
	defer cancel()
	shape, err := query.Describe(ctx, f.store, query.Statement{
		SQL: p.sql, Project: p.project, Values: p.every, Audit: f.auditFiles(ctx),
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
	shape, err := f.look(ctx, in.GetPreparedStatementHandle())
	if err != nil {
		return nil, err
	}
	return f.info(desc, desc.Cmd, shape.Schema), nil
}

// GetSchemaPreparedStatement returns the schema of a bound statement's result.
func (f *Face) GetSchemaPreparedStatement(
	ctx context.Context, in flightsql.PreparedStatementQuery, _ *flight.FlightDescriptor,
) (*flight.SchemaResult, error) {
	shape, err := f.look(ctx, in.GetPreparedStatementHandle())
	if err != nil {
		return nil, err
	}
	return &flight.SchemaResult{Schema: flight.SerializeSchema(shape.Schema, f.options.Memory)}, nil
}

// DoGetPreparedStatement runs a bound statement, with the meaning of its last description.
func (f *Face) DoGetPreparedStatement(
	ctx context.Context, in flightsql.PreparedStatementQuery,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	p, err := f.statements.get(in.GetPreparedStatementHandle(), userOf(ctx))
	if err != nil {
		return nil, nil, err
	}
	list, err := f.runs(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	return f.send(ctx, list)
}

// runs returns the statements to run: one for each row of parameters, cast to the schema that clients were given.
func (f *Face) runs(ctx context.Context, p *preparedStatement) (list []query.Statement, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shape == nil {
		if err := f.lookAt(ctx, p); err != nil {
			return nil, err
		}
	}
	s := query.Statement{SQL: p.sql, Project: p.project, Meaning: p.shape.Meaning}
	if len(p.parameters) == 0 {
		return []query.Statement{s}, nil
	}
	s.Columns = p.shape.Columns
	for _, row := range p.rows {
		s.Values = row
		list = append(list, s)
	}
	return list, nil
}
