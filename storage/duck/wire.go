//go:build duckdb_arrow

package duck

import (
	"cmp"
	"encoding/gob"
	"errors"

	"github.com/duckdb/duckdb-go/v2"
)

// The protocol of a sandbox's process, over its standard input and output. The first request opens an instance, as does
// each that makes the process ready for a statement of other files. All others run a statement or call the Handler. A
// request is answered with an ack. If its result is wanted and the ack has no error, the result follows as an Arrow
// stream in frames, then another ack that says how it ended. The process ends when its input does, whatever it is
// doing.

// request is a statement, a call, or an instance to be opened.
type request struct {
	Open   *Limits  // open a new instance in place of the previous one
	Reset  bool     // prepare for another borrower of the same instance
	Lock   *locking // confine the instance to a scope
	Next   bool     // prepare for another statement in the scope that Lock has set
	Call   []byte   // call the Handler
	SQL    string
	Params []Param
	Asks   bool   // return the statement's parameters without running it
	Result *Bound // how much of the result is wanted; nil: none
	Most   int64  // bytes at which a batch of the result ends; 0: as many as batches may have
}

func (r request) most() int64 { return cmp.Or(r.Most, batchBytes) }

// ack is the answer to a request.
type ack struct {
	Rows  int64  // changed by the last statement
	Asked []byte // the parameters, as the schema of an Arrow stream
	Reply []byte // the Handler's
	Cut   Cut    // why the result ended early
	Err   *refusal
}

// refusal is an error in the form that is sent to the other process.
type refusal struct {
	Kind      duckdb.ErrorType
	Message   string
	IsDuckDB  bool // else Message is all there is
	IsFailure bool // the fields below are set
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

// registerValues registers the types of parameters with gob. Both ends call it first.
func registerValues() {
	gob.Register(Decimal{})
	gob.Register(Moment{})
	gob.Register([]any{})
	gob.Register(map[string]any{})
	gob.Register(Nested{})
}
