package query

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/schema"
)

// Result is a running statement. Its result can be read while it is being computed, in large Arrow batches. Close must
// be called. It occupies one of a few sandboxes until it is closed.
type Result struct {
	*prepared
	stream *output.Stream
}

// Open runs a statement. Batches have about 64k rows, or about most bytes if that is less. ctx ends it. The statement
// is checked before this returns; errors of the computation come from Next.
func Open(ctx context.Context, store *storage.Store, s Statement, most int64) (*Result, error) {
	p, err := prepare(ctx, store, s, nil)
	if err != nil {
		return nil, err
	}
	stream, err := output.Open(ctx, p.box, p.query, most)
	if err != nil {
		p.box.Close()
		return nil, p.text.explain(err)
	}
	return &Result{p, stream}, nil
}

// Schema describes the batches.
func (r *Result) Schema() *arrow.Schema { return r.stream.Schema() }

// Next returns the next batch, which the caller releases, or nil at the end. After an error the result has ended.
func (r *Result) Next() (arrow.RecordBatch, error) {
	b, err := r.stream.Next()
	return b, r.text.explain(err)
}

// Left returns how many of Statement.Bytes the result has left.
func (r *Result) Left() int64 { return r.stream.Left() }

// Cut returns why the result ended before all of it was read, once Next has returned nil.
func (r *Result) Cut() output.Cut { return r.stream.Cut() }

// Close ends the statement, finished or not.
func (r *Result) Close() {
	r.stream.Close()
	r.box.Close()
}

// Shape is what is known of a statement without running it.
type Shape struct {
	Schema     *arrow.Schema   // of the result
	Columns    []schema.Column // of the result
	Meaning    Meaning
	Parameters []arrow.Field // from Check: each by its name, or its number from 1, with the type it needs; null: any
}

// Describe finds the shape of a statement's result. Parameters need values of their types. It opens a sandbox, and
// plans the statement without running it.
func Describe(ctx context.Context, store *storage.Store, s Statement) (Shape, error) {
	p, err := prepare(ctx, store, s, nil)
	if err != nil {
		return Shape{}, err
	}
	defer p.box.Close()
	return p.shape(ctx)
}

// shape returns the schema and columns of the result.
func (p *prepared) shape(ctx context.Context) (Shape, error) {
	out := Shape{Columns: p.query.Columns, Meaning: p.meaning}
	// A type without a form in Arrow is refused by column, before anything runs.
	if err := output.CheckTypes(p.query.Columns, intake.Arrow); err != nil {
		return out, p.text.explain(err)
	}
	// Read it to its end: closing a result early ends the sandbox's process.
	none, err := p.box.Batch(ctx, "SELECT * FROM ("+p.query.SQL+") LIMIT 0", p.query.Params...)
	if err != nil {
		return out, p.text.explain(err)
	}
	defer none.Release()
	out.Schema = output.Label(none.Schema(), p.query.Columns)
	return out, nil
}

// errUnknown is returned by Check for a statement whose tables depend on its parameters: AT (VERSION => ?).
var errUnknown = errors.New("the tables are not known yet")

// Check describes a statement whose parameters have no values yet. The shape has no schema if that depends on them.
// Preparing a statement (Flight SQL, JDBC) asks for this: the client then knows what to bind.
func Check(ctx context.Context, store *storage.Store, s Statement) (Shape, error) {
	var asked []arrow.Field
	p, err := read(ctx, store, s, nil, func(t *text) (out []duck.Param, err error) {
		for _, name := range t.asked {
			out = append(out, duck.Param{Name: name})
			asked = append(asked, arrow.Field{Name: name, Type: arrow.Null, Nullable: true})
		}
		if slices.ContainsFunc(t.Tables, func(t clientsql.Table) bool { return t.Parameter != "" }) {
			err = errUnknown
		}
		return out, err
	})
	if errors.Is(err, errUnknown) {
		return Shape{Parameters: asked}, nil
	}
	if err != nil {
		return Shape{}, err
	}
	defer p.box.Close()
	found, err := p.box.Parameters(ctx, p.text.sql)
	if err != nil {
		return Shape{}, p.text.explain(err)
	}
	out := Shape{Meaning: p.meaning, Parameters: found.Fields()}
	if p.query.SQL, p.query.Columns, err = result(ctx, p.box, p.text, p.query.Params, nil); err == nil {
		p.extend()
		out, err = p.shape(ctx)
		out.Parameters = found.Fields()
		return out, err
	}
	// Its types depend on the values: a description has to wait for them.
	if len(asked) > 0 {
		return out, nil
	}
	return Shape{}, err
}

// Tables returns the Arrow schemas that queries for whole tables would have, given their columns with names and DuckDB
// types. The types come from DuckDB itself, so that they are those of a result.
func Tables(ctx context.Context, store *storage.Store, tables [][]schema.Column) ([]*arrow.Schema, error) {
	conn, err := store.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	out := make([]*arrow.Schema, len(tables))
	for i, columns := range tables {
		list := make([]string, len(columns))
		for k, c := range columns {
			kept := c.Type
			if stored, ok := schema.Stored(c.Type); ok {
				kept = stored
			}
			list[k] = "CAST(NULL AS " + kept.SQL() + ") AS " + duck.Ident(c.Name)
		}
		none, err := conn.Stream(ctx, "SELECT "+strings.Join(list, ", ")+" LIMIT 0")
		if err != nil {
			return nil, err
		}
		out[i] = output.Label(none.Schema(), columns)
		none.Close()
	}
	return out, nil
}

// CatalogTables returns the tables of the schema rowback, with their columns. The columns are in the order that SELECT
// * has.
func CatalogTables() map[string][]schema.Column {
	out := map[string][]schema.Column{}
	for name, r := range relations {
		for i, c := range r.columns {
			typ, err := schema.Parse(c[1])
			if err != nil {
				panic(err) // the types are constants of this package
			}
			out[name] = append(out[name], schema.Column{ID: i + 1, Name: c[0], Type: typ})
		}
	}
	return out
}
