package query

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rowback/storage/duck"
	"rowback/storage/schema"
)

// result is the SQL of a statement's result, and its columns: each with a name of its own, and with a type that every
// format can write where there is one that keeps its values.
func result(ctx context.Context, box *duck.Conn, t *text, params []duck.Param) (sql string, columns []schema.Column, err error) {
	sql = "SELECT * FROM (\n" + t.sql + "\n)"
	columns, err = describe(ctx, box, sql, params)
	if err != nil {
		return "", nil, t.explain(err)
	}
	cast := false
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = duck.Ident(c.Name)
		kept, ok := schema.Stored(c.Type)
		if !ok && unspeakable(c.Type) {
			kept, ok = schema.Of(schema.JSON), true
		}
		if !ok || kept.Equal(c.Type) {
			continue
		}
		cast = true
		list[i] = fmt.Sprintf("CASE WHEN %[1]s IS NOT NULL THEN CAST(%[1]s AS %[2]s) END AS %[1]s", list[i], kept.SQL())
		columns[i].Type = kept
	}
	if cast {
		sql = "SELECT " + strings.Join(list, ", ") + " FROM (" + sql + ")"
	}
	return sql, columns, nil
}

// unspeakable tells whether some part of a type is one that Arrow or its readers do not have. It goes out as JSON.
func unspeakable(t schema.Type) bool {
	switch t.Name {
	case "UNION", "VARIANT":
		return true
	case schema.List:
		return unspeakable(*t.Elem)
	case schema.Map:
		return unspeakable(*t.Key) || unspeakable(*t.Elem)
	case schema.Struct:
		return slices.ContainsFunc(t.Fields, func(f schema.Field) bool { return unspeakable(f.Type) })
	}
	return false
}

// describe finds the columns of a query's result, without running it.
func describe(ctx context.Context, box *duck.Conn, sql string, params []duck.Param) (columns []schema.Column, err error) {
	rows, err := box.Batch(ctx, "SELECT column_name, column_type FROM (DESCRIBE "+sql+")", params...)
	if err != nil {
		return nil, err
	}
	defer rows.Release()
	for i := range int(rows.NumRows()) {
		name, written := strings.Clone(rows.Column(0).ValueStr(i)), strings.Clone(rows.Column(1).ValueStr(i)) // DuckDB's memory until here
		typ, err := schema.Parse(written)
		if err != nil {
			return nil, refuse("invalid_sql", "Column %q of the result has fields without names; name them, as in {'a': 1, 'b': 2}.", name)
		}
		columns = append(columns, schema.Column{ID: i + 1, Name: name, Type: typ})
	}
	return columns, nil
}
