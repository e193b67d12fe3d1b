package published

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// Schema is the schema of a state as Iceberg has it. Its id follows from its fields.
type Schema struct {
	ID     int
	Fields []Field
	Last   int // the highest field id, of parts too
}

// SchemaOf returns the schema of columns.
func SchemaOf(columns []Column) Schema {
	s := Schema{Fields: make([]Field, len(columns))}
	for i, c := range columns {
		s.Fields[i] = Field{ID: c.ID, Name: c.Name, Type: typeOf(c.As, c.ID, ""), Doc: c.Description}
		s.Last = max(s.Last, c.ID)
		eachNested(c.As, "", func(path string) { s.Last = max(s.Last, nestedID(c.ID, path)) })
	}
	sum := sha256.Sum256(s.fields())
	s.ID = int(binary.BigEndian.Uint32(sum[:]) >> 1)
	return s
}

func (s Schema) fields() []byte {
	text, err := json.Marshal(s.Fields)
	if err != nil {
		panic(err) // of names and numbers
	}
	return text
}

// MarshalJSON implements json.Marshaler.
func (s Schema) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"type":"struct","schema-id":%d,"fields":%s}`, s.ID, s.fields()), nil
}

// FieldIDs returns DuckDB's FIELD_IDS for a copy of a file: the ids of columns and of their parts.
func FieldIDs(columns []Column) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = duck.Ident(c.Name) + ": " + fieldIDs(c.As, c.ID, c.ID, "")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// fieldIDs returns the ids of a field and its parts. own is the field's, column that of its column.
func fieldIDs(t schema.Type, own, column int, path string) string {
	inner := func(name, path string, t schema.Type) string {
		return ", " + duck.Ident(name) + ": " + fieldIDs(t, nestedID(column, path), column, path)
	}
	parts := ""
	switch t.Name {
	case schema.List:
		parts = inner("element", path+"/element", *t.Elem)
	case schema.Map:
		parts = inner("key", path+"/key", *t.Key) + inner("value", path+"/value", *t.Elem)
	case schema.Struct:
		for _, f := range t.Fields {
			parts += inner(f.Name, path+"/"+fmt.Sprintf("%q", f.Name), f.Type)
		}
	default:
		return fmt.Sprint(own)
	}
	return fmt.Sprintf("{__duckdb_field_id: %d%s}", own, parts)
}
