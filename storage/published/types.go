// Package published describes states in the terms of Apache Iceberg (format version 2), so that engines read the stored
// Parquet files in place: schemas, manifests and manifest lists in Avro, table metadata in JSON. It makes bytes of plain
// values and knows no store: which files a state has, and where its documents are put, is up to its caller. The same
// values always make the same bytes. Documents follow the specification at https://iceberg.apache.org/spec; the tests
// read them back.
package published

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"github.com/rowback/rowback/storage/schema"
)

// Field is a column, or a field of a struct, as Iceberg has it. Type is the name of a primitive, or a structure, list
// or mapping. No field is required: a file that is older than the column has no values for it.
type Field struct {
	ID       int    `json:"id"`
	Name     string `json:"name"`
	Required bool   `json:"required"`
	Type     any    `json:"type"`
	Doc      string `json:"doc,omitempty"`
}

type structure struct {
	Type   string  `json:"type"`
	Fields []Field `json:"fields"`
}

type list struct {
	Type            string `json:"type"`
	ElementID       int    `json:"element-id"`
	Element         any    `json:"element"`
	ElementRequired bool   `json:"element-required"`
}

type mapping struct {
	Type          string `json:"type"`
	KeyID         int    `json:"key-id"`
	Key           any    `json:"key"`
	ValueID       int    `json:"value-id"`
	Value         any    `json:"value"`
	ValueRequired bool   `json:"value-required"`
}

// Stored returns the type in which engines get values of t. It holds every value of t, and is t itself where Iceberg
// has it. ok is false where nothing is known of the type yet.
func Stored(t schema.Type) (s schema.Type, ok bool) {
	switch t.Name {
	case schema.Null:
		return t, false
	case "TINYINT", "SMALLINT", "UTINYINT", "USMALLINT":
		return schema.Of(schema.Integer), true
	case "UINTEGER":
		return schema.Of(schema.Bigint), true
	case schema.Ubigint:
		return schema.DecimalOf(20, 0), true
	case schema.JSON, schema.TimestampNS:
		return schema.Of(schema.Varchar), true
	case schema.List:
		elem, ok := Stored(*t.Elem)
		return schema.ListOf(elem), ok
	case schema.Map:
		key, okKey := Stored(*t.Key)
		elem, okElem := Stored(*t.Elem)
		return schema.Type{Name: schema.Map, Key: &key, Elem: &elem}, okKey && okElem
	case schema.Struct:
		s = schema.Type{Name: schema.Struct}
		for _, f := range t.Fields {
			inner, ok := Stored(f.Type)
			if !ok {
				return s, false
			}
			s.Fields = append(s.Fields, schema.Field{Name: f.Name, Type: inner})
		}
		return s, len(s.Fields) > 0
	}
	_, ok = primitives[t.Name]
	return t, ok || t.Name == schema.Decimal
}

// primitives are Iceberg's types for those that Stored returns, apart from decimals and nested ones.
var primitives = map[string]string{
	schema.Boolean: "boolean", schema.Integer: "int", schema.Bigint: "long", schema.Float: "float",
	schema.Double: "double", schema.Varchar: "string", schema.Blob: "binary", schema.UUID: "uuid", schema.Date: "date",
	schema.Time: "time", schema.Timestamp: "timestamp", schema.TimestampTZ: "timestamptz",
}

// typeOf returns Iceberg's type for one that Stored returned. id and path identify what has it (nestedID).
func typeOf(t schema.Type, id int, path string) any {
	switch t.Name {
	case schema.Decimal:
		return fmt.Sprintf("decimal(%d, %d)", t.Width, t.Scale)
	case schema.List:
		inner := path + "/element"
		return list{"list", nestedID(id, inner), typeOf(*t.Elem, id, inner), false}
	case schema.Map:
		key, value := path+"/key", path+"/value"
		return mapping{
			"map", nestedID(id, key), typeOf(*t.Key, id, key), nestedID(id, value), typeOf(*t.Elem, id, value), false,
		}
	case schema.Struct:
		out := structure{"struct", make([]Field, len(t.Fields))}
		for i, f := range t.Fields {
			inner := path + "/" + strconv.Quote(f.Name)
			out.Fields[i] = Field{ID: nestedID(id, inner), Name: f.Name, Type: typeOf(f.Type, id, inner)}
		}
		return out
	}
	return primitives[t.Name]
}

// nestedID is the field id of a part of a column. Stored files have ids for columns only; this one follows from the
// column's id and the part's path, so it is the same in every state and fork. It is above 2^30, where no column's is,
// and below those that Iceberg reserves.
func nestedID(column int, path string) int {
	h := fnv.New32a()
	fmt.Fprintf(h, "%d%s", column, path) // a hash takes every byte
	const first, last = 1 << 30, 2147483446
	return first + int(h.Sum32()%(last-first))
}

// eachNested calls each with the path of every part of a type that has an id.
func eachNested(t schema.Type, path string, each func(path string)) {
	switch t.Name {
	case schema.List:
		each(path + "/element")
		eachNested(*t.Elem, path+"/element", each)
	case schema.Map:
		each(path + "/key")
		each(path + "/value")
		eachNested(*t.Key, path+"/key", each)
		eachNested(*t.Elem, path+"/value", each)
	case schema.Struct:
		for _, f := range t.Fields {
			inner := path + "/" + strconv.Quote(f.Name)
			each(inner)
			eachNested(f.Type, inner, each)
		}
	}
}

// Column is a column of a state that engines see.
type Column struct {
	schema.Column
	As schema.Type // the type in which they get its values (Stored)
}

// LeftOut is a column that engines do not see, and why.
type LeftOut struct{ Name, Why string }

// Columns returns the columns of a state that engines see, and those that they do not.
func Columns(s schema.Schema) (columns []Column, out []LeftOut) {
	taken := map[int]bool{}
	for _, c := range s.Columns {
		as, ok := Stored(c.Type)
		switch {
		case c.Derived():
			out = append(out, LeftOut{c.Name, "It is computed when it is read, and is in no file."})
			continue
		case !ok:
			out = append(out, LeftOut{c.Name, "No value has come yet, so its type " + c.Type.String() + " is not known."})
			continue
		case !takeIDs(taken, c.ID, as):
			out = append(out, LeftOut{c.Name, "Two parts of nested columns would have the same field id."})
			continue
		}
		columns = append(columns, Column{c, as})
	}
	return columns, out
}

// takeIDs reports whether the ids of a column's parts are free, and takes them.
func takeIDs(taken map[int]bool, id int, t schema.Type) bool {
	var ids []int
	eachNested(t, "", func(path string) { ids = append(ids, nestedID(id, path)) })
	slices.Sort(ids)
	if len(slices.Compact(slices.Clone(ids))) != len(ids) || slices.ContainsFunc(ids, func(i int) bool { return taken[i] }) {
		return false
	}
	for _, i := range ids {
		taken[i] = true
	}
	return true
}

// InPlace reports whether engines can read a file that was written with schema fs as it is, and see what the columns
// say. Otherwise they need a copy: parts of nested columns have no ids in stored files, some types are Iceberg's in
// another form, and Iceberg widens few types.
func InPlace(fs schema.Schema, columns []Column) bool {
	for _, own := range fs.Stored() {
		if own.Type.Nested() {
			return false // pyiceberg reads no file in which any field has no id
		}
	}
	for _, c := range columns {
		own, ok := fs.ByID(c.ID)
		if !ok {
			continue
		}
		from := own.Type
		for _, to := range append(c.Since(own), c.As) {
			if !promotes(from, to) {
				return false
			}
			from = to
		}
	}
	return true
}

// promotes reports whether a reader of Iceberg sees a column that was stored in one type as the other one, value for
// value.
func promotes(from, to schema.Type) bool {
	if from.Equal(to) {
		return from.Name != "UINTEGER" && from.Name != schema.Ubigint && from.Name != schema.TimestampNS
	}
	small := func(t schema.Type) bool {
		return slices.Contains([]string{"TINYINT", "SMALLINT", "UTINYINT", "USMALLINT", schema.Integer}, t.Name)
	}
	switch {
	case small(from):
		return to.Name == schema.Bigint || small(to) && to.Holds(from)
	case from.Name == schema.Float:
		return to.Name == schema.Double
	case from.Name == schema.Decimal && to.Name == schema.Decimal:
		return from.Scale == to.Scale && from.Width <= to.Width
	case from.Name == schema.JSON:
		return to.Name == schema.Varchar
	}
	return false
}
