package query

import (
	"context"
	"fmt"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// The most columns of a result, and the deepest nesting of its types.
const (
	maxColumns = 10_000
	maxDepth   = 40 // pyarrow reads Parquet of 100 levels, and a list takes two
)

// result returns the SQL of a statement's result, and its columns: each with a unique name, and with a type that every
// format can write if there is one that preserves its values. wanted are the columns of an earlier description, which
// the result is cast to: a null among the parameters can change the types. Formats differ in what they can write; the
// cast makes them differ in form only.
func result(
	ctx context.Context, box *duck.Conn, t *text, params []duck.Param, wanted []schema.Column,
) (sql string, columns []schema.Column, err error) {
	sql = "SELECT * FROM (\n" + t.sql + "\n)"
	columns, err = describe(ctx, box, sql, params)
	if err != nil {
		return "", nil, t.explain(err)
	}
	if len(columns) > maxColumns {
		return "", nil, refuse("too_complex",
			"The result has %d columns, and the limit is %d. Name the columns that you need instead of *.", len(columns),
			maxColumns)
	}
	if wanted != nil && len(wanted) != len(columns) {
		return "", nil, refuse("invalid_params",
			"params: the result has %d columns for some of the values and %d for others.", len(wanted), len(columns))
	}
	cast := false
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = duck.Ident(c.Name)
		kept, ok := schema.Stored(c.Type)
		if wanted != nil {
			kept, ok = wanted[i].Type, true
		}
		if !ok || kept.Equal(c.Type) {
			continue
		}
		cast = true
		list[i] = fmt.Sprintf("CAST(%s AS %s) AS %s", list[i], kept.SQL(), list[i])
		columns[i].Type = kept
	}
	if cast {
		sql = "SELECT " + strings.Join(list, ", ") + " FROM (" + sql + ")"
	}
	return sql, columns, nil
}

// describe finds the columns of a query's result, without running it. DuckDB plans the statement for that, which finds
// most mistakes in it.
func describe(
	ctx context.Context, box *duck.Conn, sql string, params []duck.Param,
) (columns []schema.Column, err error) {
	rows, err := box.Batch(ctx, "SELECT column_name, column_type FROM (DESCRIBE "+sql+")", params...)
	if err != nil {
		return nil, err
	}
	defer rows.Release()
	for i := range int(rows.NumRows()) {
		// copies: the originals are DuckDB's memory
		name, written := strings.Clone(rows.Column(0).ValueStr(i)), strings.Clone(rows.Column(1).ValueStr(i))
		typ, err := schema.Parse(written)
		if err != nil {
			return nil, refuse("invalid_sql",
				"Column %q of the result has fields without names. Name them, as in {'a': 1, 'b': 2}.", name)
		}
		if typ.Depth() > maxDepth {
			return nil, refuse("too_complex",
				"Column %q of the result has more than %d types nested in one another. Cast it to JSON.", clip(name, maxName),
				maxDepth)
		}
		columns = append(columns, schema.Column{ID: i + 1, Name: name, Type: typ})
	}
	return columns, nil
}
