package schema_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/rowback/rowback/storage/schema"
)

func TestExtensionsThatMeanTheSameJoin(t *testing.T) {
	wkb := func(metadata string) *schema.Extension {
		return &schema.Extension{Name: schema.WKB, Metadata: metadata}
	}
	for _, c := range []struct {
		name string
		a, b *schema.Extension
		ok   bool
	}{
		{"nothing is said of either", nil, nil, true},
		{"nothing is said of one", wkb(`{"crs": "EPSG:3035"}`), nil, true},
		{"the same", wkb(`{"crs": "EPSG:3035"}`), wkb(`{"crs": "EPSG:3035"}`), true},
		{"another crs", wkb(`{"crs": "EPSG:3035"}`), wkb(`{"crs": "EPSG:4326"}`), false},
		{"a crs that is not known", wkb(`{"crs": "EPSG:3035"}`), wkb(`{"crs": null}`), true},
		{"the same crs by code and in full", wkb(`{"crs": "EPSG:3035"}`),
			wkb(`{"crs": {"type": "ProjectedCRS", "id": {"authority": "EPSG", "code": 3035}}}`), true},
		{"the same crs without a code", wkb(`{"crs": {"a": 1, "b": 2}}`), wkb(`{"crs": {"b":2,"a":1}}`), true},
		{"edges said to be what they are", wkb(`{"crs": "EPSG:3035", "edges": "planar"}`), wkb(`{"crs": "EPSG:3035"}`), true},
		{"other edges", wkb(`{"crs": "EPSG:3035", "edges": "spherical"}`), wkb(`{"crs": "EPSG:3035"}`), false},
		{"the old name", wkb(`{}`), &schema.Extension{Name: "ogc.wkb"}, true},
		{"another name", wkb(``), &schema.Extension{Name: "acme"}, false},
		{"metadata that is not JSON", &schema.Extension{Name: "a", Metadata: "x"}, &schema.Extension{Name: "a", Metadata: "y"}, false},
		{"the same JSON", &schema.Extension{Name: "a", Metadata: `{"x": 1}`}, &schema.Extension{Name: "a", Metadata: `{"x":1}`}, true},
	} {
		for _, pair := range [][2]*schema.Extension{{c.a, c.b}, {c.b, c.a}} {
			if _, ok := pair[0].Joined(pair[1]); ok != c.ok {
				t.Errorf("%s: %s and %s: %v", c.name, pair[0], pair[1], ok)
			}
		}
	}
}

// What a file says of its own values must not be said of others.
func TestJoinedExtensionsClaimWhatIsTrueOfBoth(t *testing.T) {
	of := func(g *schema.Geometry) *schema.Extension { return &schema.Extension{Name: schema.WKB, Geometry: g} }
	for _, c := range []struct {
		name       string
		a, b, want *schema.Extension
	}{
		{"both", of(&schema.Geometry{Types: []string{"Point"}, Orientation: "counterclockwise", Primary: true}),
			of(&schema.Geometry{Types: []string{"Point", "LineString"}, Orientation: "counterclockwise"}),
			of(&schema.Geometry{Types: []string{"LineString", "Point"}, Orientation: "counterclockwise", Primary: true})},
		{"values of which nothing is said", of(&schema.Geometry{Types: []string{"Point"}, Orientation: "counterclockwise"}),
			nil, of(&schema.Geometry{})},
		{"values that were there before", nil,
			of(&schema.Geometry{Types: []string{"Point"}, Epoch: json.RawMessage("2021.5")}),
			of(&schema.Geometry{Epoch: json.RawMessage("2021.5")})},
		{"types that are not known", of(&schema.Geometry{Types: []string{"Point"}}), of(nil), of(&schema.Geometry{})},
	} {
		if got, ok := c.a.Joined(c.b); !ok || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", c.name, got, ok)
		}
	}
	if kept := of(&schema.Geometry{Types: []string{"Point"}}); true {
		if _, ok := kept.Joined(nil); !ok || len(kept.Geometry.Types) != 1 {
			t.Errorf("joining changed what was joined: %+v", kept.Geometry)
		}
	}
}
