package storage

import (
	"context"
	"errors"
	"syscall"

	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
)

// ErrTimeout is the refusal of work that took longer than its time limit.
var ErrTimeout = fault.New(fault.Unavailable, "timeout")

// errBucketAway is the refusal while the object store can't be asked.
var errBucketAway = fault.Errorf(fault.Unavailable, "object_store_unavailable",
	"The object store does not answer. Nothing was changed. Send the request again once it does.")

// Explain returns an error as a client sees it. What a client may not see becomes Internal: callers log the
// original. It is the one place where an error becomes a sentence, whichever face asks.
func Explain(err error) *fault.Error {
	var e *fault.Error
	var in *intake.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &in):
		return uploadError(in)
	case errors.Is(err, bucket.ErrAway):
		return errBucketAway.Because(err)
	// Before what DuckDB says: a statement that is interrupted fails with errors of many kinds.
	case errors.Is(err, context.DeadlineExceeded):
		return ErrTimeout.Sayf("This took longer than the time limit. Ask for less, or raise the limit.")
	case errors.Is(err, context.Canceled):
		return fault.Errorf(fault.Unavailable, "stopped", "The server is stopping. Send the request again.")
	case systemFault(err) != nil:
		return systemFault(err)
	case catalog.IsUnavailable(err):
		return catalogFault(err)
	case duck.CauseOf(err) == duck.OutOfDisk:
		return fault.System(syscall.ENOSPC)
	case duck.CauseOf(err) == duck.OutOfMemory:
		return fault.Errorf(fault.Unavailable, "out_of_memory",
			"This needs more memory than the server may use (--memory-limit). Nothing was changed.")
	case duck.CauseOf(err) == duck.Crash:
		return fault.Errorf(fault.Invalid, "statement_failed",
			"DuckDB crashed on this query. The server is unaffected; write the query in another way.").Because(err)
	}
	return fault.Errorf(fault.Internal, "internal",
		"Something went wrong in the server. Nothing was changed; the log has the details under this request's id.")
}

// systemFault returns the client's error for what the operating system refused; nil if it refused nothing.
func systemFault(err error) *fault.Error {
	if e := fault.System(errnoOf(err)); e != nil {
		return e.Because(err)
	}
	return nil
}

// errnoOf returns the operating system's reason for an error, and 0 where it has none.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	if errno = catalog.Errno(err); errno != 0 {
		return errno
	}
	return duck.Errno(err)
}
