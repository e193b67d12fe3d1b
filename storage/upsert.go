package storage

import (
	"fmt"
	"strings"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/intake"
	"rowback/storage/schema"
)

// merge is the value of a column after an upsert: scalars, lists and maps are replaced, structs and JSON objects are
// merged field by field. In JSON, a field that is absent keeps its value and a null clears it; in the other formats
// whatever is there, null or not, replaces (design, section 3).
func (in *incoming) merge(c schema.Column) string {
	came := in.came(c.ID)
	m := merger{json: in.keepsText(catalog.Upsert)}
	after, before, path := "i."+columnName(c.ID), "s."+columnName(c.ID), "/"+pointer(came.Name)
	if came.Always || in.filled[c.ID] { // to ask each record for each field takes the square of their number
		return m.merged(c.Type, came.Type, after, before, path)
	}
	return m.value(c.Type, came.Type, after, before, path)
}

// came returns the column as it was offered.
func (in *incoming) came(id int) intake.Offered {
	return in.offered[in.columns[in.index(id)].from]
}

// pointer escapes a name for a JSON pointer (RFC 6901).
func pointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

type merger struct{ json bool }

// value is what becomes of before, which stays where after did not come: path is where that stands in the record's JSON.
func (m merger) value(t, offered schema.Type, after, before, path string) string {
	merged := m.merged(t, offered, after, before, path)
	if !m.json {
		return merged
	}
	return fmt.Sprintf("CASE WHEN json_exists(_json, %s) THEN %s ELSE %s END", duck.Text(path), merged, before)
}

// merged merges after, of the offered type, into before.
func (m merger) merged(t, offered schema.Type, after, before, path string) string {
	switch {
	case t.Name == schema.Struct && offered.Name == schema.Struct:
		return m.structure(t, offered, after, before, path)
	case t.Name == schema.JSON:
		return fmt.Sprintf("CASE WHEN %[1]s IS NULL OR json_type(%[1]s) = 'NULL' THEN NULL WHEN json_type(%[1]s) = 'OBJECT' AND json_type(%[2]s) = 'OBJECT' THEN %[3]s ELSE %[1]s END", after, before, patched(after, before))
	}
	return after
}

// patched is the SQL of a JSON object with another merged into it: as it was written where that changes nothing, since
// DuckDB writes every number of the result anew.
func patched(after, before string) string {
	return fmt.Sprintf("CASE WHEN json_merge_patch(%[2]s, %[1]s) = json_merge_patch(%[2]s, CAST('{}' AS JSON)) THEN %[2]s ELSE json_merge_patch(%[2]s, %[1]s) END", after, before)
}

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
