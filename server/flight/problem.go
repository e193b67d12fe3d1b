package flight

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
)

// kinds maps the kinds of errors to gRPC.
var kinds = map[fault.Kind]codes.Code{
	fault.Internal:    codes.Internal,
	fault.Malformed:   codes.InvalidArgument,
	fault.Invalid:     codes.InvalidArgument,
	fault.NotFound:    codes.NotFound,
	fault.Gone:        codes.NotFound,
	fault.Exists:      codes.AlreadyExists,
	fault.Conflict:    codes.Aborted,
	fault.Blocked:     codes.FailedPrecondition,
	fault.Corrupt:     codes.DataLoss,
	fault.TooLarge:    codes.ResourceExhausted,
	fault.Forbidden:   codes.PermissionDenied,
	fault.Unavailable: codes.Unavailable,
}

// The refusals of this face that others of the same kind are told apart from.
var (
	errTooLarge     = fault.New(fault.Invalid, "too_large")
	errNotSupported = fault.New(fault.Invalid, "not_supported")
)

// codeOf returns the code of a refusal: its kind's, or the more specific one that gRPC has for it.
func codeOf(e *fault.Error) codes.Code {
	switch {
	case errors.Is(e, storage.ErrTimeout):
		return codes.DeadlineExceeded
	case errors.Is(e, errTooLarge):
		return codes.ResourceExhausted
	case errors.Is(e, errNotSupported):
		return codes.Unimplemented
	}
	return kinds[e.Kind]
}

// problem returns an error as clients see it: the sentence, and its code and facts as ErrorInfo. What a client must not
// see is logged instead, under the call's id.
func (f *Face) problem(ctx context.Context, err error, id string) error {
	if err == nil {
		return nil
	}
	if s, ok := status.FromError(err); ok && s.Code() != codes.Unknown {
		return err // the library's, or converted already
	}
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	e := calls.Explain(f.log, err, id)
	facts := map[string]string{"request_id": id}
	for name, value := range e.Fields {
		facts[name] = fmt.Sprint(value)
	}
	s := status.New(codeOf(e), e.Detail)
	if detailed, err := s.WithDetails(&errdetails.ErrorInfo{
		Reason: e.Code, Domain: "rowback", Metadata: facts,
	}); err == nil {
		s = detailed
	}
	return s.Err()
}

// refuse returns the error of what a client sent.
func refuse(kind fault.Kind, code, format string, args ...any) error {
	return &fault.Error{Kind: kind, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// malformed returns the error of a message that does not follow the protocol.
func malformed(format string, args ...any) error {
	return refuse(fault.Malformed, "malformed_command", format, args...)
}

// unsupported returns the error of something that this face does not support. format says what to use instead.
func unsupported(format string, args ...any) error {
	return errNotSupported.Sayf(format, args...)
}

// recovered turns a panic into an error.
func recovered(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return work()
}

// readable turns a panic of an Arrow reader, which has no other way to refuse some malformed batches, into an error.
func readable(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errUnreadable
		}
	}()
	return work()
}

var errUnreadable = malformed("The Arrow stream can't be read: it is malformed.")

// incomplete returns the error of a stream that ends before its end marker. For a message that is too large, gRPC has
// its own error.
func incomplete(err error) error {
	if errors.Is(err, errStalled) {
		return err
	}
	return errors.Join(refuse(fault.Malformed, "incomplete_body", "The stream ended before it was complete."), err)
}
