package output

import (
	"fmt"
	"slices"
	"strings"

	"rowback/storage/duck"
	"rowback/storage/schema"
)

// plain reports whether DuckDB's own JSON of a type is the one that is wanted.
func plain(t schema.Type) bool {
	switch t.Name {
	case schema.Float, schema.Double, union:
		return false
	case schema.Map:
		return plainText(*t.Key) && plain(*t.Elem)
	case schema.List:
		return plain(*t.Elem)
	case schema.Struct:
		return !slices.ContainsFunc(t.Fields, func(f schema.Field) bool { return !plain(f.Type) })
	}
	return plainText(t)
}

// allFraction reports whether a decimal has no digit before the point. DuckDB writes none there, which is not JSON.
func allFraction(t schema.Type) bool { return t.Name == schema.Decimal && t.Width == t.Scale }

// maxWidth is how many digits a decimal has at most.
const maxWidth = 38

// union is DuckDB's type of values of several types. What it may have is not known here: it is written as text.
const union = "UNION"

// plainText reports whether DuckDB's own text of a type is the one that is wanted.
func plainText(t schema.Type) bool {
	switch t.Name {
	case schema.Timestamp, schema.TimestampNS, schema.TimestampTZ, schema.Blob:
		return false
	}
	return !allFraction(t)
}

// jsonValue is the SQL of a value as to_json should see it.
func jsonValue(expr string, t schema.Type) string {
	if plain(t) {
		return expr
	}
	switch t.Name {
	case schema.Float, schema.Double:
		return fmt.Sprintf("CASE WHEN isfinite(%s) THEN %s END", expr, expr)
	case schema.Decimal:
		if t.Width < maxWidth {
			return "CAST(" + expr + " AS " + schema.DecimalOf(t.Width+1, t.Scale).SQL() + ")"
		}
	case schema.List:
		return fmt.Sprintf("list_transform(%s, lambda e: %s)", expr, jsonValue("e", *t.Elem))
	case schema.Map: // its keys are names in JSON
		return fmt.Sprintf("CASE WHEN %[1]s IS NOT NULL THEN map_from_entries(list_transform(map_entries(%[1]s), lambda e: struct_pack(k := %[2]s, v := %[3]s))) END",
			expr, text("struct_extract(e, 'key')", *t.Key), jsonValue("struct_extract(e, 'value')", *t.Elem))
	case schema.Struct:
		parts := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			parts[i] = duck.Ident(f.Name) + " := " + jsonValue(fmt.Sprintf("struct_extract(%s, %s)", expr, duck.Text(f.Name)), f.Type)
		}
		return fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN struct_pack(%s) END", expr, strings.Join(parts, ", "))
	}
	return text(expr, t)
}

// Record is the SQL of a record as the text of a JSON object. value is the SQL of a column's value.
func Record(columns []schema.Column, value func(schema.Column) string) string {
	if len(columns) == 0 {
		return "'{}'"
	}
	if slices.ContainsFunc(columns, func(c schema.Column) bool { return c.Type.Name == schema.JSON }) {
		return spliced(columns, value)
	}
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = duck.Ident(c.Name) + " := " + jsonValue(value(c), c.Type)
	}
	return "CAST(to_json(struct_pack(" + strings.Join(parts, ", ") + ")) AS VARCHAR)"
}

func nameOf(c schema.Column) string { return duck.Ident(c.Name) }

// spliced is the SQL of a record in which JSON stands as it is: DuckDB would read its numbers as doubles.
func spliced(columns []schema.Column, value func(schema.Column) string) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		from := value(c)
		as := fmt.Sprintf("CAST(to_json(%s) AS VARCHAR)", jsonValue(from, c.Type))
		if c.Type.Name == schema.JSON {
			as = fmt.Sprintf("CASE WHEN contains(CAST(%[1]s AS VARCHAR), chr(10)) THEN CAST(to_json(%[1]s) AS VARCHAR) ELSE CAST(%[1]s AS VARCHAR) END", from)
		}
		parts[i] = fmt.Sprintf("CAST(to_json(%s) AS VARCHAR) || ':' || coalesce(%s, 'null')", duck.Text(c.Name), as)
	}
	return "'{' || " + strings.Join(parts, " || ',' || ") + " || '}'"
}

// text is the SQL of a single value as text.
func text(expr string, t schema.Type) string {
	switch t.Name {
	case schema.Blob:
		return "base64(" + expr + ")"
	case schema.Timestamp, schema.TimestampNS:
		return fmt.Sprintf("replace(CAST(%s AS VARCHAR), ' ', 'T')", expr)
	case schema.TimestampTZ: // the session's zone is UTC
		return fmt.Sprintf("regexp_replace(replace(CAST(%s AS VARCHAR), ' ', 'T'), '\\+00$', 'Z')", expr)
	}
	if allFraction(t) {
		return fmt.Sprintf(`regexp_replace(CAST(%s AS VARCHAR), '^(-?)\.', '\10.')`, expr)
	}
	return "CAST(" + expr + " AS VARCHAR)"
}

// csvValue is the SQL of a value as a CSV field: nested ones as JSON.
func csvValue(expr string, t schema.Type) string {
	if t.Nested() {
		return "CAST(to_json(" + jsonValue(expr, t) + ") AS VARCHAR)"
	}
	return text(expr, t)
}
