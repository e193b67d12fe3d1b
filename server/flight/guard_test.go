package flight_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/conns"
	"github.com/rowback/rowback/server/flight"
)

// pooled starts a face behind a pool of connections.
func pooled(t *testing.T, o flight.Options, limits conns.Limits) (addr string, face *flight.Face) {
	t.Helper()
	face, err := flight.New(store, o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go face.Serve(conns.NewPool(limits, nil).Listen(l, nil))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		face.Stop(ctx)
	})
	return l.Addr().String(), face
}

// plainConn is a connection that calls arbitrary methods.
func plainConn(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// methods are the labels of the metrics.
func methods(t *testing.T, face *flight.Face) map[string]bool {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(face.Collectors()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "method" {
					out[label.GetValue()] = true
				}
			}
		}
	}
	return out
}

func TestAMethodThatIsMadeUpIsNoLabel(t *testing.T) {
	for _, tokens := range []access.Tokens{nil, {"t0": "eva"}} {
		addr, face := pooled(t, flight.Options{Gate: access.NewGate(tokens, nil)}, conns.Limits{})
		c := plainConn(t, addr)
		for i := range 50 {
			for _, path := range []string{"/x/m%d", "/arrow.flight.protocol.FlightService/m%d", "/m%d"} {
				if err := c.Invoke(context.Background(), fmt.Sprintf(path, i), &emptypb.Empty{}, &emptypb.Empty{}); err == nil {
					t.Fatal("a made-up method was answered")
				}
			}
		}
		for method := range methods(t, face) {
			if strings.HasPrefix(method, "m") {
				t.Errorf("%q is a label", method)
			}
		}
	}
}

// The name of a method may be any bytes. What panics over it must not keep the connection's lock.
func TestAMethodThatIsNoTextIsRefusedAndItsConnectionGoesOn(t *testing.T) {
	for _, tokens := range []access.Tokens{nil, {"t0": "eva"}} {
		addr, _ := pooled(t, flight.Options{Gate: access.NewGate(tokens, nil)}, conns.Limits{Overall: 8})
		for range 20 { // more than there are places for, if one were kept
			c := plainConn(t, addr)
			for _, path := range []string{"/x/\xff", "/\xff/x", "/arrow.flight.protocol.FlightService/\xff"} {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				err := c.Invoke(ctx, path, &emptypb.Empty{}, &emptypb.Empty{})
				cancel()
				if tokens == nil {
					refused(t, path, err, codes.Unimplemented, "")
				} else {
					refused(t, path, err, codes.Unauthenticated, "")
				}
			}
			c.Close()
		}
	}
}

func TestACallFromAWebPageIsRefused(t *testing.T) {
	c := dial(t, address)
	_, err := c.ask(header("origin", "http://evil.example"), one)
	refused(t, "a page's call", err, codes.PermissionDenied, "web pages")
}

func TestPasswordsThatAreWrongTooOftenWait(t *testing.T) {
	c := dial(t, other(t, flight.Options{Gate: access.NewGate(access.Tokens{"t0": "eva"}, nil)}))
	for range 10 {
		_, err := c.ask(header("authorization", "Basic ZXZhOndyb25n"), one) // eva:wrong
		refused(t, "a wrong password", err, codes.Unauthenticated, "")
	}
	_, err := c.ask(header("authorization", "Basic ZXZhOnQw"), one) // eva:t0
	refused(t, "one too many", err, codes.ResourceExhausted, "Wait 6 seconds")
	if _, err := c.ask(header("authorization", "Bearer t0"), one); err != nil {
		t.Errorf("a token: %v", err)
	}
}

func TestAStreamOfRecordsThatStandsStillIsEnded(t *testing.T) {
	addr, _ := pooled(t, flight.Options{BodyTimeout: 50 * time.Millisecond}, conns.Limits{})
	c := dial(t, addr)
	stream, err := c.Client.Client.DoPut(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	refused(t, "a stream without records", err, codes.Unavailable, "within the server's limit")
}

func TestAConnectionThatShakesNoHandsIsEnded(t *testing.T) {
	addr, _ := pooled(t, flight.Options{HeaderTimeout: 50 * time.Millisecond}, conns.Limits{})
	silent, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	silent.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		if _, err := silent.Read(make([]byte, 4096)); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Error("it was kept")
			}
			return
		}
	}
}

func TestAPanicEndsOneCallOnly(t *testing.T) {
	addr, _ := pooled(t, flight.Options{Now: func() time.Time { panic("no time") }}, conns.Limits{})
	c := dial(t, addr)
	for range 2 {
		_, err := c.Prepare(context.Background(), one)
		refused(t, "a call that panics", err, codes.Internal, "")
	}
	if _, err := c.Client.Client.ListActions(context.Background(), &arrowflight.Empty{}); err != nil {
		t.Error(err)
	}
}
