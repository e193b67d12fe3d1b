package flight

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/rowback/rowback/storage/fault"
)

// Limits of the connection, in bytes. A client sends a batch as one message; results are sent in messages that
// clients accept with their default limit (4 MiB).
const (
	maxMessage  = 64 << 20
	sentMessage = 3 << 20
	window      = 4 << 20
	written     = 256 << 10 // what is written to a connection at once, at most
	maxHeaders  = 64 << 10
)

// patience is how long a connection may be silent before the server asks whether the client is still there. A client
// may ask more often.
const (
	patience = time.Minute
	asked    = 10 * time.Second
)

// limits returns the limits of one connection.
func (f *Face) limits() []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(newCodec()), grpc.WriteBufferSize(written),
		grpc.MaxRecvMsgSize(maxMessage), grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window),
		grpc.MaxConcurrentStreams(100), grpc.MaxHeaderListSize(maxHeaders),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: patience, MaxConnectionIdle: f.options.IdleTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: asked, PermitWithoutStream: true}),
	}
	if f.options.HeaderTimeout > 0 {
		options = append(options, grpc.ConnectionTimeout(f.options.HeaderTimeout))
	}
	if f.options.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(f.options.TLS)))
	}
	return options
}

// patient is a stream that ends if its client sends nothing, or reads nothing, for too long.
type patient struct {
	grpc.ServerStream
	send, receive time.Duration
}

var errStalled = refuse(fault.Unavailable, "stalled",
	"The client sent or read nothing within the server's limit. Call again.")

func (p *patient) RecvMsg(m any) error {
	return within(p.receive, func() error { return p.ServerStream.RecvMsg(m) })
}

func (p *patient) SendMsg(m any) error {
	return within(p.send, func() error { return p.ServerStream.SendMsg(m) })
}

// within does work that only the end of its call can stop: if it takes too long, the call ends with an error, and with
// it the work.
func within(most time.Duration, work func() error) error {
	if most <= 0 {
		return work()
	}
	done := make(chan error, 1)
	go func() { done <- recovered(work) }()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return errStalled
	}
}
