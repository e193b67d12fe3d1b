package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// merge is the value of a column after an upsert: scalars, lists and maps are replaced, structs and JSON objects are
// merged field by field. In JSON, a field that is absent keeps its value and a null clears it; in the other formats
// whatever is there, null or not, replaces (design, section 3).
func (in *incoming) merge(c schema.Column) string {
	came := in.came(c.ID)
	m := merger{json: in.keepsText(catalog.Upsert)}
	after, before, path := "i."+schema.ColumnName(c.ID), "s."+schema.ColumnName(c.ID), "/"+pointer(came.Name)
	// An absent field keeps its value: only the record's own text tells it from a null, once it is a column.
	merged := m.merged(c.Type, came.Type, after, before, path)
	switch {
	case came.Always || in.filled[c.ID] || !m.json:
		return merged
	case in.fields:
		return ifPresent(fmt.Sprintf("get_bit(f.fields, %d) = 1", in.index(c.ID)), merged, before)
	}
	return ifPresent(inJSON(path), merged, before)
}

// askedFields is up to how many fields each record's text is asked for: that takes the square of their number in time
// and memory. Of more, those that it has are listed once.
const askedFields = 100

// findFields makes the table fields of the fields that each record has, where the statements that follow need it: a bit
// for each column that came.
func (in *incoming) findFields(ctx context.Context, conn *duck.Conn) error {
	asked := func(c fittedColumn) bool { return !in.offered[c.from].Always && !in.filled[c.ID] }
	// A field that every record has a value for is not asked for.
	if !in.texts || len(in.columns) <= askedFields || !slices.ContainsFunc(in.columns, asked) {
		return nil
	}
	in.fields = true
	names := make([]string, len(in.columns))
	for i, c := range in.columns {
		names[i] = in.offered[c.from].Name
	}
	_, err := conn.Exec(ctx, duck.Fill(listFields, duck.Parts{
		"last": len(names) - 1, "records": in.of(nil), "names": duck.Texts(names), "count": len(names),
	}))
	return err
}

const listFields = `CREATE TEMP TABLE fields AS SELECT _n, bitstring_agg(n, 0, {last}) AS fields
	FROM (SELECT _n, unnest(json_keys(_json)) AS name FROM {records})
	JOIN (SELECT unnest({names}) AS name, unnest(range({count})) AS n) USING (name)
	GROUP BY _n`

// withFields is the SQL of incoming records as i, and of the fields that they have, where those are listed.
func (in *incoming) withFields(columns []schema.Column) string {
	from := in.of(columns) + " i"
	if in.fields {
		from += " JOIN fields f ON i._n = f._n"
	}
	return from
}

// came returns the column as the upload has it.
func (in *incoming) came(id int) intake.Offered {
	return in.offered[in.columns[in.index(id)].from]
}

// pointer escapes a name for a JSON pointer (RFC 6901).
func pointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// merger writes the SQL of merged values. json: the format tells a field that is absent from one that is null.
type merger struct{ json bool }

// value is what becomes of before, which stays where after did not come: path is where that stands in the record's
// JSON.
func (m merger) value(t, offered schema.Type, after, before, path string) string {
	merged := m.merged(t, offered, after, before, path)
	if !m.json {
		return merged
	}
	return ifPresent(inJSON(path), merged, before)
}

// inJSON is the condition that a record's text has a field.
func inJSON(path string) string { return "json_exists(_json, " + duck.Text(path) + ")" }

// ifPresent is the SQL of a value that becomes after where a field is there, and else stays before.
func ifPresent(present, after, before string) string {
	return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", present, after, before)
}

// merged merges after, of the offered type, into before.
func (m merger) merged(t, offered schema.Type, after, before, path string) string {
	switch {
	case t.Name == schema.Struct && offered.Name == schema.Struct:
		return m.structure(t, offered, after, before, path)
	case t.Name == schema.JSON:
		return duck.Fill(mergedJSON, duck.Parts{"after": after, "before": before, "patched": patched(after, before)})
	}
	return after
}

// patched is the SQL of a JSON object with another merged into it: as it was written where that changes nothing, since
// DuckDB writes every number of the result anew.
func patched(after, before string) string {
	return duck.Fill(patchedJSON, duck.Parts{"after": after, "before": before})
}

const (
	mergedJSON = `CASE
		WHEN {after} IS NULL OR json_type({after}) = 'NULL' THEN NULL
		WHEN json_type({after}) = 'OBJECT' AND json_type({before}) = 'OBJECT' THEN {patched}
		ELSE {after} END`
	patchedJSON = `CASE
		WHEN json_merge_patch({before}, {after}) = json_merge_patch({before}, CAST('{}' AS JSON)) THEN {before}
		ELSE json_merge_patch({before}, {after}) END`
)

// structure merges field by field. A field that only the stored type has keeps its value. A field that was not in the
// stored type has been added to it by now (fit).
func (m merger) structure(t, offered schema.Type, after, before, path string) string {
	parts := make([]string, len(t.Fields))
	for i, f := range t.Fields {
		a := fmt.Sprintf("struct_extract(%s, %s)", after, duck.Text(f.Name))
		b := fmt.Sprintf("struct_extract(%s, %s)", before, duck.Text(f.Name))
		value := b
		if own, ok := offered.Field(f.Name); ok {
			value = m.value(f.Type, own.Type, a, b, path+"/"+pointer(own.Name))
		}
		parts[i] = duck.Ident(f.Name) + " := " + value
	}
	return fmt.Sprintf("CASE WHEN %s IS NULL THEN NULL ELSE struct_pack(%s) END", after, strings.Join(parts, ", "))
}
