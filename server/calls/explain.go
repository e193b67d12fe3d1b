package calls

import (
	"context"
	"log/slog"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
)

// Explain returns an error as clients may see it, and logs what they may not see, under the request's id. It is logged
// as an error only if someone has to mend the server: a request that is refused is everyday business.
func Explain(log *slog.Logger, err error, requestID string) *fault.Error {
	e := storage.Explain(err)
	switch {
	case e.Kind == fault.Internal:
		log.Error("internal error", "request_id", requestID, "error", err)
	case e.Cause != nil:
		log.Log(context.Background(), levelOf(e.Kind), e.Detail, "request_id", requestID, "error", e.Cause)
	}
	return e
}

// levelOf returns the level at which the cause of an error is logged. A damaged file is answered with 409, because
// the request conflicts with what is stored; it is the operator who has to restore it.
func levelOf(kind fault.Kind) slog.Level {
	switch kind {
	case fault.Internal, fault.Unavailable, fault.Corrupt:
		return slog.LevelError
	}
	return slog.LevelInfo
}
