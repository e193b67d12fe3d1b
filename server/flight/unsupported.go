package flight

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
)

// What this face does not do, each with what does it.
var (
	errTransactions = unsupported("There are no transactions: each commit stands by itself, and a commit can be rolled back over HTTP.")
	errSavepoints   = unsupported("There are no savepoints inside transactions. Savepoints of a dataset are made over HTTP.")
	errUpdates      = unsupported("SQL reads, and changes nothing. Send records with a bulk ingest, or with a DoPut whose command says the mode, as in {\"dataset\": \"employees\", \"mode\": \"upsert\"}.")
	errSubstrait    = unsupported("There are no Substrait plans. Write one SELECT.")
	errPolling      = unsupported("Results can't be polled for: GetFlightInfo answers at once, and DoGet streams.")
	errCancelling   = unsupported("A query ends when its DoGet call is cancelled.")
	errExpiry       = unsupported("A ticket has no time after which it ends, and so none that could be put off.")
	errFlights      = unsupported("There is no list of flights. Ask for the tables (CommandGetTables).")
	errExchange     = unsupported("There is no DoExchange. Use DoGet to read and DoPut to write.")
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
func (f *Face) DoPutPreparedStatementUpdate(context.Context, flightsql.PreparedStatementUpdate, flight.MessageReader) (int64, error) {
	return 0, errUpdates
}

// DoPutCommandSubstraitPlan is refused.
func (f *Face) DoPutCommandSubstraitPlan(context.Context, flightsql.StatementSubstraitPlan) (int64, error) {
	return 0, errSubstrait
}

// GetFlightInfoSubstraitPlan is refused.
func (f *Face) GetFlightInfoSubstraitPlan(context.Context, flightsql.StatementSubstraitPlan, *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return nil, errSubstrait
}

// GetSchemaSubstraitPlan is refused.
func (f *Face) GetSchemaSubstraitPlan(context.Context, flightsql.StatementSubstraitPlan, *flight.FlightDescriptor) (*flight.SchemaResult, error) {
	return nil, errSubstrait
}

// CreatePreparedSubstraitPlan is refused.
func (f *Face) CreatePreparedSubstraitPlan(context.Context, flightsql.ActionCreatePreparedSubstraitPlanRequest) (out flightsql.ActionCreatePreparedStatementResult, err error) {
	return out, errSubstrait
}

// PollFlightInfo is refused.
func (f *Face) PollFlightInfo(context.Context, *flight.FlightDescriptor) (*flight.PollInfo, error) {
	return nil, errPolling
}

// PollFlightInfoStatement is refused.
func (f *Face) PollFlightInfoStatement(context.Context, flightsql.StatementQuery, *flight.FlightDescriptor) (*flight.PollInfo, error) {
	return nil, errPolling
}

// PollFlightInfoSubstraitPlan is refused.
func (f *Face) PollFlightInfoSubstraitPlan(context.Context, flightsql.StatementSubstraitPlan, *flight.FlightDescriptor) (*flight.PollInfo, error) {
	return nil, errPolling
}

// PollFlightInfoPreparedStatement is refused.
func (f *Face) PollFlightInfoPreparedStatement(context.Context, flightsql.PreparedStatementQuery, *flight.FlightDescriptor) (*flight.PollInfo, error) {
	return nil, errPolling
}

// CancelFlightInfo is refused.
func (f *Face) CancelFlightInfo(context.Context, *flight.CancelFlightInfoRequest) (flight.CancelFlightInfoResult, error) {
	return flight.CancelFlightInfoResult{}, errCancelling
}

// RenewFlightEndpoint is refused.
func (f *Face) RenewFlightEndpoint(context.Context, *flight.RenewFlightEndpointRequest) (*flight.FlightEndpoint, error) {
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
		{Type: flight.GetSessionOptionsActionType, Description: "Tell the project."},
		{Type: flight.CloseSessionActionType, Description: "Forget the project that was chosen."},
	} {
		if err := stream.Send(a); err != nil {
			return err
		}
	}
	return nil
}
