package snapshot

import (
	"fmt"
	"slices"
	"strings"

	"rowback/storage/duck"
	"rowback/storage/fault"
	"rowback/storage/schema"
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
// none means all.
func (d *Difference) Records(changes ...string) (sql string, columns []schema.Column, err error) {
	for _, c := range changes {
		if c != Added && c != Removed && c != Modified {
			return "", nil, fault.Errorf(fault.Invalid, "unknown_change",
				"There is no change %q. A change is added, removed or modified.", c)
		}
	}
	if len(changes) == 0 {
		changes = []string{Added, Removed, Modified}
	}
	columns = []schema.Column{{Name: "_change", Type: schema.Of(schema.Varchar)}}
	list := []string{kindOfChange + " AS _change"}
	var order []string
	for _, k := range d.Schema.KeyColumns() {
		name := keyName(k.Name)
		columns = append(columns, schema.Column{Name: name, Type: k.Type})
		list = append(list, fmt.Sprintf("coalesce(a%d, b%d) AS %s", k.ID, k.ID, duck.Ident(name)))
		order = append(order, duck.Ident(name))
	}
	before, beforeType := record("a", "in_a", d.Schema, d.A.Schema)
	after, afterType := record("b", "in_b", d.Schema, d.B.Schema)
	columns = append(columns,
		schema.Column{Name: "before", Type: beforeType}, schema.Column{Name: "after", Type: afterType})
	list = append(list, before+" AS before", after+" AS after")
	sql = duck.Fill(recordByRecord, duck.Parts{
		"columns": strings.Join(list, ", "), "joined": d.Joined(), "changes": d.condition(changes),
	})
	if d.Opened() <= sortedRows {
		sql += " ORDER BY " + strings.Join(order, ", ")
	}
	return sql, columns, nil
}

const (
	kindOfChange   = `CASE WHEN in_a IS NULL THEN 'added' WHEN in_b IS NULL THEN 'removed' ELSE 'modified' END`
	recordByRecord = `SELECT {columns} FROM ({joined}) WHERE ({changes})`
)

// keyName renames a key column that would clash with the columns before and after.
func keyName(name string) string {
	if schema.SameName(name, "before") || schema.SameName(name, "after") {
		return name + "_key"
	}
	return name
}

func (d *Difference) condition(changes []string) string {
	var or []string
	if slices.Contains(changes, Added) {
		or = append(or, "in_a IS NULL")
	}
	if slices.Contains(changes, Removed) {
		or = append(or, "in_b IS NULL")
	}
	if slices.Contains(changes, Modified) {
		or = append(or, "in_a AND in_b AND "+d.Differs())
	}
	return strings.Join(or, " OR ")
}

// record returns the SQL of one side of a record as a struct with the columns that this side has, and its type.
func record(prefix, present string, common, own schema.Schema) (sql string, t schema.Type) {
	t = schema.Type{Name: schema.Struct}
	var parts []string
	for _, c := range common.Stored() {
		mine, ok := own.ByID(c.ID)
		if !ok {
			continue
		}
		parts = append(parts, fmt.Sprintf("%s := %s%d", duck.Ident(mine.Name), prefix, c.ID))
		t.Fields = append(t.Fields, schema.Field{Name: mine.Name, Type: c.Type})
	}
	if len(parts) == 0 {
		return "CAST(NULL AS JSON)", schema.Of(schema.JSON)
	}
	return fmt.Sprintf("CASE WHEN %s THEN struct_pack(%s) END", present, strings.Join(parts, ", ")), t
}

// Opened returns the number of rows in the files that reading the difference opens.
func (d *Difference) Opened() (rows int64) {
	for _, f := range d.Files() {
		rows += f.Rows
	}
	return rows
}
