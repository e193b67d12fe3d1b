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
	"rowback/storage/fault"
	"rowback/storage/intake"
	"rowback/storage/output"
	"rowback/storage/schema"
)

// Statement is what a client asks.
type Statement struct {
	SQL     string
	Project int64           // whose datasets it may name
	Params  json.RawMessage // for ? and $1: a list; for $name: an object; empty: none
	Values  []duck.Param    // the parameters in place of Params, where they have types of their own
	Limit   *int64          // rows of the answer; nil: all
	Bytes   int64           // of the answer, about; 0: any
	Meaning Meaning         // of an earlier look at the statement; nil: what its names stand for now
	Columns []schema.Column // that the result is cast to, of an earlier look; nil: those that it has
}

// maxText is how long a statement may be, bytes: a list of 50,000 numbers fits. The parser takes seconds for far longer
// ones.
const maxText = 500_000

// Write runs a statement and writes its result to w, in a format. scratch is where a file may be put meanwhile. It tells
// where the result was cut. ctx ends it.
func Write(ctx context.Context, store *storage.Store, s Statement, format intake.Format, w io.Writer, scratch string) (output.Cut, error) {
	p, err := prepare(ctx, store, s, output.Scratch(format, scratch))
	if err != nil {
		return output.Whole, err
	}
	defer p.box.Close()
	cut, err := output.Write(ctx, p.box, p.query, format, w, scratch)
	return cut, p.text.explain(err)
}

// prepared is a statement that is ready to run.
type prepared struct {
	box     *duck.Conn // that it runs in; the caller closes it
	text    *text
	query   output.Query
	meaning Meaning
}

// prepare reads a statement and gives it a sandbox of its own. files are more files that may be touched.
func prepare(ctx context.Context, store *storage.Store, s Statement, files []string) (*prepared, error) {
	if s.Limit != nil && *s.Limit < 0 {
		return nil, refuse("invalid_limit", "limit: must not be negative").With("field", "limit")
	}
	p, err := read(ctx, store, s, files, func(t *text) ([]duck.Param, error) {
		if s.Values != nil {
			return s.Values, checkValues(s.Values, t.asked)
		}
		return params(s.Params, t.asked)
	})
	if err != nil {
		return nil, err
	}
	p.query.Limit, p.query.Bytes = s.Limit, s.Bytes
	if p.query.SQL, p.query.Columns, err = result(ctx, p.box, p.text, p.query.Params, s.Columns); err != nil {
		p.box.Close()
		return nil, err
	}
	return p, nil
}

// read parses a statement in a sandbox, gives that the tables which the statement names, and locks it. values are those
// of its parameters.
func read(ctx context.Context, store *storage.Store, s Statement, files []string, values func(*text) ([]duck.Param, error)) (p *prepared, err error) {
	box, err := store.Sandboxes.Open(ctx, false)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			box.Close()
		}
	}()
	p = &prepared{box: box, meaning: Meaning{}}
	if p.text, err = parse(ctx, box, s.SQL); err != nil {
		return nil, err
	}
	if p.query.Params, err = values(p.text); err != nil {
		return nil, err
	}
	if p.query.Params, err = p.text.nameVersions(ctx, box, p.query.Params); err != nil {
		return nil, err
	}
	n := &names{store: store, box: box, project: s.Project, files: files, catalog: map[string]bool{}, known: s.Meaning, means: p.meaning}
	if err := n.resolve(ctx, p.text); err != nil {
		return nil, err
	}
	if err := box.Lock(ctx, n.files, n.setup()...); err != nil {
		return nil, err
	}
	return p, nil
}

func refuse(code, format string, args ...any) *fault.Error {
	return &fault.Error{Kind: fault.Invalid, Code: code, Detail: fmt.Sprintf(format, args...)}
}
