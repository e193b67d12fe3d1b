package datafile

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/rowback/rowback/storage/schema"
)

// Parquet also has types of geometries, GEOMETRY and GEOGRAPHY, whose values are binaries in well-known binary. DuckDB
// reads them as values of its own, which it writes differently, and only if it knows their crs. So it reads a copy of
// the file that calls them binaries, and what the types say is kept as an extension.

// nativeGeometry returns the extension of a column of such a type; nil if it is of another.
func nativeGeometry(f *parquet.File, c *parquet.Column) *schema.Extension {
	if !c.Leaf() {
		return nil
	}
	about := schema.CRS{}
	switch t := logical(c.Type()).(type) {
	case *format.GeometryType:
		about.CRS = nativeCRS(f, t.CRS)
	case *format.GeographyType:
		about.CRS, about.Edges = nativeCRS(f, t.CRS), strings.ToLower(t.Algorithm.String())
	default:
		return nil
	}
	text, err := json.Marshal(about)
	if err != nil {
		return nil
	}
	return &schema.Extension{Name: schema.WKB, Metadata: string(text)}
}

// nativeCRS returns a crs as GeoArrow has it. A type has it as text, as PROJJSON, or as the key in the file's metadata
// under which that is.
func nativeCRS(f *parquet.File, crs string) json.RawMessage {
	if crs == "" {
		return json.RawMessage(lonLat)
	}
	if key, ok := strings.CutPrefix(crs, "projjson:"); ok {
		if text, ok := f.Lookup(key); ok {
			crs = text
		}
	}
	if strings.HasPrefix(crs, "{") && json.Valid([]byte(crs)) {
		return json.RawMessage(crs)
	}
	text, err := json.Marshal(crs)
	if err != nil {
		return nil
	}
	return text
}

// hasGeometry reports whether a column or one nested in it has a type of geometries.
func hasGeometry(f *parquet.File, c *parquet.Column) bool {
	return nativeGeometry(f, c) != nil ||
		slices.ContainsFunc(c.Columns(), func(inside *parquet.Column) bool { return hasGeometry(f, inside) })
}
