package conns_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/rowback/rowback/server/conns"
)

const refusal = "HTTP/1.1 503 Service Unavailable\r\n\r\n"

// soon is longer than anything here takes.
const soon = 20 * time.Second

func listen(t *testing.T, p *conns.Pool) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return p.Listen(l, []byte(refusal))
}

func dial(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(soon))
	return c
}

// pair is both ends of a connection.
func pair(t *testing.T, l net.Listener) (client net.Conn, server *conns.Conn) {
	t.Helper()
	client = dial(t, l)
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	return client, accepted.(*conns.Conn)
}

// acceptAll accepts connections until the listener is closed.
func acceptAll(l net.Listener) <-chan net.Conn {
	out := make(chan net.Conn, 100)
	go func() {
		defer close(out)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			out <- c
		}
	}()
	return out
}

func TestAConnectionBeyondALimitIsToldSoAndClosed(t *testing.T) {
	for name, limits := range map[string]conns.Limits{
		"overall": {Overall: 2}, "of one address": {Overall: 10, PerAddress: 2},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t, conns.NewPool(limits, nil))
			accepted := acceptAll(l)
			var taken []net.Conn
			for range 2 {
				dial(t, l)
				taken = append(taken, <-accepted)
			}
			for range 3 {
				if got, err := io.ReadAll(dial(t, l)); string(got) != refusal || err != nil {
					t.Fatalf("%q, %v", got, err)
				}
			}
			taken[0].Close()
			taken[0].Close() // gives one place, not two
			dial(t, l)
			<-accepted
			if got, _ := io.ReadAll(dial(t, l)); string(got) != refusal {
				t.Error("a place was given twice")
			}
		})
	}
}

// broken is a listener that fails before it accepts.
type broken struct {
	net.Listener
	failures []error
}

func (b *broken) Accept() (net.Conn, error) {
	if len(b.failures) > 0 {
		err := b.failures[0]
		b.failures = b.failures[1:]
		return nil, err
	}
	return b.Listener.Accept()
}

func TestErrorsOfAcceptAreSurvived(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fails := &broken{inner, []error{
		os.NewSyscallError("accept4", syscall.EMFILE), os.NewSyscallError("accept4", syscall.ENFILE), os.NewSyscallError(
			"accept", syscall.ECONNABORTED), errors.New("anything"),
	}}
	l := conns.NewPool(conns.Limits{}, nil).Listen(fails, nil)
	dial(t, l)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a listener that is closed: %v", err)
	}
}

func TestABodyMustNotStandStillButMayTakeLong(t *testing.T) {
	l := listen(t, conns.NewPool(conns.Limits{Body: time.Second}, nil))
	client, server := pair(t, l)
	server.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // the header's
	server.AwaitBody()
	go func() {
		for range 8 { // longer than the limit, together
			client.Write([]byte("x"))
			time.Sleep(150 * time.Millisecond)
		}
	}()
	got, err := io.ReadAll(server)
	if len(got) != 8 || !errors.Is(err, os.ErrDeadlineExceeded) || !server.Stalled() || server.Ended() {
		t.Errorf("%q, %v, stalled %v, ended %v", got, err, server.Stalled(), server.Ended())
	}
}

func TestTheNextRequestHasItsOwnTime(t *testing.T) {
	l := listen(t, conns.NewPool(conns.Limits{Body: time.Millisecond}, nil))
	client, server := pair(t, l)
	server.AwaitBody()
	server.SetReadDeadline(time.Now().Add(soon))
	go func() {
		time.Sleep(50 * time.Millisecond)
		client.Write([]byte("x"))
	}()
	if n, err := server.Read(make([]byte, 1)); n != 1 {
		t.Error(err)
	}
}

func TestAnAnswerThatNoOneTakesIsEnded(t *testing.T) {
	l := listen(t, conns.NewPool(conns.Limits{Answer: 200 * time.Millisecond}, nil))
	_, server := pair(t, l)
	if _, err := server.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an answer that stands still: %v", err)
	}
}

func TestAnAnswerMayBeTakenSlowly(t *testing.T) {
	l := listen(t, conns.NewPool(conns.Limits{Answer: time.Second}, nil))
	client, server := pair(t, l)
	const size = 24 << 20 // more than the system keeps for a connection
	go func() {
		part := make([]byte, 2<<20)
		for {
			time.Sleep(100 * time.Millisecond)
			if _, err := io.ReadFull(client, part); err != nil {
				return
			}
		}
	}()
	if n, err := server.Write(make([]byte, size)); n != size || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestClosingThePoolEndsWhatWaitsForItsClient(t *testing.T) {
	p := conns.NewPool(conns.Limits{}, nil)
	l := listen(t, p)
	_, server := pair(t, l)
	ended := make(chan error, 1)
	go func() { _, err := server.Read(make([]byte, 1)); ended <- err }()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if p.Wait(ctx) {
		t.Error("a connection that is open was not waited for")
	}
	p.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if !p.Wait(context.Background()) {
		t.Error("it is not empty")
	}
}

func TestWhoHasLeftIsNoticed(t *testing.T) {
	l := listen(t, conns.NewPool(conns.Limits{}, nil))
	client, server := pair(t, l)
	if server.Left() {
		t.Error("it is still there")
	}
	client.Close()
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) || !server.Ended() || !server.Left() {
		t.Errorf("%v, ended %v, left %v", err, server.Ended(), server.Left())
	}
}

func TestANetworkOfIPv6IsOneAddress(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::",
		"2001:db8:0:0:ff::1": "2001:db8::", "fe80::1%eth0": "fe80::", "::1": "::",
	} {
		if got := conns.Network(netip.MustParseAddr(address)); got.String() != want {
			t.Errorf("%s counts as %s, not %s", address, got, want)
		}
	}
}

func TestTheDefaultsLeaveRoomForFiles(t *testing.T) {
	for descriptors, want := range map[int][2]int{
		0: {1024, 768}, 256: {128, 96}, 1024: {512, 384}, 1 << 20: {1024, 768}, 1: {1, 1},
	} {
		overall := conns.DefaultOverall(descriptors)
		if got := [2]int{overall, conns.DefaultPerAddress(overall)}; got != want {
			t.Errorf("%d descriptors: %v, not %v", descriptors, got, want)
		}
	}
}
