package flight_test

import (
	"context"
	"math/rand/v2"
	"testing"

	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	gen "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// routes are the calls that decode bytes from the client, each given those bytes.
var routes = map[string]func(c *client, text []byte) error{
	"ticket": func(c *client, text []byte) error {
		r, err := c.DoGet(context.Background(), &arrowflight.Ticket{Ticket: text})
		if err == nil {
			r.Release()
		}
		return err
	},
	"statement ticket": func(c *client, text []byte) error {
		inside, err := flightsql.CreateStatementQueryTicket(text)
		if err != nil {
			return err
		}
		r, err := c.DoGet(context.Background(), &arrowflight.Ticket{Ticket: inside})
		if err == nil {
			r.Release()
		}
		return err
	},
	"info": func(c *client, text []byte) error {
		_, err := c.Client.Client.GetFlightInfo(context.Background(), command(text))
		return err
	},
	"schema": func(c *client, text []byte) error {
		_, err := c.Client.Client.GetSchema(context.Background(), command(text))
		return err
	},
	"put": func(c *client, text []byte) error {
		stream, err := c.Client.Client.DoPut(context.Background())
		if err != nil {
			return err
		}
		if err := stream.Send(&arrowflight.FlightData{
			FlightDescriptor: command(text), DataHeader: text, DataBody: text,
		}); err != nil {
			return err
		}
		stream.CloseSend()
		_, err = stream.Recv()
		return err
	},
	"prepare": func(c *client, text []byte) error { return c.act(flightsql.CreatePreparedStatementActionType, text) },
	"close":   func(c *client, text []byte) error { return c.act(flightsql.ClosePreparedStatementActionType, text) },
	"options": func(c *client, text []byte) error {
		return c.act(arrowflight.SetSessionOptionsActionType, append([]byte{0xff}, text...))
	},
	"action": func(c *client, text []byte) error { return c.act("nosuch", text) },
}

func command(text []byte) *arrowflight.FlightDescriptor {
	return &arrowflight.FlightDescriptor{Type: arrowflight.DescriptorCMD, Cmd: text}
}

func (c *client) act(kind string, body []byte) error {
	stream, err := c.Client.Client.DoAction(context.Background(), &arrowflight.Action{Type: kind, Body: body})
	if err == nil {
		_, err = stream.Recv()
	}
	return err
}

func TestMalformedBytesAreRefused(t *testing.T) {
	c := dial(t, address)
	random := rand.New(rand.NewPCG(1, 2))
	texts := [][]byte{
		nil, {}, {0}, []byte("{"), []byte("{}"), []byte("null"), []byte("[]"), []byte(`{"sql":1}`),
		[]byte(`{"sql":"SELECT 1"}`),
		[]byte(`{"sql":"SELECT 1","project":0,"meaning":{}}`), []byte(`{"sql":"SELECT 1","project":1} x`), []byte(
			`{"sql":"SELECT 1","project":1,"more":1}`),
		[]byte(`{"dataset":1}`), []byte(`{"dataset":"employees","mode":"append"}`),
		packed(t, &gen.DoPutUpdateResult{RecordCount: 1}), packed(t, &gen.CommandStatementUpdate{})[:20],
	}
	for range 150 {
		text := make([]byte, random.IntN(120))
		for i := range text {
			text[i] = byte(random.IntN(256))
		}
		texts = append(texts, text)
	}
	for name, call := range routes {
		for _, text := range texts {
			if err := call(c, text); status.Code(err) != codes.InvalidArgument {
				t.Errorf("%s %q: %v", name, text, err)
			}
		}
	}
	c.expect(one, `{"one":1}`)
}

func packed(t *testing.T, m proto.Message) []byte {
	t.Helper()
	any, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	text, err := proto.Marshal(any)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A client can change a ticket: what it changes is checked like any statement of its own.
func TestAForgedTicketReachesNothingElse(t *testing.T) {
	c := dial(t, address)
	salaries, err := store.FindDataset(context.Background(), 2, "salaries")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []struct {
		text string
		code codes.Code
	}{
		{`{"sql":"SELECT * FROM employees","project":1,"meaning":{"employees":"` + salaries.ID + `@"}}`, codes.NotFound},
		{`{"sql":"SELECT * FROM employees","project":1,"meaning":{"employees":"employees@99999"}}`, codes.NotFound},
		{`{"sql":"SELECT * FROM employees","project":1,"meaning":{"employees":"@@.."}}`, codes.NotFound},
		{`{"sql":"SELECT * FROM read_text('/etc/passwd')","project":1,"meaning":{}}`, codes.InvalidArgument},
		{`{"sql":"SELECT 1; SELECT 2","project":1,"meaning":null}`, codes.InvalidArgument},
	} {
		refused(t, b.text, routes["statement ticket"](c, []byte(b.text)), b.code, "")
	}
}

func TestWhatIsNotSupportedSaysSo(t *testing.T) {
	c, ctx := dial(t, address), context.Background()
	_, err := c.BeginTransaction(ctx)
	refused(t, "transactions", err, codes.Unimplemented, "no transactions")
	_, err = c.ExecuteUpdate(ctx, "DELETE FROM employees")
	refused(t, "updates", err, codes.Unimplemented, "bulk ingest")
	_, err = c.ExecuteSubstrait(ctx, flightsql.SubstraitPlan{Plan: []byte("x")})
	refused(t, "substrait", err, codes.Unimplemented, "Write one SELECT")
	_, err = c.ExecutePoll(ctx, one, nil)
	refused(t, "polling", err, codes.Unimplemented, "polled")
	_, err = c.CancelFlightInfo(ctx, &arrowflight.CancelFlightInfoRequest{Info: &arrowflight.FlightInfo{}})
	refused(t, "cancelling", err, codes.Unimplemented, "cancelled")
	flights, err := c.Client.Client.ListFlights(ctx, &arrowflight.Criteria{})
	if err == nil {
		_, err = flights.Recv()
	}
	refused(t, "flights", err, codes.Unimplemented, "tables")
	exchange, err := c.Client.Client.DoExchange(ctx)
	if err == nil {
		_, err = exchange.Recv()
	}
	refused(t, "exchange", err, codes.Unimplemented, "DoPut")
	in := packed(t, &gen.CommandStatementQuery{Query: one, TransactionId: []byte("x")})
	refused(t, "a statement in a transaction", routes["info"](c, in), codes.Unimplemented, "no transactions")
	actions, err := c.Client.Client.ListActions(ctx, &arrowflight.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := actions.Recv(); err != nil || a.Type != flightsql.CreatePreparedStatementActionType {
		t.Error(a, err)
	}
}
