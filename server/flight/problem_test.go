package flight

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rowback/rowback/storage/fault"
)

func TestErrorsHaveCodes(t *testing.T) {
	var log bytes.Buffer
	f := &Face{log: slog.New(slog.NewTextHandler(&log, nil)), metrics: newMetrics()}
	for _, c := range []struct {
		err   error
		code  codes.Code
		shown string
	}{
		{refuse(fault.Malformed, "a", "shown"), codes.InvalidArgument, "shown"},
		{refuse(fault.Invalid, "a", "shown"), codes.InvalidArgument, "shown"},
		{refuse(fault.NotFound, "a", "shown"), codes.NotFound, "shown"},
		{refuse(fault.Exists, "a", "shown"), codes.AlreadyExists, "shown"},
		{refuse(fault.Conflict, "a", "shown"), codes.Aborted, "shown"},
		{refuse(fault.Blocked, "a", "shown"), codes.FailedPrecondition, "shown"},
		{refuse(fault.Corrupt, "a", "shown"), codes.DataLoss, "shown"},
		{refuse(fault.Unavailable, "busy", "shown"), codes.Unavailable, "shown"},
		{fmt.Errorf("wrapped: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "longer than the time limit"},
		{unsupported("shown"), codes.Unimplemented, "shown"},
		{status.Error(codes.InvalidArgument, "the library's"), codes.InvalidArgument, "the library's"},
		{errors.New("secret"), codes.Internal, "Something went wrong in the server"},
	} {
		err := f.observe(context.Background(), "method", func() error { return c.err })
		if status.Code(err) != c.code || !strings.Contains(status.Convert(err).Message(), c.shown) {
			t.Errorf("%v: %v; want %s %s", c.err, err, c.code, c.shown)
		}
	}
	if !strings.Contains(log.String(), "internal error") || !strings.Contains(log.String(), "secret") {
		t.Error("an error that is not shown was not logged:", log.String())
	}
}

func TestAPanicEndsOneCall(t *testing.T) {
	f := &Face{log: slog.New(slog.DiscardHandler), metrics: newMetrics()}
	err := f.observe(context.Background(), "method", func() error { panic("secret") })
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}
