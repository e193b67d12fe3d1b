package flight_test

import (
	"context"
	_ "embed"
	"encoding/binary"
	"testing"

	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	gen "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"google.golang.org/grpc/codes"
)

// claims is a stream of 288 bytes whose schema says that it has 268 million fields. What decodes it wants 26 GB.
//
//go:embed testdata/claims.arrow
var claims []byte

// Streams that clients send are decoded by a process that may die of them, whatever they are sent for.
func TestASchemaThatClaimsMoreThanThereIs(t *testing.T) {
	c, ctx := dial(t, address), context.Background()
	p, err := c.Prepare(ctx, "SELECT ?")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(ctx)
	for name, cmd := range map[string][]byte{
		"commit": []byte(`{"dataset": "employees", "mode": "append"}`),
		"ingest": packed(t,
			&gen.CommandStatementIngest{Table: "employees",
				TableDefinitionOptions: &gen.CommandStatementIngest_TableDefinitionOptions{
					IfExists: gen.CommandStatementIngest_TableDefinitionOptions_TABLE_EXISTS_OPTION_APPEND,
				}}),
		"bind": packed(t, &gen.CommandPreparedStatementQuery{PreparedStatementHandle: p.Handle()}),
	} {
		refused(t, name, c.putHeader(cmd, claims), codes.InvalidArgument, "can't be read")
	}
	err = c.putHeader(packed(t, &gen.CommandStatementUpdate{Query: "DELETE"}), claims)
	refused(t, "update", err, codes.Unimplemented, "")
	c.expect(one, `{"one":1}`)
}

// putHeader sends the first message of an IPC stream with a command.
func (c *client) putHeader(command, stream []byte) error {
	c.Helper()
	put, err := c.Client.Client.DoPut(context.Background())
	if err != nil {
		c.Fatal(err)
	}
	header := stream[8 : 8+binary.LittleEndian.Uint32(stream[4:])]
	if err := put.Send(&arrowflight.FlightData{
		FlightDescriptor: &arrowflight.FlightDescriptor{Type: arrowflight.DescriptorCMD, Cmd: command}, DataHeader: header,
	}); err != nil {
		c.Fatal(err)
	}
	put.CloseSend()
	_, err = put.Recv()
	return err
}
