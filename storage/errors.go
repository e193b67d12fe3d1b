package storage

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"rowback/storage/duck"
	"rowback/storage/intake"
)

// Kind is what a caller can do about an error. There is one kind for each different reaction.
type Kind int

// The kinds of errors.
const (
	Internal    Kind = iota // ours: logged, not shown
	Malformed               // what was sent can't be read
	Invalid                 // it can be read, and is refused
	NotFound                // what was named is not there
	Exists                  // what was to be made is there already
	Conflict                // the dataset is not as the request expected it
	Blocked                 // later commits must be undone first
	Corrupt                 // a stored file is not what it was
	TooLarge                // more than is taken at once: it may come in parts
	Unavailable             // no room, no memory or no time: the same request may work later
)

// Error is a refusal that a person can act on. Code is stable; Detail is one sentence; Fields are facts for programs.
type Error struct {
	Kind   Kind
	Code   string
	Detail string
	Fields map[string]any
	Cause  error // for the log, not for clients
}

func (e *Error) Error() string { return e.Detail }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

func failf(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// With returns the error with a fact added.
func (e *Error) With(name string, value any) *Error {
	fields := map[string]any{name: value}
	for k, v := range e.Fields {
		fields[k] = v
	}
	return &Error{Kind: e.Kind, Code: e.Code, Detail: e.Detail, Fields: fields, Cause: e.Cause}
}

// KindOf tells what kind of error it is, if it is one that can be shown; else Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Explain turns an error into an *Error for the client. What is not a client's to see becomes Internal, with the
// original still wrapped by the caller's log.
func Explain(err error) *Error {
	var e *Error
	var in *intake.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &in):
		return uploadError(in)
	case errors.Is(err, context.DeadlineExceeded):
		return failf(Unavailable, "timeout", "This took longer than the time limit. Ask for less, or raise the limit.")
	case errors.Is(err, context.Canceled):
		return failf(Unavailable, "stopped", "The server is stopping. Send the request again.")
	case systemFault(err) != nil:
		return systemFault(err)
	case duck.CauseOf(err) == duck.OutOfDisk:
		return tellErrno(syscall.ENOSPC)
	case duck.CauseOf(err) == duck.OutOfMemory:
		return failf(Unavailable, "out_of_memory", "This needs more memory than the server may use (--memory-limit). Nothing was changed.")
	case duck.CauseOf(err) == duck.Crash:
		e := failf(Invalid, "statement_failed", "DuckDB broke down over this SQL. The server goes on; write the statement in another way.")
		e.Cause = err
		return e
	}
	return failf(Internal, "internal", "Something went wrong in the server. Nothing was changed; the log has the details under this request's id.")
}
