// Package gating evaluates gates: named checks that the commits, merges and versions of a dataset must pass. A gate is
// bound to the columns of its dataset when it is set (bind.go); it is evaluated over two states, of which the newer one
// may not be recorded yet (Change). Checks of single records read what a change brings, and nothing else; the others
// read the columns that they need of the whole state, or only what is kept with its files. SQL of clients runs in
// sandboxes that can read the files of these states and nothing else. Which changes are gated is up to package storage;
// its tests (gates_test.go, gates_model_test.go) prove both.
package gating

import (
	"context"
	"errors"
	"reflect"
	"regexp"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Checker evaluates gates.
type Checker struct {
	Sandboxes *clientsql.Sandboxes
	Conn      *duck.Conn // for statements of ours
	Commit    bool       // a write waits for it (Sandboxes.OpenLocked)
	Most      int        // failing records that a result names; 0: shownRecords
}

// Change is what gates look at: the states before and after it.
type Change struct {
	Before, After *snapshot.Snapshot

	Whole bool  // all records of the state after it are checked, and not only those that it brings
	File  *File // of the records that it brings; nil: they are in several, or it does more
}

// File is a file whose rows are the records that a change brings.
type File struct {
	Path     string
	IsUpload bool                                 // they are all records of an upload, in their order
	Rows     func(columns []schema.Column) string // the SQL of some columns by field id, and of _n, the number from 1

	// The same with the values of the columns in it, which reads no file; empty if that can't be. nil: too many rows.
	Values func(ctx context.Context, columns []schema.Column) (string, error)
}

// Outcome is what came of a gate.
type Outcome string

// The outcomes.
const (
	Passed Outcome = "passed"
	Failed Outcome = "failed"
	Broken Outcome = "error" // it could not be evaluated
)

// Result is what came of a gate, with the first records that fail.
type Result struct {
	Gate    string             `json:"gate"`
	Kind    catalog.GateKind   `json:"kind"`
	Action  catalog.GateAction `json:"action"`
	Outcome Outcome            `json:"outcome"`
	Detail  string             `json:"detail"`
	Failed  int64              `json:"failed_records"`
	Records []Record           `json:"records"`
}

// Record is a record that fails: its key, and the values that the gate looks at, as texts.
type Record struct {
	Number int64              `json:"record,omitempty"` // in the upload, from 1; 0: unknown
	Key    map[string]string  `json:"key,omitempty"`    // nil: the server has not given it yet
	Values map[string]*string `json:"values"`           // nil: null
}

// Check evaluates a gate. A gate that can't be evaluated is a result (Broken), unless the reason is not the gate's: a
// damaged file, a full disk, no place for the statement.
func (c Checker) Check(ctx context.Context, g catalog.Gate, ch Change) (Result, error) {
	out, err := c.check(ctx, g, ch)
	out.Gate, out.Kind, out.Action = g.Name, g.Kind, g.Action
	if r, isBroken := BrokenResult(ctx, g, ch.After.Schema, err); isBroken || err != nil {
		if isBroken {
			err = nil
		}
		return r, err
	}
	if out.Outcome = Passed; out.Detail != "" {
		out.Outcome = Failed
	}
	if out.Records == nil {
		out.Records = []Record{}
	}
	return out, nil
}

// check is Check, with a Detail if the gate fails.
func (c Checker) check(ctx context.Context, g catalog.Gate, ch Change) (Result, error) {
	switch g.Kind {
	case catalog.GateRowCount:
		return checkRowCount(g, ch.After.Total())
	case catalog.GateNoCategoryLost:
		return c.checkCategories(ctx, ch)
	case catalog.GateMinimumQuality:
		if g.Of != ofRecord {
			return c.checkMean(ctx, g, ch)
		}
	case catalog.GateQuery:
		return c.checkQuery(ctx, g, ch)
	case catalog.GateUnique:
		return c.checkUnique(ctx, g, ch)
	}
	return c.checkRecords(ctx, g, ch)
}

// ErrTime is the cause with which a context ends whose gates took too long.
var ErrTime = errors.New("the gates took too long")

// ourColumn is the name of a column in our statements, as DuckDB's messages have it: quoted, it is a reference.
var ourColumn = regexp.MustCompile(`(column )"?(c\d+)\b"?`)

// unusable is why a gate can't be evaluated, as a sentence.
type unusable struct{ why string }

func (u *unusable) Error() string { return u.why }

// broken returns why a gate can't be evaluated, if that is because of the gate.
func broken(ctx context.Context, err error) (why string, ok bool) {
	var u *unusable
	var e *fault.Error
	switch {
	case errors.As(err, &u):
		return u.why, true
	case errors.Is(context.Cause(ctx), ErrTime):
		return "It took longer than gates may take (--gate-timeout).", true
	case ctx.Err() != nil:
		return "", false
	case errors.As(err, &e):
		return e.Detail, e.Kind == fault.Invalid
	}
	switch duck.CauseOf(err) {
	case duck.Input:
		return "It can't be computed: " + ourColumn.ReplaceAllString(duck.Message(err), `$1"$2"`) + ".", true
	case duck.OutOfMemory:
		return "It needs more memory than a query may use.", true
	case duck.Crash:
		return "DuckDB crashed on it.", true
	case duck.Forbidden:
		return "It uses something that is not allowed: a gate can read the records of its dataset and nothing else.", true
	}
	return "", false
}

// BrokenResult is the result of a gate that can't be evaluated for a reason; ok is false if that is none, or not the
// gate's.
func BrokenResult(ctx context.Context, g catalog.Gate, s schema.Schema, err error) (out Result, ok bool) {
	if err == nil {
		return out, false
	}
	why, ok := broken(ctx, err)
	return Result{
		Gate: g.Name, Kind: g.Kind, Action: g.Action, Outcome: Broken, Detail: s.WithNames(why), Records: []Record{},
	}, ok
}

// Affected reports whether a change of the schema may make a gate one that can't be evaluated.
func Affected(g catalog.Gate, before, after schema.Schema) bool {
	switch g.Kind {
	case catalog.GateQuery, catalog.GateMinimumQuality, catalog.GateNoCategoryLost:
		return !reflect.DeepEqual(before.Columns, after.Columns)
	}
	return slices.ContainsFunc(references(g), func(id int) bool {
		was, _ := columnByID(before, id)
		is, ok := columnByID(after, id)
		return !ok || !was.Type.Equal(is.Type)
	})
}

// MayBeSlow reports whether a gate may take longer than what a small commit otherwise costs: one that runs in a
// sandbox, or reads more than the commit brings.
func MayBeSlow(g catalog.Gate, s schema.Schema) bool {
	switch g.Kind {
	case catalog.GateQuery, catalog.GateCondition, catalog.GateUnique:
		return true
	}
	return slices.ContainsFunc(references(g), func(id int) bool {
		c, ok := columnByID(s, id)
		return !ok || c.Derived()
	})
}
