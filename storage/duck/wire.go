//go:build duckdb_arrow

package duck

import (
	"encoding/gob"
	"errors"

	"github.com/duckdb/duckdb-go/v2"
)

// What a sandbox's process is told and answers, over its standard input and output.
//
// The first request opens an instance, and so does each that makes the process ready for another client's statement. All
// others run a statement, or call what the process was started for. A request is answered with an ack; one whose result
// is wanted with an ack and, unless that has an error, the result as an Arrow stream in frames, and an ack more: how it
// ended. The process ends with its input, whatever it is at.

// request is a statement, a call, or an instance to be opened.
type request struct {
	Open   *Limits // of a new instance, in place of the one before
	Rest   bool    // the instance is kept for another borrower: is it sound?
	Call   []byte  // for the process's Handler
	SQL    string
	Params []Param
	Asks   bool   // for the statement's parameters: it is not run
	Result *Bound // as much of the result is wanted; nil: none
}

// ack tells how a request went.
type ack struct {
	Rows  int64  // that the last statement changed
	Asked []byte // the parameters, as the schema of an Arrow stream
	Reply []byte // of the process's Handler
	Cut   Cut    // of a result
	Err   *refusal
}

// refusal is an error on its way to another process.
type refusal struct {
	Kind      duckdb.ErrorType
	Message   string
	IsDuckDB  bool // else it is an error of another kind, with a message only
	IsFailure bool // the rest is known, too
	Statement string
	Offset    int
	Hint      string
}

func refusalOf(err error) *refusal {
	var de *duckdb.Error
	var f *Failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return &refusal{f.cause.Type, f.cause.Msg, true, true, f.Statement, f.Offset, f.Hint}
	case errors.As(err, &de):
		return &refusal{Kind: de.Type, Message: de.Msg, IsDuckDB: true}
	}
	return &refusal{Message: err.Error()}
}

func (r *refusal) error() error {
	switch {
	case r == nil:
		return nil
	case !r.IsDuckDB:
		return errors.New(r.Message)
	}
	de := &duckdb.Error{Type: r.Kind, Msg: r.Message}
	if !r.IsFailure {
		return de
	}
	return &Failure{r.Statement, r.Offset, r.Hint, de}
}

// registerValues tells gob what a parameter's value may be beside Go's own types. Both ends call it first.
func registerValues() {
	gob.Register(Decimal{})
	gob.Register(Moment{})
	gob.Register([]any{})
	gob.Register(map[string]any{})
	gob.Register(Nested{})
}
