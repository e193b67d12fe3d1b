package intake

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/rowback/rowback/storage/gate"
)

// trouble describes what is wrong with the type of a field or of a part of it, or returns "": names of fields that
// DuckDB would cut off at a NUL, and types that it misreads, or fails on. fixed: it is inside a list of fixed size,
// where DuckDB returns a dictionary's indexes instead of its values.
func trouble(f arrow.Field, fixed bool) string {
	values, encoded := encodedValues(f.Type)
	switch {
	case encoded && fixed:
		return fmt.Sprintf("has the Arrow type %s inside a list of fixed size, which can't be read; "+
			"decode it, or make it a list of any size", f.Type)
	case encoded && (!readEncoded(values) || isOwn(f) || isOwn(values)):
		return fmt.Sprintf("has the Arrow type %s, which can't be read; decode it first", f.Type)
	}
	nested, ok := f.Type.(arrow.NestedType)
	if !ok {
		if encoded {
			return trouble(values, false)
		}
		return ""
	}
	for _, part := range nested.Fields() {
		if f.Type.ID() == arrow.STRUCT {
			if why := gate.Name(part.Name); why != "" {
				return why
			}
		}
		if why := trouble(part, fixed || f.Type.ID() == arrow.FIXED_SIZE_LIST); why != "" {
			return why
		}
	}
	return ""
}

// encodedValues returns the field of the values that a type encodes, as a dictionary or in runs; ok is false for other
// types.
func encodedValues(t arrow.DataType) (values arrow.Field, ok bool) {
	switch t := t.(type) {
	case *arrow.DictionaryType:
		return arrow.Field{Type: t.ValueType}, true
	case *arrow.RunEndEncodedType:
		return t.Fields()[1], true
	}
	return values, false
}

// readEncoded reports whether DuckDB reads encoded values of a type; of those of others it knows itself that it does
// not.
func readEncoded(values arrow.Field) bool {
	switch values.Type.ID() {
	case arrow.STRUCT, arrow.FIXED_SIZE_LIST, arrow.RUN_END_ENCODED, arrow.DICTIONARY:
		return false
	}
	return true
}

// isOwn reports whether a field has an extension for which DuckDB has a type, which it misses in encoded values.
func isOwn(f arrow.Field) bool {
	name, _ := f.Metadata.GetValue(ipc.ExtensionTypeKeyName)
	return slices.Contains(ownTypes, name)
}
