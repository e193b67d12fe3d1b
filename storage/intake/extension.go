package intake

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// Arrow fields may have an extension type: a name, and metadata, that say what the values of their storage type mean.
// It is kept with a column if its values are returned as the same storage type, since readers that know the extension
// may fail on another.

// ownTypes are the extensions that DuckDB has types for, in which the values are stored.
var ownTypes = []string{"arrow.json", "arrow.uuid", "arrow.bool8"}

// maxExtension is the maximum size of an extension, in bytes. A crs in PROJJSON has a few thousand.
const maxExtension = 64 << 10

// extensionOf returns the extension of a field; nil: it has none.
func extensionOf(f arrow.Field) *schema.Extension {
	name, _ := f.Metadata.GetValue(ipc.ExtensionTypeKeyName)
	if name == "" || slices.Contains(ownTypes, name) {
		return nil
	}
	metadata, _ := f.Metadata.GetValue(ipc.ExtensionMetadataKeyName)
	return &schema.Extension{Name: name, Metadata: metadata}
}

// unkept returns the name of an extension inside a type, or of a type that Parquet has none for, so that files have
// whole numbers in its place; empty: there is none.
func unkept(t arrow.DataType) string {
	if t == nil {
		return ""
	}
	if t.ID() == arrow.DURATION {
		return t.String()
	}
	nested, ok := t.(arrow.NestedType)
	if !ok {
		return ""
	}
	for _, f := range nested.Fields() {
		if e := extensionOf(f); e != nil {
			return e.Name
		}
		if name := unkept(f.Type); name != "" {
			return name
		}
	}
	return ""
}

// isText reports whether an extension can be kept as text.
func isText(e *schema.Extension) bool {
	geometry, err := json.Marshal(e.Geometry)
	return err == nil && utf8.ValidString(e.Name) && utf8.ValidString(e.Metadata) &&
		len(e.Name)+len(e.Metadata)+len(geometry) <= maxExtension
}

// extend gives offered columns the extensions of the Arrow fields that they were, and those of geometries, by name.
func extend(
	ctx context.Context, conn *duck.Conn, offered []Offered, fields []arrow.Field,
	geometries map[string]*schema.Extension,
) error {
	var returned []arrow.Field // found when it is needed
	for i, f := range fields {
		o, e := &offered[i], extensionOf(f)
		if lost := unkept(f.Type); lost != "" && e == nil {
			o.Lost = lost
		}
		switch g := geometries[o.Name]; {
		case e.IsWKB() && g != nil:
			e.Geometry = g.Geometry
		case e == nil:
			e = g
		}
		if e == nil {
			continue
		}
		kept := e.IsWKB() && o.Type.Name == schema.Blob
		if !e.IsWKB() {
			var err error
			if returned, err = returnedAs(ctx, conn, offered, returned); err != nil {
				return err
			}
			kept = arrow.TypeEqual(returned[i].Type, f.Type)
		}
		if kept && isText(e) {
			o.Extension = e
		} else {
			o.Lost = strings.ToValidUTF8(e.Name, "?")
		}
	}
	return nil
}

// returnedAs returns the Arrow fields in which the values of offered columns are returned, unless they are known.
func returnedAs(
	ctx context.Context, conn *duck.Conn, offered []Offered, known []arrow.Field,
) ([]arrow.Field, error) {
	if known != nil {
		return known, nil
	}
	list := make([]string, len(offered))
	for i, o := range offered {
		kept, _ := schema.Stored(o.Type)
		if kept.Name == "" {
			kept = schema.Of(schema.Null)
		}
		list[i] = "CAST(NULL AS " + kept.SQL() + ")"
	}
	none, err := conn.Batch(ctx, "SELECT "+strings.Join(list, ", ")+" LIMIT 0")
	if err != nil {
		return nil, err
	}
	defer none.Release()
	return none.Schema().Fields(), nil
}
