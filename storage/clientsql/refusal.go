package clientsql

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rowback/storage/duck"
	"rowback/storage/fault"
)

// Refusal is SQL that is refused, with its place.
type Refusal struct {
	Offset int // bytes into the text; -1: nowhere in it
	fault  *fault.Error
	reason string // why it is not SQL that can be run, without a sentence around it; empty: it is, and may not be
}

func (r *Refusal) Error() string { return r.fault.Error() }

// Unwrap returns the refusal without its place.
func (r *Refusal) Unwrap() error { return r.fault }

// invalid refuses SQL that can't be run.
func invalid(offset int, format string, args ...any) error {
	e := fault.Errorf(fault.Invalid, "invalid_sql", format, args...)
	return &Refusal{offset, e, strings.TrimSuffix(e.Detail, ".")}
}

// unparsed refuses SQL that DuckDB's parser does not take, by its message and the place that it names.
func unparsed(message, position string) error {
	message, _, _ = strings.Cut(message, "\n")
	switch {
	case message == "":
		message = "it is not one statement"
	case strings.Contains(message, "Only SELECT statements"):
		message = "it is not one SELECT, or a PIVOT that does not list its values (ON … IN (…))"
	}
	offset, err := strconv.Atoi(position)
	if err != nil {
		offset = unplaced
	}
	message = strings.TrimRight(message, ".")
	e := fault.Errorf(fault.Invalid, "invalid_sql", "The SQL can't be parsed: %s.", message)
	return &Refusal{offset, e, "it can't be parsed: " + message}
}

// reasonOf returns why a text is not SQL that can be run. ok is false for other errors.
func reasonOf(err error) (reason string, ok bool) {
	var r *Refusal
	if errors.As(err, &r) {
		reason = r.reason
	}
	return reason, reason != ""
}

func forbidden(what string) error { return forbiddenAt(unplaced, what) }

func forbiddenAt(offset int, what string) error {
	return &Refusal{Offset: offset, fault: fault.Errorf(fault.Invalid, "forbidden_sql",
		"The SQL asks for %s, which it can't have: it reads records, and nothing else.", fault.Clip(what))}
}

func tooComplex(format string, args ...any) error {
	return fault.Errorf(fault.Invalid, "too_complex", "The SQL %s", fmt.Sprintf(format, args...))
}

// Explain turns DuckDB's refusal of a client's SQL into a sentence for the client. Other errors stay as they are.
func Explain(err error) error {
	switch duck.CauseOf(err) {
	case duck.Input:
		return invalid(unplaced, "The SQL can't be run: %s.", duck.Message(err))
	case duck.Forbidden:
		return forbidden("something")
	}
	return err
}
