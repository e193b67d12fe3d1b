package clientsql

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
)

// Refusal is the error for refused SQL, with the position in its text.
type Refusal struct {
	Offset int // in bytes; -1: unknown
	fault  *fault.Error
	reason string // why the SQL can't be run, as a clause; empty if it could be, but is not allowed
}

func (r *Refusal) Error() string { return r.fault.Error() }

// Unwrap returns the fault, which has no position.
func (r *Refusal) Unwrap() error { return r.fault }

// invalid refuses SQL that can't be run.
func invalid(offset int, format string, args ...any) error {
	e := fault.Errorf(fault.Invalid, "invalid_sql", format, args...)
	return &Refusal{offset, e, strings.TrimSuffix(e.Detail, ".")}
}

// unparsed refuses SQL that DuckDB can't parse, with its message and position.
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
	if strings.HasSuffix(message, `near "@"`) {
		message += `; a dataset at a ref is written in double quotes, as "name@ref"`
	}
	e := fault.Errorf(fault.Invalid, "invalid_sql", "The SQL can't be parsed: %s.", message)
	return &Refusal{offset, e, "it can't be parsed: " + message}
}

// reasonOf returns why SQL can't be run; ok is false for other errors.
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
		"The SQL uses %s, which is not allowed: it can read records and nothing else.", fault.Clip(what))}
}

func tooComplex(format string, args ...any) error {
	return fault.Errorf(fault.Invalid, "too_complex", "The SQL %s", fmt.Sprintf(format, args...))
}

// Explain returns the fault for an error of DuckDB's that a client's SQL caused, and other errors as they are.
func Explain(err error) error {
	switch duck.CauseOf(err) {
	case duck.Input:
		return invalid(unplaced, "The SQL can't be run: %s.", duck.Message(err))
	case duck.Forbidden:
		return forbidden("something")
	}
	return err
}
