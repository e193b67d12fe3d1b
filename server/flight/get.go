package flight

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// DoGet sends the result of a ticket. What arrow-go routes is small; the results of statements may be large, and are
// sent from here, without the copies that its writer makes.
func (s *service) DoGet(ticket *flight.Ticket, stream flight.FlightService_DoGetServer) error {
	var (
		command anypb.Any
		schema  *arrow.Schema
		chunks  <-chan flight.StreamChunk
		err     error
	)
	if proto.Unmarshal(ticket.GetTicket(), &command) != nil {
		return s.FlightServer.DoGet(ticket, stream)
	}
	asked, _ := command.UnmarshalNew() // nil if it is of an unknown type
	switch asked := asked.(type) {
	case *pb.TicketStatementQuery:
		schema, chunks, err = s.face.DoGetStatement(stream.Context(), asked)
	case *pb.CommandPreparedStatementQuery:
		schema, chunks, err = s.face.DoGetPreparedStatement(stream.Context(), asked)
	default:
		return s.FlightServer.DoGet(ticket, stream)
	}
	if err != nil {
		return err
	}
	return sendAll(stream, schema, chunks)
}

// sendAll sends the chunks of a result as they come.
func sendAll(stream flight.FlightService_DoGetServer, schema *arrow.Schema, chunks <-chan flight.StreamChunk) error {
	defer func() {
		for c := range chunks {
			if c.Data != nil {
				c.Data.Release()
			}
		}
	}()
	to := &payloads{stream: stream}
	out := ipc.NewWriterWithPayloadWriter(to, ipc.WithSchema(schema))
	defer out.Close() // the schema is sent by then, even without a batch
	for {
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case c, ok := <-chunks:
			if !ok {
				return nil
			}
			if c.Err != nil {
				return c.Err
			}
			to.metadata = c.AppMetadata
			err := out.Write(c.Data)
			c.Data.Release()
			if err != nil {
				return err
			}
		}
	}
}

// payloads sends encoded batches. Their buffers are sent as they are, after the batches have been released: they are
// Go's memory, which stays as long as anything refers to it.
type payloads struct {
	stream   flight.FlightService_DoGetServer
	metadata []byte // of the next message
}

// Start and Close do nothing: a stream of Flight has no beginning or end of its own.
func (p *payloads) Start() error { return nil }

// Close does nothing.
func (p *payloads) Close() error { return nil }

// WritePayload sends one message.
func (p *payloads) WritePayload(payload ipc.Payload) error {
	meta := payload.Meta()
	defer meta.Release()
	m := &message{header: meta.Bytes(), metadata: p.metadata}
	if err := payload.SerializeBody(&m.body); err != nil {
		return err
	}
	return p.stream.SendMsg(m)
}
