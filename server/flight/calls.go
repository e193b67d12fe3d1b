package flight

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"path"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/apache/arrow-go/v18/arrow/flight"
)

// caller is who makes a call.
type caller struct {
	user  string
	token string // that the user may show from now on, where the call bore a password
}

type callerKey struct{}

// authenticate finds out who calls, before a byte of the call's message is read. Where the server has tokens, every call
// needs one.
func (f *Face) authenticate(ctx context.Context, call *tap.Info) (context.Context, error) {
	authorization := first(call.Header, "authorization")
	user, token, isBasic := f.options.Tokens.Basic(authorization)
	if !isBasic {
		user, _ = f.options.Tokens.Identify(authorization, "")
	}
	if user == "" {
		f.count(path.Base(call.FullMethodName), codes.Unauthenticated, 0, "", requestID(call.Header))
		return nil, status.Error(codes.Unauthenticated, "This server wants a token: send the header authorization: Bearer <token>, or log in with the user's name and, as the password, the token.")
	}
	return context.WithValue(ctx, callerKey{}, caller{user, token}), nil
}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

func userOf(ctx context.Context) string { return callerOf(ctx).user }

// Handshake gives whoever has logged in with a password the token to show from now on. JDBC's driver shakes hands with a
// token too.
func (s *service) Handshake(stream flight.FlightService_HandshakeServer) error {
	authorization := headerOf(stream.Context(), "authorization")
	if token := callerOf(stream.Context()).token; token != "" {
		authorization = "Bearer " + token
	}
	if authorization == "" {
		return malformed("A handshake wants the header authorization: Basic, with the user's name and, as the password, the token; or Bearer, with the token.")
	}
	return stream.SetHeader(metadata.Pairs("authorization", authorization))
}

// first is the first value of a header; empty where it is not there.
func first(md metadata.MD, name string) string {
	if values := md.Get(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

func headerOf(ctx context.Context, name string) string {
	md, _ := metadata.FromIncomingContext(ctx)
	return first(md, name)
}

// requestID is the call's id: its own, or a new one.
func requestID(md metadata.MD) string {
	id := first(md, "x-request-id")
	if id == "" || len(id) > 100 {
		b := make([]byte, 8)
		rand.Read(b)
		id = hex.EncodeToString(b)
	}
	return id
}

func (f *Face) observeUnary(ctx context.Context, in any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (out any, err error) {
	err = f.observe(ctx, info.FullMethod, func() (err error) {
		out, err = handler(ctx, in)
		return err
	})
	return out, err
}

func (f *Face) observeStream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return f.observe(stream.Context(), info.FullMethod, func() error { return handler(server, stream) })
}

// observe answers a call, whatever goes wrong in it, and logs and counts it.
func (f *Face) observe(ctx context.Context, method string, handle func() error) error {
	start := time.Now()
	md, _ := metadata.FromIncomingContext(ctx)
	id := requestID(md)
	grpc.SetHeader(ctx, metadata.Pairs("x-request-id", id)) //nolint:errcheck // it fails where headers were sent
	err := f.problem(ctx, recovered(handle), id)
	f.count(path.Base(method), status.Code(err), time.Since(start), userOf(ctx), id)
	return err
}

func (f *Face) count(method string, code codes.Code, took time.Duration, user, id string) {
	f.metrics.calls.WithLabelValues(method, code.String()).Inc()
	f.metrics.seconds.WithLabelValues(method).Observe(took.Seconds())
	f.log.Info("request", "request_id", id, "method", "flight", "path", method, "status", code.String(), "ms", float64(took.Microseconds())/1000, "user", user)
}
