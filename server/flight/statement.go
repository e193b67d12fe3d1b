package flight

import (
	"bytes"
	"context"
	"encoding/json"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"github.com/rowback/rowback/query"
)

// ticket fetches a statement's result. Its names mean what they meant when it was issued, so that the
// result has the schema that was returned with it. The client keeps it: nothing in it is trusted.
type ticket struct {
	SQL     string        `json:"sql"`
	Project int64         `json:"project"`
	Meaning query.Meaning `json:"meaning"`
}

func (t ticket) encode() ([]byte, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	return flightsql.CreateStatementQueryTicket(text)
}

// decodeTicket parses what encode wrote.
func decodeTicket(text []byte) (t ticket, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&t) != nil || t.SQL == "" || t.Project < 1 {
		return t, malformed("The ticket was not issued by this server.")
	}
	if _, err := d.Token(); err != io.EOF {
		return t, malformed("The ticket was not issued by this server.")
	}
	return t, nil
}

// describe finds the shape of a statement's result, in the call's project.
func (f *Face) describe(ctx context.Context, q flightsql.StatementQuery) (query.Shape, int64, error) {
	if len(q.GetTransactionId()) > 0 {
		return query.Shape{}, 0, errTransactions
	}
	id, err := f.project(ctx)
	if err != nil {
		return query.Shape{}, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.options.Limits.QueryTimeout)
	defer cancel()
	shape, err := query.Describe(ctx, f.store, query.Statement{SQL: q.GetQuery(), Project: id, Audit: f.auditFiles(ctx)})
	return shape, id, err
}

// GetFlightInfoStatement returns the schema of a statement's result, and the ticket that fetches it.
func (f *Face) GetFlightInfoStatement(
	ctx context.Context, q flightsql.StatementQuery, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	shape, id, err := f.describe(ctx, q)
	if err != nil {
		return nil, err
	}
	t, err := ticket{SQL: q.GetQuery(), Project: id, Meaning: shape.Meaning}.encode()
	if err != nil {
		return nil, err
	}
	return f.info(desc, t, shape.Schema), nil
}

// GetSchemaStatement returns the schema of a statement's result.
func (f *Face) GetSchemaStatement(
	ctx context.Context, q flightsql.StatementQuery, _ *flight.FlightDescriptor,
) (*flight.SchemaResult, error) {
	shape, _, err := f.describe(ctx, q)
	if err != nil {
		return nil, err
	}
	return &flight.SchemaResult{Schema: flight.SerializeSchema(shape.Schema, f.options.Memory)}, nil
}

// DoGetStatement runs the statement of a ticket.
func (f *Face) DoGetStatement(
	ctx context.Context, q flightsql.StatementQueryTicket,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	t, err := decodeTicket(q.GetStatementHandle())
	if err != nil {
		return nil, nil, err
	}
	return f.send(ctx, []query.Statement{{SQL: t.SQL, Project: t.Project, Meaning: t.Meaning}})
}

// info returns the FlightInfo of one stream with a schema, fetched with a ticket.
func (f *Face) info(desc *flight.FlightDescriptor, ticket []byte, schema *arrow.Schema) *flight.FlightInfo {
	return &flight.FlightInfo{
		Schema:           flight.SerializeSchema(schema, f.options.Memory),
		FlightDescriptor: desc,
		Endpoint:         []*flight.FlightEndpoint{{Ticket: &flight.Ticket{Ticket: ticket}}},
		TotalRecords:     -1, TotalBytes: -1,
	}
}
