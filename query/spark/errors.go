package spark

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rowback/rowback/storage/fault"
)

// ErrUnavailable is an engine that can't be reached, or was lost while a statement ran.
var ErrUnavailable = fault.New(fault.Unavailable, "engine_unavailable")

// ErrFailed is a statement that failed on the engine, for no reason in its text.
var ErrFailed = fault.New(fault.Unavailable, "engine_failed")

// ErrSQL is a statement that the engine refuses. Its detail is the engine's own text.
var ErrSQL = fault.New(fault.Invalid, "invalid_sql")

// blamed are the errors of an engine that are the statement's own, by the end of the name of their class.
var blamed = []string{
	"ParseException", "AnalysisException", "ArithmeticException", "NumberFormatException", "DateTimeException",
	"ArrayIndexOutOfBoundsException", "IllegalArgumentException", "UnsupportedOperationException",
}

// explain turns an error of a call into a fault. Where ctx has ended, that is why.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var refused *fault.Error
	if errors.As(err, &refused) {
		return err
	}
	s, ok := status.FromError(err)
	if !ok {
		return ErrFailed.Sayf("The engine's answer can't be used. Try again, or run the statement without engine.").Because(err)
	}
	switch s.Code() {
	case codes.Unavailable, codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented, codes.Canceled,
		codes.Aborted, codes.DeadlineExceeded:
		return ErrUnavailable.Sayf("The engine is not available. Try again, or run the statement without engine.").Because(err)
	case codes.ResourceExhausted:
		return ErrFailed.Sayf("The engine has no room for this statement, or sent a batch of more than %d MiB. "+
			"Ask for fewer or smaller columns.", maxMessage>>20).Because(err)
	}
	if isStatements(s) {
		return ErrSQL.Sayf("%s", firstLine(s.Message())).Because(err)
	}
	return ErrFailed.Sayf("The statement failed on the engine. The server's log says why.").Because(err)
}

// isStatements reports whether an error is the statement's own.
func isStatements(s *status.Status) bool {
	for _, detail := range s.Details() {
		info, ok := detail.(*errdetails.ErrorInfo)
		if !ok {
			continue
		}
		classes := info.GetReason() + "," + info.GetMetadata()["classes"]
		if slices.ContainsFunc(blamed, func(class string) bool { return strings.Contains(classes, class) }) {
			return true
		}
	}
	return false
}

// maxDetail is how many bytes of the engine's text a client is shown.
const maxDetail = 500

// firstLine returns the first line of an engine's text: what follows are plans and stacks.
func firstLine(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	text, _, _ = strings.Cut(text, " SQLSTATE: ")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "…"
	}
	return fmt.Sprintf("The engine refuses the statement: %s", strings.TrimSpace(text))
}
