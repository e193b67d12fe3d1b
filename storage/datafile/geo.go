package datafile

import (
	"bytes"
	"encoding/json"

	"github.com/rowback/rowback/storage/schema"
)

// GeoParquet (version 1) is a key of a file's metadata, geo, which says which columns are geometries: binaries in
// well-known binary. It is translated from and to the extension type that GeoArrow has for them. What it says of a
// file's extent (bbox, covering) is left out: it would be wrong after the first change.

// GeoKey is the key in a file's metadata.
const GeoKey = "geo"

const geoVersion = "1.1.0"

// lonLat is the crs that GeoParquet means where it names none.
const lonLat = `"OGC:CRS84"`

// geoFile is the value of the key.
type geoFile struct {
	Version string               `json:"version"`
	Primary string               `json:"primary_column"`
	Columns map[string]geoColumn `json:"columns"`
}

type geoColumn struct {
	Encoding    string          `json:"encoding"`
	Types       []string        `json:"geometry_types"`
	CRS         json.RawMessage `json:"crs,omitempty"` // absent: lonLat; null: not known
	Edges       string          `json:"edges,omitempty"`
	Orientation string          `json:"orientation,omitempty"`
	Epoch       json.RawMessage `json:"epoch,omitempty"`
	Text        json.RawMessage `json:"rowback:crs,omitempty"` // a crs that is not PROJJSON, which is all that crs takes
}

// Geometries returns the extensions of the columns that the key calls geometries in well-known binary; other
// encodings are left out. Text that is not what it should be is ignored: the binaries are still there.
func Geometries(text string) map[string]*schema.Extension {
	var file geoFile
	if text == "" || json.Unmarshal([]byte(text), &file) != nil {
		return nil
	}
	out := map[string]*schema.Extension{}
	for name, c := range file.Columns {
		if c.Encoding != "WKB" {
			continue
		}
		out[name] = c.extension(name == file.Primary)
	}
	return out
}

func (c geoColumn) extension(primary bool) *schema.Extension {
	about := schema.CRS{Edges: c.Edges}
	switch {
	case len(c.Text) > 0:
		about.CRS = c.Text
	case len(c.CRS) == 0:
		about.CRS, about.Type = json.RawMessage(lonLat), "authority_code"
	case c.CRS[0] == '{':
		about.CRS, about.Type = c.CRS, "projjson"
	case !bytes.Equal(c.CRS, []byte("null")):
		about.CRS = c.CRS // text, as drafts of GeoParquet had it
	}
	text, err := json.Marshal(about)
	if err != nil {
		text = nil
	}
	return &schema.Extension{Name: schema.WKB, Metadata: string(text), Geometry: &schema.Geometry{
		Types: c.Types, Orientation: c.Orientation, Epoch: c.Epoch, Primary: primary,
	}}
}

// geometryColumn is the reverse of extension.
func geometryColumn(e *schema.Extension) geoColumn {
	about := e.Coordinates()
	out := geoColumn{Encoding: "WKB", Types: []string{}, CRS: about.CRS, Edges: about.Edges}
	switch {
	case !about.Known():
		out.CRS = json.RawMessage("null")
	case string(about.CRS) == lonLat:
		out.CRS = nil
	case about.CRS[0] != '{':
		out.CRS, out.Text = json.RawMessage("null"), about.CRS
	}
	if g := e.Geometry; g != nil {
		out.Types = append(out.Types, g.Types...)
		out.Orientation, out.Epoch = g.Orientation, g.Epoch
	}
	return out
}

// GeoText returns the value of the key for a file with some columns; empty: none of them has geometries.
func GeoText(columns []schema.Column) string {
	file := geoFile{Version: geoVersion, Columns: map[string]geoColumn{}}
	for _, c := range columns {
		if !c.Extension.IsWKB() {
			continue
		}
		if g := c.Extension.Geometry; file.Primary == "" || g != nil && g.Primary {
			file.Primary = c.Name
		}
		file.Columns[c.Name] = geometryColumn(c.Extension)
	}
	if len(file.Columns) == 0 {
		return ""
	}
	text, err := json.Marshal(file)
	if err != nil {
		return "" // it was JSON when it came
	}
	return string(text)
}

// metadataOf returns the key-value metadata that says what columns are beyond their types.
func metadataOf(columns []schema.Column) map[string]string {
	pairs := map[string]string{}
	if geo := GeoText(columns); geo != "" {
		pairs[GeoKey] = geo
	}
	return pairs
}

// Labels returns the option of COPY that writes that metadata; empty, if there is none.
func Labels(columns []schema.Column) string { return pairsOption(metadataOf(columns)) }
