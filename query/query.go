// Package query runs SQL that clients write, over datasets at any of their versions (design, section 8).
//
// A table of a statement is a dataset, by name or id, and a ref after @: employees, "employees@1.0.0", "employees@17". Two
// refs make the difference between them: "employees@1.0.0..1.0.1". The tables of the schema rowback are the catalog's:
// history itself. A statement runs in a sandbox of its own, which can read the files of the versions that it names and
// nothing else; before it runs, storage looks at all that it touches. The tests are statements with their results, in
// testdata, and a table of attempts to get out of the sandbox.
package query

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"rowback/storage"
	"rowback/storage/duck"
	"rowback/storage/intake"
	"rowback/storage/output"
)

// Statement is what a client asks.
type Statement struct {
	SQL     string
	Project int64           // whose datasets it may name
	Params  json.RawMessage // for ? and $1: a list; for $name: an object; empty: none
	Limit   *int64          // rows of the answer; nil: all
	Bytes   int64           // of the answer, about; 0: any
}

// maxText is how long a statement may be, bytes: a list of 50,000 numbers fits. The parser takes seconds for far longer
// ones.
const maxText = 500_000

// Write runs a statement and writes its result to w, in a format. scratch is where a file may be put meanwhile. It tells
// where the result was cut. ctx ends it.
func Write(ctx context.Context, store *storage.Store, s Statement, format intake.Format, w io.Writer, scratch string) (output.Cut, error) {
	if s.Limit != nil && *s.Limit < 0 {
		return output.Whole, refuse("invalid_limit", "limit: must not be negative").With("field", "limit")
	}
	box, err := store.OpenSandbox(ctx, false)
	if err != nil {
		return output.Whole, err
	}
	defer box.Close()
	t, err := parse(ctx, box, s.SQL)
	if err != nil {
		return output.Whole, err
	}
	q, err := prepare(ctx, store, box, s, t, output.Scratch(format, scratch))
	if err != nil {
		return output.Whole, err
	}
	cut, err := output.Write(ctx, box, q, format, w, scratch)
	return cut, t.explain(err)
}

// prepare gives the sandbox the tables that a statement names, locks it, and finds the columns of the result. files are
// more files that may be touched.
func prepare(ctx context.Context, store *storage.Store, box *duck.Conn, s Statement, t *text, files []string) (q output.Query, err error) {
	if q.Params, err = params(s.Params, t.asked); err != nil {
		return q, err
	}
	if q.Params, err = t.nameVersions(ctx, box, q.Params); err != nil {
		return q, err
	}
	n := &names{store: store, box: box, project: s.Project, files: files, catalog: map[string]bool{}}
	if err := n.resolve(ctx, t); err != nil {
		return q, err
	}
	if err := box.Lock(ctx, n.files, n.setup()...); err != nil {
		return q, storage.ReadError(err)
	}
	q.Limit, q.Bytes = s.Limit, s.Bytes
	q.SQL, q.Columns, err = result(ctx, box, t, q.Params)
	return q, err
}

func refuse(code, format string, args ...any) *storage.Error {
	return &storage.Error{Kind: storage.Invalid, Code: code, Detail: fmt.Sprintf(format, args...)}
}
