// Package fault is what a refusal says: a kind, which is what a caller can do about it; a code, which is stable; and
// one sentence, which states the fact and then the remedy.
//
// Faces map kinds to their own statuses, one table each. An error that is not a fault is the server's own: it is logged
// under the request's id and shown to no one. What the errors of DuckDB, the catalog and the file system come to is
// decided by storage.Explain; disk_test.go beside it and fixtures/clients/test_disks.py prove it.
package fault

import (
	"errors"
	"fmt"
	"unicode/utf8"
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

// Errorf returns an error whose sentence is formatted as by fmt.Sprintf.
func Errorf(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// New returns a refusal without a sentence, to be a package's value: Sayf gives it one where it is returned, and errors.Is
// finds it there, whatever the sentence.
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

// With returns the error with a fact added.
func (e *Error) With(name string, value any) *Error {
	fields := map[string]any{name: value}
	for k, v := range e.Fields {
		fields[k] = v
	}
	return &Error{Kind: e.Kind, Code: e.Code, Detail: e.Detail, Fields: fields, Cause: e.Cause}
}

// Because returns the error with what it came of, which the log has and errors.Is finds.
func (e *Error) Because(cause error) *Error {
	out := *e
	out.Cause = cause
	return &out
}

// KindOf returns the kind of an error that can be shown, and Internal for all others.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Clip shortens what a client sent, so that a sentence can show it: 60 characters at most.
func Clip(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
