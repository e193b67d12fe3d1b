package snapshot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// The kinds of changes of a record.
const (
	Added    = "added"
	Removed  = "removed"
	Modified = "modified"
)

// sortedRows is the most rows of files that a difference may open to be sorted by key.
const sortedRows = 1_000_000

// Records returns the SQL of the difference record by record, and its columns: _change, the key, and the record before
// and after, as structs. before is null for added records, after for removed ones. changes are the kinds to include;
// none means all. It is a single statement, whose time is quadratic in the columns: List has none of more than a slice.
func (d *Difference) Records(changes ...string) (sql string, columns []schema.Column, err error) {
	if changes, err = kinds(changes); err != nil {
		return "", nil, err
	}
	columns = d.recordColumns()
	list := []string{kindOfChange + " AS _change"}
	var order []string
	for i, k := range d.Schema.KeyColumns() {
		name := duck.Ident(columns[1+i].Name)
		list, order = append(list, eitherSide(k)+" AS "+name), append(order, name)
	}
	all := d.Schema.Stored()
	list = append(list, record("in_a", "before", packed("a", all, d.A.Schema)),
		record("in_b", "after", packed("b", all, d.B.Schema)))
	sql = duck.Fill(recordByRecord, duck.Parts{
		"columns": strings.Join(list, ", "), "from": "(" + d.Joined() + ")", "changes": condition(changes, d.Differs()),
	})
	if d.Opened() <= sortedRows {
		sql += " ORDER BY " + strings.Join(order, ", ")
	}
	return sql, columns, nil
}

const (
	kindOfChange   = `CASE WHEN in_a IS NULL THEN 'added' WHEN in_b IS NULL THEN 'removed' ELSE 'modified' END`
	recordByRecord = `SELECT {columns} FROM {from} WHERE ({changes})`
)

// kinds checks the kinds of changes that were asked for. None means all.
func kinds(changes []string) ([]string, error) {
	for _, c := range changes {
		if c != Added && c != Removed && c != Modified {
			return nil, fault.Errorf(fault.Invalid, "unknown_change",
				"There is no change %q. A change is added, removed or modified.", c)
		}
	}
	if len(changes) == 0 {
		return []string{Added, Removed, Modified}, nil
	}
	return changes, nil
}

// recordColumns returns the columns of the difference record by record.
func (d *Difference) recordColumns() []schema.Column {
	columns := []schema.Column{{Name: "_change", Type: schema.Of(schema.Varchar)}}
	for _, k := range d.Schema.KeyColumns() {
		columns = append(columns, schema.Column{Name: keyName(k.Name), Type: k.Type})
	}
	return append(columns, schema.Column{Name: "before", Type: recordType(d.Schema, d.A.Schema)},
		schema.Column{Name: "after", Type: recordType(d.Schema, d.B.Schema)})
}

// eitherSide returns the SQL of a key column of a joined row.
func eitherSide(key schema.Column) string { return fmt.Sprintf("coalesce(a%[1]d, b%[1]d)", key.ID) }

// keyName renames a key column that would clash with the columns before and after.
func keyName(name string) string {
	if schema.SameName(name, "before") || schema.SameName(name, "after") {
		return name + "_key"
	}
	return name
}

// condition returns the SQL of a condition on a joined row: that it is one of the changes.
func condition(changes []string, differs string) string {
	var or []string
	if slices.Contains(changes, Added) {
		or = append(or, "in_a IS NULL")
	}
	if slices.Contains(changes, Removed) {
		or = append(or, "in_b IS NULL")
	}
	if slices.Contains(changes, Modified) {
		or = append(or, "in_a AND in_b AND "+differs)
	}
	return strings.Join(or, " OR ")
}

// record returns the SQL of one side of a record, which may not have it; empty is the struct of a side without columns.
func record(present, name, packed string) string {
	if packed == "" {
		return "CAST(NULL AS JSON) AS " + name
	}
	return fmt.Sprintf("CASE WHEN %s THEN %s END AS %s", present, packed, name)
}

// packed returns the SQL of a struct of those columns that a side has, or "" if it has none of them.
func packed(prefix string, columns []schema.Column, own schema.Schema) string {
	var parts []string
	for _, c := range columns {
		if mine, ok := own.ByID(c.ID); ok {
			parts = append(parts, fmt.Sprintf("%s := %s%d", duck.Ident(mine.Name), prefix, c.ID))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "struct_pack(" + strings.Join(parts, ", ") + ")"
}

// recordType returns the type of one side of a record: a struct of the columns that this side has.
func recordType(common, own schema.Schema) schema.Type {
	t := schema.Type{Name: schema.Struct}
	for _, c := range common.Stored() {
		if mine, ok := own.ByID(c.ID); ok {
			t.Fields = append(t.Fields, schema.Field{Name: mine.Name, Type: c.Type})
		}
	}
	if len(t.Fields) == 0 {
		return schema.Of(schema.JSON)
	}
	return t
}

// Opened returns the number of rows in the files that reading the difference opens.
func (d *Difference) Opened() (rows int64) {
	for _, f := range d.Files() {
		rows += f.Rows
	}
	return rows
}
