// Package fault has the errors that clients see: a kind, which is what a caller can do about it; a code, which is
// stable; and one sentence, which states the fact and then the remedy. Each face maps kinds to its own statuses in one
// table. An error that is not a fault is internal: it is logged under the request's id and not shown. storage.Explain
// maps the errors of DuckDB, the catalog and the file system to faults; disk_test.go beside it and
// fixtures/clients/test_disks.py prove it.
package fault

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Kind is what a caller can do about an error. There is one kind for each reaction.
type Kind int

// The kinds of errors.
const (
	Internal    Kind = iota // the server's own fault: logged, not shown
	Malformed               // the request can't be parsed
	Invalid                 // the request can be parsed, but is refused
	NotFound                // what the request names does not exist
	Gone                    // what it names was there, and was removed for good
	Exists                  // what the request would create exists
	Conflict                // the dataset is not in the state that the request expects
	Blocked                 // later commits must be rolled back first
	Corrupt                 // a stored file is not what was written
	TooLarge                // too much for one request: it can be sent in parts
	Forbidden               // whoever asks may not do it
	Unavailable             // no disk space, memory or time: the same request may succeed later
)

// Error is an error that a person can act on. Code is stable; Detail is one sentence; Fields are facts for programs.
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

// Errorf returns an error whose sentence is formatted as by fmt.Sprintf.
func Errorf(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// New returns a refusal without a sentence, to be a package's value: Sayf gives it one where it is returned, and
// errors.Is finds it there, whatever the sentence.
func New(kind Kind, code string) *Error { return &Error{Kind: kind, Code: code} }

// Sayf returns the error with a sentence, which is formatted as by fmt.Sprintf.
func (e *Error) Sayf(format string, args ...any) *Error {
	out := *e
	out.Detail = fmt.Sprintf(format, args...)
	return &out
}

// Is reports whether target is the same refusal, of the same kind and code: what the two say may differ. Callers that
// react to one refusal compare by errors.Is, never by a code's text.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && e.Kind == other.Kind && e.Code == other.Code
}

// With returns a copy of the error with a fact added.
func (e *Error) With(name string, value any) *Error {
	fields := map[string]any{name: value}
	for k, v := range e.Fields {
		fields[k] = v
	}
	return &Error{Kind: e.Kind, Code: e.Code, Detail: e.Detail, Fields: fields, Cause: e.Cause}
}

// Because returns a copy of the error with its cause, which is logged and found by errors.Is.
func (e *Error) Because(cause error) *Error {
	out := *e
	out.Cause = cause
	return &out
}

// KindOf returns the kind of the *Error in err's chain; Internal if there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Clip shortens a client's text to 60 characters, for use in a sentence.
func Clip(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
