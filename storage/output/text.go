package output

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// plain reports whether to_json needs no help with values of a type.
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

// allFraction reports whether a decimal type has no digits before the point. DuckDB writes no 0 there, which is not
// JSON.
func allFraction(t schema.Type) bool { return t.Name == schema.Decimal && t.Width == t.Scale }

// maxWidth is the maximum number of digits of a DECIMAL.
const maxWidth = 38

// union is DuckDB's type for values of several types. Its members are unknown here: it is written as text.
const union = "UNION"

// plainText reports whether a cast to VARCHAR is the right text for values of a type.
func plainText(t schema.Type) bool {
	switch t.Name {
	case schema.Timestamp, schema.TimestampNS, schema.TimestampTZ, schema.Blob:
		return false
	}
	return !allFraction(t)
}

// jsonValue returns the SQL of a value in a form that to_json writes as documented by the package.
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
	case schema.Map: // keys become names in JSON
		return fmt.Sprintf("CASE WHEN %[1]s IS NOT NULL THEN map_from_entries("+
			"list_transform(map_entries(%[1]s), lambda e: struct_pack(k := %[2]s, v := %[3]s))) END",
			expr, text("struct_extract(e, 'key')", *t.Key), jsonValue("struct_extract(e, 'value')", *t.Elem))
	case schema.Struct:
		parts := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			field := fmt.Sprintf("struct_extract(%s, %s)", expr, duck.Text(f.Name))
			parts[i] = duck.Ident(f.Name) + " := " + jsonValue(field, f.Type)
		}
		return fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN struct_pack(%s) END", expr, strings.Join(parts, ", "))
	}
	return text(expr, t)
}

// Record returns the SQL of a record as the text of a JSON object. value returns the SQL of a column's value.
func Record(columns []schema.Column, value func(schema.Column) string) string {
	if len(columns) == 0 {
		return "'{}'"
	}
	if slices.ContainsFunc(columns, func(c schema.Column) bool { return c.Type.Name == schema.JSON }) {
		return spliced(columns, value)
	}
	if len(columns) <= objectColumns {
		return object(columns, value)
	}
	var parts []string
	for some := range slices.Chunk(columns, objectColumns) {
		parts = append(parts, "("+object(some, value)+")[2:-2]") // without the braces
	}
	return between(parts)
}

// objectColumns is the most columns of which DuckDB makes one object. It builds the objects of 2,048 records before it
// writes their text: those of more columns do not stay in the processor's cache, and each value takes twice the time.
const objectColumns = 250

// object is the SQL of the text of an object that has columns.
func object(columns []schema.Column, value func(schema.Column) string) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = duck.Ident(c.Name) + " := " + jsonValue(value(c), c.Type)
	}
	return "CAST(to_json(struct_pack(" + strings.Join(parts, ", ") + ")) AS VARCHAR)"
}

// between is the SQL of the text of an object with members that have some text. One call puts them together: a chain of
// operators would copy the beginning once for each.
func between(members []string) string {
	return "concat('{', " + strings.Join(members, ", ',', ") + ", '}')"
}

func nameOf(c schema.Column) string { return duck.Ident(c.Name) }

// spliced is Record for columns with JSON among them, whose text it copies verbatim: to_json would read its numbers as
// doubles. Text with line breaks goes through to_json, because a record is one line of NDJSON.
func spliced(columns []schema.Column, value func(schema.Column) string) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		from := value(c)
		as := fmt.Sprintf("CAST(to_json(%s) AS VARCHAR)", jsonValue(from, c.Type))
		if c.Type.Name == schema.JSON {
			as = fmt.Sprintf("CASE WHEN contains(CAST(%[1]s AS VARCHAR), chr(10)) "+
				"THEN CAST(to_json(%[1]s) AS VARCHAR) ELSE CAST(%[1]s AS VARCHAR) END", from)
		}
		parts[i] = fmt.Sprintf("CAST(to_json(%s) AS VARCHAR), ':', coalesce(%s, 'null')", duck.Text(c.Name), as)
	}
	return between(parts)
}

// text returns the SQL of a scalar value as text.
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

// csvValue returns the SQL of a value as the text of a CSV field: JSON if it is nested.
func csvValue(expr string, t schema.Type) string {
	if t.Nested() {
		return "CAST(to_json(" + jsonValue(expr, t) + ") AS VARCHAR)"
	}
	return text(expr, t)
}
