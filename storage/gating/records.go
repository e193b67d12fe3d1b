package gating

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Gates on records. Those on single records read what the change brings.

// relation is the SQL of records, their columns by field id, with the files that it reads.
type relation struct {
	sql      string
	files    []string
	numbered bool // it has _n, the number of a record of an upload
	client   bool // it contains SQL of clients, so it runs in a sandbox
}

// columnsOf returns the columns that a gate looks at.
func columnsOf(s *snapshot.State, g catalog.Gate) ([]schema.Column, error) {
	if g.Kind == catalog.GateMinimumQuality {
		c, ok := s.QualityColumn()
		if !ok {
			return nil, errNoQuality
		}
		return []schema.Column{c}, nil
	}
	var columns []schema.Column
	for _, id := range references(g) {
		c, ok := columnByID(s.Schema, id)
		if !ok {
			return nil, &unusable{"It reads a column that the dataset does not have any more."}
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// references returns the ids of the columns that a bound gate names.
func references(g catalog.Gate) []int {
	ids := schema.References(strings.Join(g.Columns, " ") + " " + g.Condition)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// columnByID finds a column, among them the one that the server assigns.
func columnByID(s schema.Schema, id int) (schema.Column, bool) {
	if id == schema.RowID && !s.Keyed() {
		return s.KeyColumns()[0], true
	}
	return s.ByID(id)
}

// records returns the records that a gate on columns looks at: those that the change brings, or all. client: what is
// made of them contains SQL of clients.
func (ch Change) records(
	ctx context.Context, columns []schema.Column, whole, client bool,
) (out relation, err error) {
	all := ch.After.Schema.WithInputs(columns)
	after := ch.After.Narrow(all)
	out.client = client || slices.ContainsFunc(all, schema.Column.Derived)
	switch {
	case whole:
		out.sql, out.files = after.Records(false), after.Paths()
		return out, nil
	case ch.File != nil:
		out.sql, out.files, err = ch.File.rows(ctx, all, out.client)
		out.numbered = ch.File.IsUpload
	default:
		d := snapshot.Diff(ch.Before, ch.After).Narrow(all)
		out.sql, out.files = d.SideB(), d.Paths()
	}
	out.sql = after.Derive(out.sql)
	return out, err
}

// rows returns the SQL of the rows of a file, and the files that it reads: none for a sandbox, if they are few. It can
// then be one that has served before.
func (f *File) rows(ctx context.Context, all []schema.Column, client bool) (sql string, files []string, err error) {
	stored := slices.DeleteFunc(slices.Clone(all), schema.Column.Derived)
	if client && f.Values != nil {
		if sql, err = f.Values(ctx, stored); sql != "" || err != nil {
			return sql, nil, err
		}
	}
	return f.Rows(stored), []string{f.Path}, nil
}

// isWhole reports whether all records have to be checked: a column that the gate reads is new, or has other values than
// before in records that stay.
func (ch Change) isWhole(columns []schema.Column) bool {
	return ch.Whole || slices.ContainsFunc(ch.After.Schema.WithInputs(columns), func(c schema.Column) bool {
		was, ok := columnByID(ch.Before.Schema, c.ID)
		return !ok || !was.Type.Equal(c.Type) || was.Derivation != c.Derivation
	})
}

// bringsNothing reports whether a change has no records to check.
func (ch Change) bringsNothing(columns []schema.Column) bool {
	if ch.isWhole(columns) {
		return ch.After.Total() == 0
	}
	return ch.File == nil && snapshot.Diff(ch.Before, ch.After).Empty()
}

// checkRecords checks single records.
func (c Checker) checkRecords(ctx context.Context, g catalog.Gate, ch Change) (out Result, err error) {
	columns, err := columnsOf(&ch.After.State, g)
	if err != nil || ch.bringsNothing(columns) {
		return out, err
	}
	fails, says, err := condition(g, ch.After.Schema, columns)
	if err != nil {
		return out, err
	}
	from, err := ch.records(ctx, columns, ch.isWhole(columns), g.Kind == catalog.GateCondition)
	if err != nil {
		return out, err
	}
	from.sql = "SELECT * FROM (" + from.sql + ") WHERE " + fails
	if out.Failed, out.Records, err = c.failing(ctx, ch.After.Schema, columns, from); err == nil && out.Failed > 0 {
		out.Detail = many(out.Failed) + " " + says
	}
	return out, err
}

// condition is the SQL of what is wrong with a record, and what is said of records with which it is.
func condition(g catalog.Gate, s schema.Schema, columns []schema.Column) (fails, says string, err error) {
	each := func(sql func(c schema.Column, name string) string) string {
		var or []string
		for _, c := range columns {
			or = append(or, "("+sql(c, schema.ColumnName(c.ID))+")")
		}
		return strings.Join(or, " OR ")
	}
	switch g.Kind {
	case catalog.GateNotNull:
		return each(func(_ schema.Column, name string) string { return name + " IS NULL" }),
			"without a value in " + namesOf(columns) + ".", nil
	case catalog.GateAcceptedValues:
		return each(func(c schema.Column, name string) string { return notAmong(c, name, g) }),
			"with a value in " + namesOf(columns) + " that is not accepted.", nil
	case catalog.GateRange:
		return each(func(c schema.Column, name string) string { return outside(c, name, g) }),
			"with a value in " + namesOf(columns) + " that is not " + between(g) + ".", nil
	case catalog.GateMinimumQuality:
		least, err := numberOf(g.Minimum)
		return each(func(_ schema.Column, name string) string {
			return fmt.Sprintf("CAST(%[1]s AS DOUBLE) < %[2]v OR isnan(CAST(%[1]s AS DOUBLE))", name, least)
		}), "with a quality below " + string(g.Minimum) + ".", err
	case catalog.GateCondition:
		// As SQL's CHECK: what is neither true nor false passes.
		return "NOT coalesce((" + g.Condition + "\n), true)",
			"for which this is not true: " + fault.Clip(s.WithNames(g.Condition)), nil
	}
	return "", "", &unusable{"This program does not know its kind."}
}

// notAmong is the SQL of a value that is not an accepted one. Null is not a value.
func notAmong(c schema.Column, name string, g catalog.Gate) string {
	if c.Type.Name == schema.Null {
		return "false"
	}
	values := make([]string, len(g.Values))
	for i, v := range g.Values {
		values[i] = literal(c.Type, textOf(v))
	}
	return name + " NOT IN (" + strings.Join(values, ", ") + ")"
}

// outside is the SQL of a value that is out of range.
func outside(c schema.Column, name string, g catalog.Gate) string {
	or := []string{"false"}
	if c.Type.Name == schema.Null {
		return or[0]
	}
	if g.Minimum != nil {
		or = append(or, name+" < "+literal(c.Type, textOf(g.Minimum)))
	}
	if g.Maximum != nil {
		or = append(or, name+" > "+literal(c.Type, textOf(g.Maximum)))
	}
	return strings.Join(or, " OR ")
}

// literal is the SQL of a value of a type.
func literal(t schema.Type, text string) string {
	return "CAST(" + duck.Text(text) + " AS " + t.SQL() + ")"
}
