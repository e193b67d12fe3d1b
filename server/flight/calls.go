package flight

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/apache/arrow-go/v18/arrow/flight"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage/fair"
)

// caller is who makes a call.
type caller struct {
	access.Caller
	isBasic  bool // the call has a user name and password
	password string
}

// callerKey is the key of the caller in a call's context.
type callerKey struct{}

// tap admits a call before its message is read. gRPC holds the connection's lock meanwhile: a panic here
// would leave the lock, and with it the connection, blocked forever.
func (f *Face) tap(ctx context.Context, call *tap.Info) (out context.Context, err error) {
	ctx = audit.With(ctx, f.options.Audit.Begin("flight", requestID(call.Header)))
	err = recovered(func() error {
		out, err = f.authenticate(ctx, call)
		return err
	})
	if err == nil {
		return f.traced(out, call), nil
	}
	if _, ok := status.FromError(err); !ok {
		err = f.problem(context.WithoutCancel(ctx), err, requestID(call.Header))
	}
	if failed := recovered(func() error {
		f.record(ctx, call.FullMethodName, err)
		by := access.Caller{Address: addressOf(ctx)}
		f.count(call.FullMethodName, status.Code(err), 0, by, requestID(call.Header))
		return nil
	}); failed != nil {
		f.log.Error("internal error", "error", failed)
	}
	return nil, err
}

// authenticate finds out who is calling. If the server has tokens, every call needs one. Web pages may not call:
// browsers send an Origin header, and programs do not.
func (f *Face) authenticate(ctx context.Context, call *tap.Info) (context.Context, error) {
	if first(call.Header, "origin") != "" {
		return nil, status.Error(codes.PermissionDenied, "Calls from web pages are not accepted. Call from a program.")
	}
	authorization := first(call.Header, "authorization")
	from, password, isBasic, err := f.options.Gate.Basic(addressOf(ctx), authorization)
	var often *access.TooManyError
	if errors.As(err, &often) {
		return nil, status.Errorf(codes.ResourceExhausted,
			"Too many logins have failed. Wait %s, then try again with the right password.", access.WaitText(often.Wait))
	}
	if !isBasic {
		from, _ = f.options.Gate.Identify(addressOf(ctx), authorization, "")
	}
	if err := f.inRate(from); err != nil {
		return nil, err
	}
	if from.Refused != nil {
		return nil, refused(from.Refused)
	}
	if err != nil || !from.IsKnown() {
		return nil, status.Error(codes.Unauthenticated,
			"Authentication required: send the header authorization: Bearer <token>, or log in with the user's name and, as "+
				"the password, the token.")
	}
	ctx = fair.With(permit.With(ctx, from, access.Reader), access.NameOf(from.User))
	return context.WithValue(ctx, callerKey{}, caller{from, isBasic, password}), nil
}

// refused is the answer to a token of an identity provider that is not accepted.
func refused(err *access.RefusedError) error {
	if err.Unavailable {
		return status.Error(codes.Unavailable, err.Why)
	}
	return status.Error(codes.Unauthenticated, err.Why)
}

// inRate refuses a call over the limit of its user, token or address.
func (f *Face) inRate(from access.Caller) error {
	if f.options.Rates == nil {
		return nil
	}
	d := f.options.Rates.Take(from, f.options.Gate.IsOpen())
	if d.Allowed {
		return nil
	}
	return status.Errorf(codes.ResourceExhausted,
		"Too many calls (%s). Make the next one in %s, and make fewer.", d.Option, access.WaitText(d.Retry))
}

// addressOf returns the address that a call comes from.
func addressOf(ctx context.Context) netip.Addr {
	if p, ok := peer.FromContext(ctx); ok {
		if tcp, ok := p.Addr.(*net.TCPAddr); ok {
			return tcp.AddrPort().Addr()
		}
	}
	return netip.Addr{}
}

// callerOf returns who makes a call; nobody where it was not authenticated.
func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// writing returns the context of a call that changes something.
func writing(ctx context.Context) context.Context {
	return permit.With(ctx, callerOf(ctx).Caller, access.Writer)
}

// userOf returns the user who makes a call.
func userOf(ctx context.Context) string { return callerOf(ctx).User }

// Handshake returns the token to present from now on to a client that logs in with a password. The JDBC driver also
// sends a handshake with a token.
func (s *service) Handshake(stream flight.FlightService_HandshakeServer) error {
	authorization := headerOf(stream.Context(), "authorization")
	if c := callerOf(stream.Context()); c.isBasic {
		shown, err := s.face.options.Gate.Shown(c.User, c.password, c.Address)
		if err != nil {
			return err
		}
		authorization = "Bearer " + shown
	}
	if authorization == "" {
		return malformed("A handshake needs the header authorization: Basic with the user's name and, as the password, " +
			"the token; or Bearer with the token.")
	}
	return stream.SetHeader(metadata.Pairs("authorization", authorization))
}

// first returns the first value of a header; empty if there is none.
func first(md metadata.MD, name string) string {
	if values := md.Get(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// headerOf returns a header of a call, its first value if there are several.
func headerOf(ctx context.Context, name string) string {
	md, _ := metadata.FromIncomingContext(ctx)
	return first(md, name)
}

// requestID returns the call's id: its own, or a new one.
func requestID(md metadata.MD) string {
	id := first(md, "x-request-id")
	if id == "" || len(id) > 100 {
		b := make([]byte, 8)
		rand.Read(b)
		id = hex.EncodeToString(b)
	}
	return id
}

// observeUnary counts and logs a call with one answer.
func (f *Face) observeUnary(
	ctx context.Context, in any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (out any, err error) {
	err = f.observe(ctx, info.FullMethod, func() (err error) {
		out, err = handler(ctx, in)
		return err
	})
	return out, err
}

// observeStream does the same for a stream, and bounds how long each of its messages may take.
func (f *Face) observeStream(
	server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler,
) error {
	in := &patient{stream, f.options.Limits.QueryTimeout, f.options.BodyTimeout}
	return f.observe(stream.Context(), info.FullMethod, func() error { return handler(server, in) })
}

// observe runs a call, turns a panic into an error, and logs and counts the call.
func (f *Face) observe(ctx context.Context, method string, handle func() error) (err error) {
	defer func() {
		if p := recover(); p != nil { // here, and not in handle
			f.log.Error("internal error", "error", fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
			err = status.Error(codes.Internal, "internal error")
		}
	}()
	start := time.Now()
	md, _ := metadata.FromIncomingContext(ctx)
	id := requestID(md)
	_ = grpc.SetHeader(ctx, metadata.Pairs("x-request-id", id)) // it fails if headers have been sent
	if err = f.recordable(method); err == nil {
		err = recovered(handle)
	}
	err = f.problem(ctx, err, id)
	f.record(ctx, method, err)
	f.count(method, status.Code(err), time.Since(start), callerOf(ctx).Caller, id)
	endSpan(ctx, status.Code(err), id, err)
	return err
}

// unknown answers a call of a method that does not exist.
func (f *Face) unknown(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	return status.Errorf(codes.Unimplemented, "There is no method %q. This server speaks Arrow Flight SQL.", clip(method))
}

// methodsOf returns the full names of a server's methods.
func methodsOf(s *grpc.Server) map[string]bool {
	out := map[string]bool{}
	for service, info := range s.GetServiceInfo() {
		for _, m := range info.Methods {
			out["/"+service+"/"+m.Name] = true
		}
	}
	return out
}

// count logs and counts a call. A method name made up by a client does not become a label of a metric, which would be
// kept forever.
func (f *Face) count(full string, code codes.Code, took time.Duration, by access.Caller, id string) {
	method := "unknown"
	if f.methods[full] {
		method = path.Base(full)
	}
	f.metrics.calls.WithLabelValues(method, code.String()).Inc()
	f.metrics.seconds.WithLabelValues(method).Observe(took.Seconds())
	f.log.Info("request", "request_id", id, "method", "flight", "path", method, "status", code.String(), "ms",
		float64(took.Microseconds())/1000, "user", by.User, "token", by.Token, "address", by.Address.Unmap())
}
