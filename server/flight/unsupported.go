package flight

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
)

// What this face does not support, each with what to use instead.
var (
	errTransactions = unsupported("There are no transactions: each commit is atomic, and a commit can be rolled back " +
		"over HTTP.")
	errSavepoints = unsupported("There are no savepoints inside transactions. Create savepoints of a dataset over HTTP.")
	errUpdates    = unsupported("SQL is read-only. Send records with a bulk ingest, or with a DoPut whose command " +
		"has the mode, as in {\"dataset\": \"employees\", \"mode\": \"upsert\"}.")
	errSubstrait  = unsupported("Substrait plans are not supported. Write one SELECT.")
	errPolling    = unsupported("Results can't be polled for: GetFlightInfo answers at once, and DoGet streams.")
	errCancelling = unsupported("A query ends when its DoGet call is cancelled.")
	errExpiry     = unsupported("Tickets do not expire, so there is nothing to renew.")
	errFlights    = unsupported("Flights can't be listed. Ask for the tables (CommandGetTables).")
	errExchange   = unsupported("DoExchange is not supported. Use DoGet to read and DoPut to write.")
)

// BeginTransaction is refused.
func (f *Face) BeginTransaction(context.Context, flightsql.ActionBeginTransactionRequest) ([]byte, error) {
	return nil, errTransactions
}

// EndTransaction is refused.
func (f *Face) EndTransaction(context.Context, flightsql.ActionEndTransactionRequest) error {
	return errTransactions
}

// BeginSavepoint is refused.
func (f *Face) BeginSavepoint(context.Context, flightsql.ActionBeginSavepointRequest) ([]byte, error) {
	return nil, errSavepoints
}

// EndSavepoint is refused.
func (f *Face) EndSavepoint(context.Context, flightsql.ActionEndSavepointRequest) error {
	return errSavepoints
}

// DoPutCommandStatementUpdate is refused.
func (f *Face) DoPutCommandStatementUpdate(context.Context, flightsql.StatementUpdate) (int64, error) {
	return 0, errUpdates
}

// DoPutPreparedStatementUpdate is refused.
func (f *Face) DoPutPreparedStatementUpdate(
	context.Context, flightsql.PreparedStatementUpdate, flight.MessageReader,
) (int64, error) {
	return 0, errUpdates
}

// DoPutCommandSubstraitPlan is refused.
func (f *Face) DoPutCommandSubstraitPlan(context.Context, flightsql.StatementSubstraitPlan) (int64, error) {
	return 0, errSubstrait
}

// GetFlightInfoSubstraitPlan is refused.
func (f *Face) GetFlightInfoSubstraitPlan(
	context.Context, flightsql.StatementSubstraitPlan, *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	return nil, errSubstrait
}

// GetSchemaSubstraitPlan is refused.
func (f *Face) GetSchemaSubstraitPlan(
	context.Context, flightsql.StatementSubstraitPlan, *flight.FlightDescriptor,
) (*flight.SchemaResult, error) {
	return nil, errSubstrait
}

// CreatePreparedSubstraitPlan is refused.
func (f *Face) CreatePreparedSubstraitPlan(
	context.Context, flightsql.ActionCreatePreparedSubstraitPlanRequest,
) (out flightsql.ActionCreatePreparedStatementResult, err error) {
	return out, errSubstrait
}

// PollFlightInfo is refused.
func (f *Face) PollFlightInfo(context.Context, *flight.FlightDescriptor) (*flight.PollInfo, error) {
	return nil, errPolling
}

// PollFlightInfoStatement is refused.
func (f *Face) PollFlightInfoStatement(
	context.Context, flightsql.StatementQuery, *flight.FlightDescriptor,
) (*flight.PollInfo, error) {
	return nil, errPolling
}

// PollFlightInfoSubstraitPlan is refused.
func (f *Face) PollFlightInfoSubstraitPlan(
	context.Context, flightsql.StatementSubstraitPlan, *flight.FlightDescriptor,
) (*flight.PollInfo, error) {
	return nil, errPolling
}

// PollFlightInfoPreparedStatement is refused.
func (f *Face) PollFlightInfoPreparedStatement(
	context.Context, flightsql.PreparedStatementQuery, *flight.FlightDescriptor,
) (*flight.PollInfo, error) {
	return nil, errPolling
}

// CancelFlightInfo is refused.
func (f *Face) CancelFlightInfo(
	context.Context, *flight.CancelFlightInfoRequest,
) (flight.CancelFlightInfoResult, error) {
	return flight.CancelFlightInfoResult{}, errCancelling
}

// RenewFlightEndpoint is refused.
func (f *Face) RenewFlightEndpoint(
	context.Context, *flight.RenewFlightEndpointRequest,
) (*flight.FlightEndpoint, error) {
	return nil, errExpiry
}

// ListFlights is refused.
func (s *service) ListFlights(*flight.Criteria, flight.FlightService_ListFlightsServer) error {
	return errFlights
}

// DoExchange is refused.
func (s *service) DoExchange(flight.FlightService_DoExchangeServer) error { return errExchange }

// ListActions lists the actions that there are.
func (s *service) ListActions(_ *flight.Empty, stream flight.FlightService_ListActionsServer) error {
	for _, a := range []*flight.ActionType{
		{Type: flightsql.CreatePreparedStatementActionType, Description: "Prepare a statement."},
		{Type: flightsql.ClosePreparedStatementActionType, Description: "Forget a prepared statement."},
		{Type: flight.SetSessionOptionsActionType, Description: "Choose the project, with the option catalog."},
		{Type: flight.GetSessionOptionsActionType, Description: "Get the project."},
		{Type: flight.CloseSessionActionType, Description: "Forget the project that was chosen."},
	} {
		if err := stream.Send(a); err != nil {
			return err
		}
	}
	return nil
}
