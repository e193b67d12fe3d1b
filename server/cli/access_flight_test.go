package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/facetest"
	"github.com/rowback/rowback/server/flight"
)

// inProject has a call made in the project, by its header.
const inProject = "project={project}"

// flightTable is what every call of the Flight face needs, as accessTable has it for HTTP: the method, and the message
// of the command, ticket or action, as JSON. Known is also what answers that something is not supported.
var flightTable = map[string]entry{
	"FLIGHT Handshake": {need: access.Known}, "FLIGHT ListActions": {need: access.Known},
	"FLIGHT ListFlights": {need: access.Known}, "FLIGHT DoExchange": {need: access.Known},

	"FLIGHT GetFlightInfo CommandStatementQuery":         {need: access.Reader, query: inProject, body: ofD},
	"FLIGHT GetSchema CommandStatementQuery":             {need: access.Reader, query: inProject, body: ofD},
	"FLIGHT GetFlightInfo CommandGetPrimaryKeys":         {need: access.Reader, body: `{"catalog":"{project}","table":"d"}`},
	"FLIGHT GetFlightInfo CommandGetCatalogs":            {need: access.Known},
	"FLIGHT GetFlightInfo CommandGetDbSchemas":           {need: access.Known},
	"FLIGHT GetFlightInfo CommandGetTables":              {need: access.Known, body: `{"includeSchema":true}`},
	"FLIGHT GetFlightInfo CommandGetTableTypes":          {need: access.Known},
	"FLIGHT GetFlightInfo CommandGetExportedKeys":        {need: access.Known, body: `{"table":"d"}`},
	"FLIGHT GetFlightInfo CommandGetImportedKeys":        {need: access.Known, body: `{"table":"d"}`},
	"FLIGHT GetFlightInfo CommandGetCrossReference":      {need: access.Known, body: `{"pkTable":"d","fkTable":"d"}`},
	"FLIGHT GetFlightInfo CommandGetSqlInfo":             {need: access.Known},
	"FLIGHT GetFlightInfo CommandGetXdbcTypeInfo":        {need: access.Known},
	"FLIGHT GetFlightInfo CommandStatementSubstraitPlan": {need: access.Known},
	"FLIGHT GetFlightInfo CommandPreparedStatementQuery": {need: access.Known, body: ofNone},
	"FLIGHT PollFlightInfo CommandStatementQuery":        {need: access.Known, body: `{"query":"SELECT 1"}`},
	"FLIGHT DoGet TicketStatementQuery":                  {need: access.Known, body: `{"statementHandle":"eA=="}`},

	"FLIGHT DoPut": {need: access.Writer, // with our own command
		body: `{"dataset":"d","project_id":{project},"mode":"upsert","expected_head":99999999}`},
	"FLIGHT DoPut CommandStatementIngest": {need: access.Writer, body: `{"table":"d","catalog":"{project}",` +
		`"tableDefinitionOptions":{"ifNotExist":"TABLE_NOT_EXIST_OPTION_CREATE","ifExists":"TABLE_EXISTS_OPTION_FAIL"}}`},
	"FLIGHT DoPut CommandStatementUpdate":         {need: access.Known, body: `{"query":"DELETE FROM d"}`},
	"FLIGHT DoPut CommandPreparedStatementUpdate": {need: access.Known, body: ofNone},
	"FLIGHT DoPut CommandPreparedStatementQuery":  {need: access.Known, body: ofNone},
	"FLIGHT DoPut CommandStatementSubstraitPlan":  {need: access.Known},

	"FLIGHT DoAction CreatePreparedStatement ActionCreatePreparedStatementRequest": {
		need: access.Reader, query: inProject, body: ofD,
	},
	"FLIGHT DoAction ClosePreparedStatement ActionClosePreparedStatementRequest":           {need: access.Known, body: ofNone},
	"FLIGHT DoAction CreatePreparedSubstraitPlan ActionCreatePreparedSubstraitPlanRequest": {need: access.Known},
	"FLIGHT DoAction BeginTransaction ActionBeginTransactionRequest":                       {need: access.Known},
	"FLIGHT DoAction EndTransaction ActionEndTransactionRequest":                           {need: access.Known},
	"FLIGHT DoAction BeginSavepoint ActionBeginSavepointRequest":                           {need: access.Known},
	"FLIGHT DoAction EndSavepoint ActionEndSavepointRequest":                               {need: access.Known},
	"FLIGHT DoAction CancelQuery ActionCancelQueryRequest":                                 {need: access.Known},
	"FLIGHT DoAction SetSessionOptions":                                                    {need: access.Known},
	"FLIGHT DoAction GetSessionOptions":                                                    {need: access.Known},
	"FLIGHT DoAction CloseSession":                                                         {need: access.Known},
	"FLIGHT DoAction CancelFlightInfo":                                                     {need: access.Known},
	"FLIGHT DoAction RenewFlightEndpoint":                                                  {need: access.Known},
}

// Messages about the dataset d, and about a prepared statement that there is not.
const (
	ofD    = `{"query":"SELECT * FROM d"}`
	ofNone = `{"preparedStatementHandle":"eA=="}`
)

// Every call of Flight SQL is answered by the same rule as every route of HTTP.
func TestEveryFlightCallByRoleAndProject(t *testing.T) {
	w := newAccessWorld(t)
	w.serveFlight(t)
	for call, e := range flightTable {
		for _, c := range w.callers {
			for _, project := range []int64{own, other, unknown} {
				w.try(t, flightMethod, strings.TrimPrefix(call, flightMethod+" "), e, c, project)
			}
		}
	}
	for _, call := range flightCalls() {
		listed := false
		for known := range flightTable {
			listed = listed || strings.Contains(known+" ", " "+call+" ")
		}
		if !listed {
			t.Errorf("%s is not in the table: say who may use it", call)
		}
	}
	w.unchanged(t)
}

// flightCalls returns the names of all methods, commands, tickets and actions of Flight SQL.
func flightCalls() (all []string) {
	for _, m := range pb.FlightService_ServiceDesc.Methods {
		all = append(all, m.MethodName)
	}
	for _, s := range pb.FlightService_ServiceDesc.Streams {
		all = append(all, s.StreamName)
	}
	messages := pb.File_FlightSql_proto.Messages()
	for i := range messages.Len() {
		name := string(messages.Get(i).Name())
		if strings.HasPrefix(name, "Command") || strings.HasPrefix(name, "Ticket") ||
			strings.HasPrefix(name, "Action") && strings.HasSuffix(name, "Request") {
			all = append(all, name)
		}
	}
	return all
}

// flightMethod is the method of calls of Flight, where those of HTTP have theirs.
const flightMethod = "FLIGHT"

// flightClient asks the Flight face.
type flightClient struct{ pb.FlightServiceClient }

// serveFlight starts the Flight face beside the others.
func (w *accessWorld) serveFlight(t *testing.T) {
	t.Helper()
	face, err := flight.New(w.store, flight.Options{Gate: w.gate, Audit: w.audited, Projects: w.accounts.ProjectID})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go face.Serve(listener) //nolint:errcheck // it ends with the test
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		face.Stop(ctx)
	})
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	w.flight = flightClient{pb.NewFlightServiceClient(conn)}
}

// ask makes a call, and returns its answer as HTTP would have it.
func (f flightClient) ask(t *testing.T, call, body, token, project string) facetest.Answer {
	t.Helper()
	var headers []string
	if token != "" {
		headers = append(headers, "authorization", "Bearer "+token)
	}
	if project != "" {
		headers = append(headers, "x-rowback-project", project)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, headers...)
	method, rest, _ := strings.Cut(call, " ")
	text, err := f.call(ctx, method, rest, body)
	a := facetest.Answer{Status: 200, Text: text, Body: map[string]any{}}
	if err != nil {
		a.Status, a.Text = httpStatus[status.Code(err)], err.Error()
		for _, detail := range status.Convert(err).Details() {
			if info, ok := detail.(*errdetails.ErrorInfo); ok {
				a.Body["code"] = info.GetReason()
			}
		}
	}
	if a.Status == 401 {
		a.Body["code"] = "unauthorized"
	}
	return a
}

// httpStatus are the statuses that say what codes do, of those that access is about.
var httpStatus = map[codes.Code]int{codes.Unauthenticated: 401, codes.PermissionDenied: 403, codes.NotFound: 404}

// call makes a call, and returns what was answered. rest is the name of the message in it, after that of an action.
func (f flightClient) call(ctx context.Context, method, rest, body string) (string, error) {
	switch method {
	case "GetFlightInfo", "PollFlightInfo", "GetSchema":
		return f.describe(ctx, method, command(rest, body))
	case "DoGet":
		return f.get(ctx, &pb.Ticket{Ticket: command(rest, body)})
	case "DoPut":
		if rest == "" {
			return f.put(ctx, []byte(body))
		}
		return f.put(ctx, command(rest, body))
	case "DoAction":
		kind, name, isSQL := strings.Cut(rest, " ")
		action := &pb.Action{Type: kind}
		if isSQL {
			action.Body = command(name, body)
		}
		return last(f.DoAction(ctx, action))
	case "ListActions":
		return last(f.ListActions(ctx, &pb.Empty{}))
	case "ListFlights":
		return last(f.ListFlights(ctx, &pb.Criteria{}))
	case "Handshake":
		stream, err := f.Handshake(ctx)
		if err == nil {
			err = stream.CloseSend()
		}
		return last(stream, err)
	}
	stream, err := f.DoExchange(ctx)
	if err == nil {
		err = stream.CloseSend()
	}
	return last(stream, err)
}

// command returns a message of Flight SQL that is written as JSON, by its name, as commands and tickets carry it.
func command(name, body string) []byte {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(
		protoreflect.FullName("arrow.flight.protocol.sql." + name))
	if err != nil {
		panic(err)
	}
	message := kind.New().Interface()
	if body != "" {
		if err := protojson.Unmarshal([]byte(body), message); err != nil {
			panic(fmt.Sprint(name, ": ", err))
		}
	}
	packed, err := anypb.New(message)
	if err != nil {
		panic(err)
	}
	out, err := proto.Marshal(packed)
	if err != nil {
		panic(err)
	}
	return out
}

// describe asks what a command's result is, and reads it.
func (f flightClient) describe(ctx context.Context, method string, cmd []byte) (string, error) {
	about := &pb.FlightDescriptor{Type: pb.FlightDescriptor_CMD, Cmd: cmd}
	switch method {
	case "PollFlightInfo":
		info, err := f.PollFlightInfo(ctx, about)
		return fmt.Sprint(info), err
	case "GetSchema":
		schema, err := f.GetSchema(ctx, about)
		return fmt.Sprint(schema), err
	}
	info, err := f.GetFlightInfo(ctx, about)
	if err != nil {
		return "", err
	}
	return f.get(ctx, info.GetEndpoint()[0].GetTicket())
}

// get reads the result of a ticket.
func (f flightClient) get(ctx context.Context, ticket *pb.Ticket) (text string, err error) {
	stream, err := f.DoGet(ctx, ticket)
	if err != nil {
		return "", err
	}
	r, err := arrowflight.NewRecordReader(stream)
	if err != nil {
		return "", err
	}
	defer r.Release()
	for r.Next() {
		text += fmt.Sprint(r.RecordBatch())
	}
	return text, r.Err()
}

// put sends one record with a command.
func (f flightClient) put(ctx context.Context, cmd []byte) (string, error) {
	stream, err := f.DoPut(ctx)
	if err != nil {
		return "", err
	}
	of := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}}, nil)
	rows, _, err := array.RecordFromJSON(memory.DefaultAllocator, of, strings.NewReader(`[{"id":1}]`))
	if err != nil {
		return "", err
	}
	defer rows.Release()
	w := arrowflight.NewRecordWriter(stream, ipc.WithSchema(of))
	w.SetFlightDescriptor(&pb.FlightDescriptor{Type: pb.FlightDescriptor_CMD, Cmd: cmd})
	// A refusal ends the stream while it is written: it is read below.
	_ = w.Write(rows)
	_ = w.Close()
	_ = stream.CloseSend()
	return last[pb.PutResult](stream, nil)
}

// last reads a stream to its end, and returns its messages.
func last[T any](stream interface{ Recv() (*T, error) }, err error) (text string, _ error) {
	if err != nil {
		return "", err
	}
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			return text, nil
		}
		if err != nil {
			return text, err
		}
		text += fmt.Sprint(message)
	}
}
