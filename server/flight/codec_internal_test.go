package flight

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"google.golang.org/protobuf/proto"
)

// What is sent from where it lies is what the generated type would have been encoded as.
func TestAMessageIsEncodedAsFlightData(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	some := func(most int) []byte {
		b := make([]byte, random.IntN(most))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	for range 200 {
		m, body := &message{header: some(300)}, []byte(nil)
		if random.IntN(2) == 0 {
			m.metadata = some(40)
		}
		for range random.IntN(8) {
			part := some([]int{64, ownPiece, 3 * ownPiece}[random.IntN(3)])
			body = append(body, part...)
			if _, err := m.body.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		sent, err := newCodec().Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var got flight.FlightData
		if err := proto.Unmarshal(sent.Materialize(), &got); err != nil {
			t.Fatal(err)
		}
		same := bytes.Equal(got.DataHeader, m.header) && bytes.Equal(got.AppMetadata, m.metadata)
		if !same || !bytes.Equal(got.DataBody, body) || len(got.ProtoReflect().GetUnknown()) > 0 {
			t.Fatalf("%d, %d and %d bytes arrive as %d, %d and %d", len(m.header), len(m.metadata), len(body),
				len(got.DataHeader), len(got.AppMetadata), len(got.DataBody))
		}
	}
}

// Large buffers are not copied, and a buffer that is sent is not written to when more is added.
func TestLargePiecesAreNotCopied(t *testing.T) {
	large := make([]byte, ownPiece)
	var b pieces
	for _, p := range [][]byte{{1}, {2, 3}, large, {4}, large} {
		b.add(p)
	}
	if len(b.list) != 4 || &b.list[1][0] != &large[0] || !bytes.Equal(b.list[0], []byte{1, 2, 3}) || large[0] != 0 {
		t.Errorf("%d pieces, the first %v", len(b.list), b.list[0])
	}
}
