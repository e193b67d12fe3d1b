package gating

import (
	"context"
	"fmt"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// checkUnique checks that no record that the change brings shares its values in the columns with another. Nulls are not
// shared.
func (c Checker) checkUnique(ctx context.Context, g catalog.Gate, ch Change) (out Result, err error) {
	columns, err := columnsOf(&ch.After.State, g)
	if err != nil || ch.bringsNothing(columns) {
		return out, err
	}
	whole, err := ch.records(ctx, columns, true, false)
	if err != nil {
		return out, err
	}
	parts := duck.Parts{"all": whole.sql, "brought": "", "columns": listOf(columns), "same": sameIn(columns)}
	var present []string
	for _, c := range columns {
		present = append(present, schema.ColumnName(c.ID)+" IS NOT NULL")
	}
	parts["present"] = strings.Join(present, " AND ")
	if !ch.isWhole(columns) {
		brought, err := ch.records(ctx, columns, false, false)
		if err != nil {
			return out, err
		}
		parts["brought"] = "SEMI JOIN (" + brought.sql + ") o ON " + sameIn(columns)
		whole.files, whole.client = append(whole.files, brought.files...), whole.client || brought.client
	}
	whole.sql = duck.Fill(sharing, parts)
	if out.Failed, out.Records, err = c.failing(ctx, ch.After.Schema, columns, whole); err == nil && out.Failed > 0 {
		out.Detail = many(out.Failed) + " that share their values in " + namesOf(columns) + "."
	}
	return out, err
}

const sharing = `SELECT s.* FROM ({all}) s SEMI JOIN (
	SELECT {columns} FROM ({all}) s {brought} WHERE {present} GROUP BY ALL HAVING count(*) > 1) o ON {same}`

func sameIn(columns []schema.Column) string {
	var and []string
	for _, c := range columns {
		and = append(and, fmt.Sprintf("s.%[1]s = o.%[1]s", schema.ColumnName(c.ID)))
	}
	return strings.Join(and, " AND ")
}

func listOf(columns []schema.Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = schema.ColumnName(c.ID)
	}
	return strings.Join(names, ", ")
}
