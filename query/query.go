// Package query runs clients' SQL over datasets at any of their versions (design, section 8).
//
// A table of a statement is a dataset, by name or id, with a ref after @: employees, "employees@1.0.0", "employees@17".
// Two refs select the difference between them: "employees@1.0.0..1.0.1". The tables of the schema rowback show the
// catalog: the history itself. Each statement runs in a sandbox that can read the files of the versions that it names
// and nothing else, and that has served only statements of the same versions; before it runs, storage checks everything
// that it touches. The tests are statements with their results, in testdata, and a table of attempts to escape from the
// sandbox.
package query

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/schema"
)

// Statement is a client's query. A statement reads only: everything but one SELECT is refused.
type Statement struct {
	SQL     string
	Project int64                    // the project whose datasets it may name
	Params  json.RawMessage          // for ? and $1: a list; for $name: an object; empty: none
	Values  []duck.Param             // typed parameters, instead of Params
	Limit   *int64                   // most rows of the result; nil: all
	Bytes   int64                    // most bytes of the result, approximately; 0: no limit
	Pages   datafile.Pages           // of a result as Parquet; 0: version 1
	Meaning Meaning                  // from an earlier description; nil: what the names stand for now
	Audit   func() ([]string, error) // files of the audit log, if the client may read it; nil: it may not
	Columns []schema.Column          // to cast the result to, from an earlier description; nil: its own
}

// maxText is the longest statement, in bytes: a list of 50,000 numbers fits. The parser takes seconds for much longer
// ones.
const maxText = 500_000

// Write runs a statement and writes its result to w, in a format. scratch is a path for a temporary file. It returns
// why the result was cut, if it was. ctx ends it. Without ORDER BY, the rows come in any order.
func Write(
	ctx context.Context, store *storage.Store, s Statement, format intake.Format, w io.Writer, scratch string,
) (output.Cut, error) {
	p, err := prepare(ctx, store, s, output.Scratch(format, scratch))
	if err != nil {
		return output.Whole, err
	}
	defer p.box.Close()
	cut, err := output.Write(ctx, p.box, p.query, format, w, scratch)
	return cut, p.text.explain(err)
}

// prepared is a statement that is ready to run. It has the sandbox until it is closed, so every path that fails closes
// it.
type prepared struct {
	box     *duck.Conn // the sandbox in which it runs; the caller closes it
	text    *text
	query   output.Query
	meaning Meaning
	source  []schema.Column // of the only dataset that it reads; nil: there are others, or none
}

// prepare parses a statement and opens a sandbox for it. files are further files that it may access.
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
	p.query.Limit, p.query.Bytes, p.query.Pages = s.Limit, s.Bytes, s.Pages
	if p.query.SQL, p.query.Columns, err = result(ctx, p.box, p.text, p.query.Params, s.Columns); err != nil {
		p.box.Close()
		return nil, err
	}
	p.extend()
	return p, nil
}

// extend gives columns of the result the extensions of the dataset's columns that they are.
func (p *prepared) extend() {
	if p.text.Passed.Clashes(p.source) {
		return
	}
	own := make(map[string]schema.Column, len(p.source))
	for _, c := range p.source {
		own[schema.Fold(c.Name)] = c
	}
	for i, c := range p.query.Columns {
		name, ok := p.text.Passed.Source(c.Name)
		if from, known := own[schema.Fold(name)]; ok && known && from.Type.Equal(c.Type) {
			p.query.Columns[i].Extension = from.Extension
		}
	}
}

// read parses a statement in a sandbox, creates the tables that the statement names there, and locks it. values returns
// the values of its parameters. Values come before the tables, because a parameter may name a version.
func read(
	ctx context.Context, store *storage.Store, s Statement, files []string, values func(*text) ([]duck.Param, error),
) (p *prepared, err error) {
	if err := checkText(s.SQL); err != nil {
		return nil, err
	}
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
	n := &names{
		store: store, box: box, project: s.Project, files: files, once: len(files) > 0, catalog: map[string]bool{},
		known: s.Meaning, means: p.meaning, audit: s.Audit,
	}
	if err := n.resolve(ctx, p.text); err != nil {
		return nil, err
	}
	if len(n.views) == 1 && len(n.catalog) == 0 {
		p.source = n.views[0].columns
	}
	// From here on the sandbox reaches these files and nothing else: no path, no network, no setting.
	if err := box.Lock(ctx, n.scope()); err != nil {
		return nil, err
	}
	return p, nil
}

// refuse returns the refusal of a statement; every one of this package's is invalid and not malformed, as the request
// itself was read.
func refuse(code, format string, args ...any) *fault.Error {
	return &fault.Error{Kind: fault.Invalid, Code: code, Detail: fmt.Sprintf(format, args...)}
}
