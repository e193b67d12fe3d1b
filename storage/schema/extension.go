package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Extension says what the values of a column mean beyond their type, in the words of the program that sent them: the
// extension type of an Arrow field, or the metadata of a GeoParquet file. Nothing is computed from it; it is kept, and
// returned with the column in Arrow and Parquet.
type Extension struct {
	Name     string    `json:"name"`               // as in ARROW:extension:name
	Metadata string    `json:"metadata,omitempty"` // as in ARROW:extension:metadata; of geometries it has their crs
	Geometry *Geometry `json:"geometry,omitempty"` // what GeoParquet says of a column besides
}

// Geometry is what a GeoParquet file says of the geometries in a column and Arrow has no place for.
type Geometry struct {
	Types       []string        `json:"types,omitempty"` // of all values; empty: not known
	Orientation string          `json:"orientation,omitempty"`
	Epoch       json.RawMessage `json:"epoch,omitempty"`   // of the crs: a number
	Primary     bool            `json:"primary,omitempty"` // the file's primary column
}

// WKB is the name of the extension type of geometries in well-known binary.
const WKB = "geoarrow.wkb"

// IsWKB reports whether the values are geometries in well-known binary, under the present name of that or the old one.
func (e *Extension) IsWKB() bool {
	return e != nil && (strings.EqualFold(e.Name, WKB) || strings.EqualFold(e.Name, "ogc.wkb"))
}

// CRS is how GeoArrow describes the coordinates of geometries.
type CRS struct {
	CRS   json.RawMessage `json:"crs,omitempty"` // PROJJSON or a string; null or absent: not known
	Type  string          `json:"crs_type,omitempty"`
	Edges string          `json:"edges,omitempty"` // absent: planar
}

// Coordinates returns what the metadata of geometries says of their coordinates.
func (e *Extension) Coordinates() (c CRS) {
	if json.Unmarshal([]byte(e.Metadata), &c) != nil {
		return CRS{}
	}
	return c
}

// Known reports whether there is a crs.
func (c CRS) Known() bool { return len(c.CRS) > 0 && !bytes.Equal(c.CRS, []byte("null")) }

// String returns the authority and code of a crs, if it has them, or its text.
func (c CRS) String() string {
	if !c.Known() {
		return ""
	}
	var named struct {
		ID struct {
			Authority string
			Code      any
		}
	}
	if json.Unmarshal(c.CRS, &named) == nil && named.ID.Authority != "" {
		return fmt.Sprintf("%s:%v", named.ID.Authority, named.ID.Code)
	}
	var text string
	if json.Unmarshal(c.CRS, &text) == nil {
		return text
	}
	return canonical(string(c.CRS))
}

// canonical returns JSON in a form that does not depend on spaces and the order of fields; other text as it is.
func canonical(text string) string {
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return text
	}
	out, err := json.Marshal(value)
	if err != nil {
		return text
	}
	return string(out)
}

// String returns the extension as messages name it.
func (e *Extension) String() string {
	const most = 80
	about := ""
	switch {
	case e == nil:
		return ""
	case e.IsWKB():
		about = e.Coordinates().String()
	default:
		about = e.Metadata
	}
	if about == "" {
		return e.Name
	}
	if runes := []rune(about); len(runes) > most {
		about = string(runes[:most]) + "…"
	}
	return e.Name + " (" + about + ")"
}

// meets reports whether values with the one and values with the other may be in one column: they mean the same. A crs
// that is not known may be any.
func (e *Extension) meets(o *Extension) bool {
	switch {
	case e == nil || o == nil:
		return true
	case !e.IsWKB() || !o.IsWKB():
		return e.Name == o.Name && canonical(e.Metadata) == canonical(o.Metadata)
	}
	a, b := e.Coordinates(), o.Coordinates()
	if !a.Known() || !b.Known() {
		return true
	}
	return a.String() == b.String() && a.edges() == b.edges() && slices.Equal(e.epoch(), o.epoch())
}

// edges returns how points are connected; empty: by straight lines in the plane, which may also be written.
func (c CRS) edges() string {
	if c.Edges == "planar" {
		return ""
	}
	return c.Edges
}

func (e *Extension) epoch() json.RawMessage {
	if e.Geometry == nil {
		return nil
	}
	return e.Geometry.Epoch
}

// Joined returns what is true of values with the one and values with the other, nil being values of which nothing is
// said; ok is false if they must not be in one column.
func (e *Extension) Joined(o *Extension) (both *Extension, ok bool) {
	switch {
	case !e.meets(o):
		return e, false
	case e == nil && o == nil:
		return nil, true
	case e == nil:
		out := *o // what it says of its own values is not known of the others
		return (&out).claiming(nil), true
	}
	out := *e
	if o != nil && e.IsWKB() && !e.Coordinates().Known() && o.Coordinates().Known() {
		out.Name, out.Metadata = o.Name, o.Metadata
	}
	return (&out).claiming(o), true
}

// claiming returns the extension with what it says of its values as far as it is true of another's as well.
func (e *Extension) claiming(o *Extension) *Extension {
	if e.Geometry == nil {
		return e
	}
	own, other := *e.Geometry, Geometry{}
	if o != nil && o.Geometry != nil {
		other = *o.Geometry
	}
	if len(own.Types) > 0 && len(other.Types) > 0 {
		own.Types = slices.Compact(slices.Sorted(slices.Values(slices.Concat(own.Types, other.Types))))
	} else {
		own.Types = nil
	}
	if own.Orientation != other.Orientation {
		own.Orientation = ""
	}
	e.Geometry = &own
	return e
}
