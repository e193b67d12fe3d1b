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

func Errorf(kind Kind, code, format string, args ...any) *Error {
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

// clip shortens what a client sent, to show it back.
func Clip(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
