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

	"rowback/storage/fault"
)

func TestErrorsHaveCodes(t *testing.T) {
	var log bytes.Buffer
	f := &Face{log: slog.New(slog.NewTextHandler(&log, nil)), metrics: newMetrics()}
	for _, c := range []struct {
		err  error
		code codes.Code
		told string
	}{
		{refuse(fault.Malformed, "a", "told"), codes.InvalidArgument, "told"},
		{refuse(fault.Invalid, "a", "told"), codes.InvalidArgument, "told"},
		{refuse(fault.NotFound, "a", "told"), codes.NotFound, "told"},
		{refuse(fault.Exists, "a", "told"), codes.AlreadyExists, "told"},
		{refuse(fault.Conflict, "a", "told"), codes.Aborted, "told"},
		{refuse(fault.Blocked, "a", "told"), codes.FailedPrecondition, "told"},
		{refuse(fault.Corrupt, "a", "told"), codes.DataLoss, "told"},
		{refuse(fault.Unavailable, "busy", "told"), codes.Unavailable, "told"},
		{fmt.Errorf("wrapped: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "longer than the time limit"},
		{unsupported("told"), codes.Unimplemented, "told"},
		{status.Error(codes.InvalidArgument, "the library's"), codes.InvalidArgument, "the library's"},
		{errors.New("secret"), codes.Internal, "Something went wrong in the server"},
	} {
		err := f.observe(context.Background(), "method", func() error { return c.err })
		if status.Code(err) != c.code || !strings.Contains(status.Convert(err).Message(), c.told) {
			t.Errorf("%v: %v; want %s %s", c.err, err, c.code, c.told)
		}
	}
	if !strings.Contains(log.String(), "internal error") || !strings.Contains(log.String(), "secret") {
		t.Error("what is not told was not logged:", log.String())
	}
}

func TestAPanicEndsOneCall(t *testing.T) {
	f := &Face{log: slog.New(slog.DiscardHandler), metrics: newMetrics()}
	err := f.observe(context.Background(), "method", func() error { panic("secret") })
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}
