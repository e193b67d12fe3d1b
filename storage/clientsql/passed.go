package clientsql

import (
	"slices"

	"github.com/rowback/rowback/storage/schema"
)

// Passed is which columns of its only table a statement returns as they are.
type Passed struct {
	All      bool              // those that are neither named nor excluded, under their own names
	Named    map[string]string // the table's columns, by the folded names that they have in the result
	Excluded []string          // from all
}

// Clashes reports whether two columns of the result would have the same name, one of which then gets another: it is not
// known which column of the table each of them is.
func (p Passed) Clashes(table []schema.Column) bool {
	return p.All && slices.ContainsFunc(table, func(c schema.Column) bool {
		_, named := p.Named[schema.Fold(c.Name)]
		isSame := func(name string) bool { return schema.SameName(name, c.Name) }
		return named && !slices.ContainsFunc(p.Excluded, isSame)
	})
}

// Source returns the name of the table's column that a column of the result is; ok is false if it is none, or it is not
// known.
func (p Passed) Source(name string) (source string, ok bool) {
	if source, ok = p.Named[schema.Fold(name)]; ok {
		return source, true
	}
	return name, p.All
}

// passed finds what a statement passes: that is known if it selects columns, and nothing else, from one table, and
// gives no two of them the same name.
func passed(n *node, r *reach) (p Passed) {
	table := n.one("from_table")
	if n.Type != "SELECT_NODE" || table.Type != "BASE_TABLE" || len(table.Renamed) > 0 || len(r.tables) != 1 {
		return Passed{}
	}
	isOwn := func(query *node) bool { return schema.SameName(query.Given, table.Table) }
	if slices.ContainsFunc(n.all(with), isOwn) { // the table is a query of the statement
		return Passed{}
	}
	p.Named = map[string]string{}
	for _, item := range n.all("select_list") {
		switch {
		case item.Class == "STAR" && item.Alias == "" && len(item.Parts) == 0 && !p.All:
			p.All, p.Excluded = true, item.Excluded
		case item.Class == "COLUMN_REF" && item.isOf(table):
			source := item.Columns[len(item.Columns)-1]
			name := item.Alias
			if name == "" {
				name = source
			}
			if _, twice := p.Named[schema.Fold(name)]; twice {
				return Passed{}
			}
			p.Named[schema.Fold(name)] = source
		default:
			return Passed{}
		}
	}
	return p
}

// isOf reports whether a column reference is of a table, and not of a field of one of its columns.
func (n *node) isOf(table *node) bool {
	names := []string{schema.Fold(table.Table), schema.Fold(table.Alias)}
	return len(n.Columns) == 1 || len(n.Columns) == 2 && slices.Contains(names, schema.Fold(n.Columns[0]))
}
