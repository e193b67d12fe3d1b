// Package schema describes a dataset's rows: columns with Parquet field ids, their types, and how both change. A column
// is identified by its field id; its name and type may change (design, section 7). The types are those of DuckDB that
// Parquet can hold without loss. The package uses no database, so its tests are tables.
package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Type is the type of a column, or of a part of one. Name is DuckDB's: BIGINT, VARCHAR, DECIMAL, LIST, STRUCT, MAP, …
type Type struct {
	Name   string
	Width  int     // DECIMAL: total digits
	Scale  int     // DECIMAL: digits after the point
	Elem   *Type   // LIST: the element; MAP: the value
	Key    *Type   // MAP: the key
	Fields []Field // STRUCT
}

// Field is one named part of a STRUCT.
type Field struct {
	Name string
	Type Type
}

// Names of the types that the code refers to.
const (
	Null        = "NULL" // only nulls so far: widens to any type
	Boolean     = "BOOLEAN"
	Bigint      = "BIGINT"
	Ubigint     = "UBIGINT"
	Integer     = "INTEGER"
	Float       = "FLOAT"
	Double      = "DOUBLE"
	Decimal     = "DECIMAL"
	Varchar     = "VARCHAR"
	Blob        = "BLOB"
	JSON        = "JSON"
	UUID        = "UUID"
	Date        = "DATE"
	Time        = "TIME"
	Timestamp   = "TIMESTAMP"
	TimestampNS = "TIMESTAMP_NS"
	TimestampTZ = "TIMESTAMP WITH TIME ZONE"
	List        = "LIST"
	Struct      = "STRUCT"
	Map         = "MAP"
)

// Of returns the plain type of that name.
func Of(name string) Type { return Type{Name: name} }

// ListOf returns the type of lists of elem.
func ListOf(elem Type) Type { return Type{Name: List, Elem: &elem} }

// DecimalOf returns the type of decimals with width digits, scale of them after the point.
func DecimalOf(width, scale int) Type { return Type{Name: Decimal, Width: width, Scale: scale} }

// String returns the type as DuckDB writes it.
func (t Type) String() string {
	switch t.Name {
	case Decimal:
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Width, t.Scale)
	case List:
		return t.Elem.String() + "[]"
	case Map:
		return "MAP(" + t.Key.String() + ", " + t.Elem.String() + ")"
	case Struct:
		parts := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			parts[i] = quote(f.Name) + " " + f.Type.String()
		}
		return "STRUCT(" + strings.Join(parts, ", ") + ")"
	}
	return t.Name
}

// SQL returns the type for a CAST. NULL, which SQL does not have, is stored as INTEGER.
func (t Type) SQL() string {
	switch t.Name {
	case Null:
		return Integer
	case List:
		return t.Elem.SQL() + "[]"
	case Map:
		return "MAP(" + t.Key.SQL() + ", " + t.Elem.SQL() + ")"
	case Struct:
		if len(t.Fields) == 0 {
			return JSON // an object whose fields are not known yet
		}
		parts := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			parts[i] = quote(f.Name) + " " + f.Type.SQL()
		}
		return "STRUCT(" + strings.Join(parts, ", ") + ")"
	}
	return t.String()
}

// Hollow reports whether some part of the type is not known yet: only nulls, or only objects without fields, were seen.
func (t Type) Hollow() bool {
	switch t.Name {
	case Null:
		return true
	case List, Map:
		return t.Elem.Hollow()
	case Struct:
		return len(t.Fields) == 0 || slices.ContainsFunc(t.Fields, func(f Field) bool { return f.Type.Hollow() })
	}
	return false
}

// Nested reports whether the type has parts.
func (t Type) Nested() bool { return t.Name == List || t.Name == Struct || t.Name == Map }

// MaxDepth is the maximum depth of nested types: each level of lists doubles the time of reading.
const MaxDepth = 16

// Depth returns the depth of nested types: 1 for a scalar.
func (t Type) Depth() int {
	deepest := 0
	for _, inner := range []*Type{t.Elem, t.Key} {
		if inner != nil {
			deepest = max(deepest, inner.Depth())
		}
	}
	for _, f := range t.Fields {
		deepest = max(deepest, f.Type.Depth())
	}
	return deepest + 1
}

// Field returns the STRUCT's field of that name, as SQL would find it.
func (t Type) Field(name string) (Field, bool) {
	i := slices.IndexFunc(t.Fields, func(f Field) bool { return SameName(f.Name, name) })
	if i < 0 {
		return Field{}, false
	}
	return t.Fields[i], true
}

// Equal reports whether both are the same type, including the names of fields.
func (t Type) Equal(o Type) bool { return t.String() == o.String() }

// MarshalText returns the type as DuckDB writes it.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (t *Type) UnmarshalText(text []byte) (err error) {
	*t, err = Parse(string(text))
	return err
}

// Parse parses a type as DuckDB writes it, such as STRUCT("a b" INTEGER, c DECIMAL(10,2)[]).
func Parse(text string) (Type, error) {
	p := &parser{rest: text}
	t, err := p.typ()
	if err == nil && p.rest != "" {
		err = fmt.Errorf("unexpected %q", p.rest)
	}
	if err != nil {
		return Type{}, fmt.Errorf("type %q: %w", text, err)
	}
	return t, nil
}

// parser parses a type by recursive descent.
type parser struct {
	rest  string
	depth int // number of types being parsed
}

// maxNested is the maximum depth of nested types in Parse, which is recursive.
const maxNested = 1000

// take consumes a prefix and the spaces after it, and reports whether it was there.
func (p *parser) take(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	if ok {
		p.rest = strings.TrimLeft(rest, " ")
	}
	return ok
}

// typ parses one type with its array suffixes. A fixed-size array becomes a list, as in Parquet.
func (p *parser) typ() (Type, error) {
	if p.depth++; p.depth > maxNested {
		return Type{}, fmt.Errorf("types are nested more than %d deep", maxNested)
	}
	defer func() { p.depth-- }()
	t, err := p.base()
	if err != nil {
		return t, err
	}
	for strings.HasPrefix(p.rest, "[") {
		end := strings.IndexByte(p.rest, ']')
		if end < 0 {
			return t, fmt.Errorf("[ is not closed")
		}
		p.rest = strings.TrimLeft(p.rest[end+1:], " ")
		if t = ListOf(t); p.depth+strings.Count(p.rest, "[") > maxNested {
			return t, fmt.Errorf("lists are nested more than %d deep", maxNested)
		}
	}
	return t, nil
}

// base reads a type without the brackets of a list after it.
func (p *parser) base() (Type, error) {
	switch {
	case p.take("STRUCT("):
		return p.structure()
	case p.take("MAP("):
		return p.mapping()
	case p.take("DECIMAL("):
		return p.decimal()
	case p.take(`"NULL"`):
		return Of(Null), nil
	case p.take("ENUM("), p.take("UNION("):
		return p.skipped()
	}
	end := strings.IndexAny(p.rest, ",)[(")
	if end < 0 {
		end = len(p.rest)
	}
	name := strings.TrimRight(p.rest[:end], " ")
	switch name {
	case "":
		return Type{}, fmt.Errorf("a name is missing")
	case List, Struct, Map, Decimal:
		return Type{}, fmt.Errorf("%s lacks its parameters", name)
	}
	p.rest = p.rest[end:]
	return Of(name), nil
}

// structure reads the fields of a STRUCT, after its parenthesis.
func (p *parser) structure() (Type, error) {
	t := Type{Name: Struct}
	for {
		name, err := p.identifier()
		if err != nil {
			return t, err
		}
		typ, err := p.typ()
		if err != nil {
			return t, err
		}
		t.Fields = append(t.Fields, Field{Name: name, Type: typ})
		if p.take(")") {
			return t, nil
		}
		if !p.take(",") {
			return t, fmt.Errorf("a comma is missing at %q", p.rest)
		}
	}
}

// mapping reads the key and the value of a MAP, after its parenthesis.
func (p *parser) mapping() (Type, error) {
	key, err := p.typ()
	if err != nil {
		return key, err
	}
	if !p.take(",") {
		return key, fmt.Errorf("a comma is missing at %q", p.rest)
	}
	value, err := p.typ()
	if err != nil {
		return value, err
	}
	if !p.take(")") {
		return value, fmt.Errorf("MAP is not closed")
	}
	return Type{Name: Map, Key: &key, Elem: &value}, nil
}

// decimal reads the width and the scale of a DECIMAL, after its parenthesis.
func (p *parser) decimal() (Type, error) {
	inside, rest, ok := strings.Cut(p.rest, ")")
	width, scale, comma := strings.Cut(inside, ",")
	w, errW := strconv.Atoi(strings.TrimSpace(width))
	s, errS := strconv.Atoi(strings.TrimSpace(scale))
	if !ok || !comma || errW != nil || errS != nil {
		return Type{}, fmt.Errorf("DECIMAL needs a width and a scale")
	}
	p.rest = strings.TrimLeft(rest, " ")
	return DecimalOf(w, s), nil
}

// skipped skips the members of an ENUM or a UNION. An ENUM is stored as text; a UNION can't be stored.
func (p *parser) skipped() (Type, error) {
	depth, quoted := 1, byte(0)
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case quoted != 0:
			if c == quoted {
				quoted = 0
			}
		case c == '\'' || c == '"':
			quoted = c
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				members := p.rest[:i]
				p.rest = strings.TrimLeft(p.rest[i+1:], " ")
				if strings.HasPrefix(members, "'") {
					return Of("ENUM"), nil
				}
				return Of("UNION"), nil
			}
		}
	}
	return Type{}, fmt.Errorf("a parenthesis is not closed")
}

// identifier reads a field's name, which is in quotes where it has to be.
func (p *parser) identifier() (string, error) {
	if !strings.HasPrefix(p.rest, `"`) {
		name, rest, ok := strings.Cut(p.rest, " ")
		if !ok || strings.ContainsAny(name, ",()[]") {
			return "", fmt.Errorf("a name or a type is missing at %q", p.rest)
		}
		p.rest = strings.TrimLeft(rest, " ")
		return name, nil
	}
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		if p.rest[i] != '"' {
			b.WriteByte(p.rest[i])
			continue
		}
		if i+1 < len(p.rest) && p.rest[i+1] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		p.rest = strings.TrimLeft(p.rest[i+1:], " ")
		return b.String(), nil
	}
	return "", fmt.Errorf("a quote is not closed")
}

// quote writes a field's name in quotes.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
