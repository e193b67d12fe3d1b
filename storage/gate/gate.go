// Package gate decides what may be stored: types, the names inside them, and values, as they will be stored. DuckDB and
// the libraries for Arrow and Parquet accept more than every reader can return: two fields of a struct that SQL can't
// distinguish, text of type JSON that is not JSON, timestamps that stand for infinity in DuckDB. Whatever passes here
// can be read in every format and by SQL, whichever format it was uploaded in.
// fixtures/clients/test_everything_reads.py proves it.
package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/schema"
)

// Type returns why no value of a type can be stored, as the end of a sentence whose subject is the column; "" if values
// can be.
func Type(t schema.Type) string {
	if depth := t.Depth(); depth > schema.MaxDepth {
		return fmt.Sprintf("has nested lists and structs %d deep; at most %d levels are allowed. "+
			"Flatten it, or send it as JSON text", depth, schema.MaxDepth)
	}
	return parts(t)
}

// parts is Type for a type and everything nested in it, apart from the depth.
func parts(t schema.Type) string {
	if t.Name == schema.Struct {
		names := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			names[i] = f.Name
		}
		if why := Names(names); why != "" {
			return why
		}
	}
	inner := make([]schema.Type, 0, len(t.Fields)+2)
	for _, part := range []*schema.Type{t.Key, t.Elem} {
		if part != nil {
			inner = append(inner, *part)
		}
	}
	for _, f := range t.Fields {
		inner = append(inner, f.Type)
	}
	for _, part := range inner {
		if why := parts(part); why != "" {
			return why
		}
	}
	if _, ok := schema.Stored(t); !ok {
		return fmt.Sprintf("has type %s, which Parquet can't hold exactly. "+
			"Convert it first, for example to text or whole microseconds", t)
	}
	return ""
}

// Names returns what is wrong with the names of a struct's fields, as the end of a sentence; "" if nothing is.
func Names(names []string) string {
	seen := make(map[string]string, len(names))
	for _, name := range names {
		if why := Name(name); why != "" {
			return why
		}
		folded := schema.Fold(name)
		if other, ok := seen[folded]; ok {
			return fmt.Sprintf("has a struct with the fields %q and %q, which SQL does not distinguish. Rename one of them",
				other, name)
		}
		seen[folded] = name
	}
	return ""
}

// Name returns why a field of a struct can't have a name, as the end of a sentence; "" if it can.
func Name(name string) string {
	switch {
	case name == "":
		return "has a struct with a field that has no name. Name it"
	case strings.ContainsRune(name, 0):
		return fmt.Sprintf("has a struct with the field %q, whose name has a NUL character. Rename it", name)
	}
	return ""
}

// Checked reports whether some values of a type can't be stored, so that each must be checked.
func Checked(t schema.Type) bool {
	switch t.Name {
	case schema.List:
		return Checked(*t.Elem)
	case schema.Map: // because of its keys
		return true
	case schema.Struct:
		return slices.ContainsFunc(t.Fields, func(f schema.Field) bool { return Checked(f.Type) })
	}
	return t.Name == schema.JSON || Ordered(t)
}

// Ordered reports whether the values of a type that can't be stored are all at its ends, so that checking the least and
// the greatest value is enough.
func Ordered(t schema.Type) bool {
	switch t.Name {
	case schema.Decimal, schema.Date, schema.Time, schema.Timestamp, schema.TimestampNS, schema.TimestampTZ:
		return true
	}
	return false
}
