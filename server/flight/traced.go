package flight

import (
	"context"
	"path"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/tap"

	"github.com/rowback/rowback/storage/trace"
)

// traced begins the span of a call.
func (f *Face) traced(ctx context.Context, call *tap.Info) context.Context {
	name := "flight unknown"
	if f.methods[call.FullMethodName] {
		name = "flight " + path.Base(call.FullMethodName)
	}
	return trace.With(ctx, f.options.Traces.Request(name, first(call.Header, "traceparent"), first(call.Header, "tracestate")))
}

// endSpan ends the span of a call. What the client did wrong is not a failure of the call's work.
func endSpan(ctx context.Context, code codes.Code, id string, err error) {
	span := trace.Of(ctx)
	span.Set("rpc.system", "grpc")
	span.Set("rpc.grpc.status_code", int(code))
	span.Set("client.address", addressOf(ctx).Unmap())
	span.Set("rowback.request_id", id)
	switch code {
	case codes.Internal, codes.Unknown, codes.DataLoss, codes.Unavailable, codes.DeadlineExceeded:
	default:
		err = nil
	}
	span.End(err)
}
