package clientsql

import (
	"slices"

	"rowback/storage/schema"
)

// Passed is which columns of its only table a statement returns as they are.
type Passed struct {
	All   bool              // those that are not named, under their own names
	Named map[string]string // the table's columns, by the folded names that they have in the result
}

// Source returns the name of the table's column that a column of the result is; ok is false if it is none, or it is not
// known.
func (p Passed) Source(name string) (source string, ok bool) {
	if source, ok = p.Named[schema.Fold(name)]; ok {
		return source, true
	}
	return name, p.All
}

// passed finds what a statement passes: that is known if it selects columns, and nothing else, from one table.
func passed(n *node, r *reach) (p Passed) {
	table := n.one("from_table")
	if n.Type != "SELECT_NODE" || table.Type != "BASE_TABLE" || len(table.Renamed) > 0 || len(r.tables) != 1 {
		return Passed{}
	}
	p.Named = map[string]string{}
	for _, item := range n.all("select_list") {
		switch {
		case item.Class == "STAR" && len(item.Parts) == 0:
			p.All = true
		case item.Class == "COLUMN_REF" && item.isOf(table):
			source := item.Columns[len(item.Columns)-1]
			name := item.Alias
			if name == "" {
				name = source
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
