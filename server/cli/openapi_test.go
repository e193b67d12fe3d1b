package cli

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/server/api"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
)

// served are the routes that are not in the document: the document itself, its page, and the metrics.
var served = []string{"GET /openapi.json", "GET /metrics"}

func TestTheDocumentHasEveryRoute(t *testing.T) {
	store, err := storage.Open(context.Background(), t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	h := host.New(host.Options{})
	face, err := api.New(store, h, api.Options{Version: version})
	if err != nil {
		t.Fatal(err)
	}
	app := h.App(face)
	res, err := app.Test(httptest.NewRequest("GET", "/openapi.json", nil), -1)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			ID string `json:"operationId"`
		} `json:"paths"`
	}
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("the document is OpenAPI %s", doc.OpenAPI)
	}
	documented := slices.Clone(served)
	for path, calls := range doc.Paths {
		for method, call := range calls {
			documented = append(documented, strings.ToUpper(method)+" "+path)
			if call.ID == "" {
				t.Errorf("%s %s has no operationId", method, path)
			}
		}
	}
	var routed []string
	for _, r := range app.GetRoutes(true) {
		if r.Method != "HEAD" && r.Path != "/" && !strings.HasPrefix(r.Path, "/docs") {
			routed = append(routed, r.Method+" "+documentPath(r.Path))
		}
	}
	slices.Sort(documented)
	slices.Sort(routed)
	if routed = slices.Compact(routed); !slices.Equal(documented, routed) {
		t.Errorf("the document has\n%s\nthe router has\n%s", strings.Join(documented, "\n"), strings.Join(routed, "\n"))
	}
}

// documentPath writes a path of the router's as the document does: /a/:b as /a/{b}.
func documentPath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}
