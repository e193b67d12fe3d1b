package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/server/access"
)

// operation is a call as the document describes it.
type operation struct {
	ID         string `json:"operationId"`
	Role       string `json:"x-role"`
	Parameters []struct {
		Name, In string
		Required bool
		Explode  *bool
		Schema   struct{ Type any }
	}
	RequestBody struct{ Content map[string]any }
	Responses   map[string]struct{ Content map[string]any }
	Security    []map[string][]string
}

// has reports whether a call takes a parameter.
func (o operation) has(in, name string, required bool) bool {
	for _, p := range o.Parameters {
		if p.In == in && p.Name == name && p.Required == required {
			return true
		}
	}
	return false
}

func described(t *testing.T) map[string]map[string]operation {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]operation
	}
	if err := json.Unmarshal([]byte(must(t, 200, "GET", "/openapi.json", "").text), &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Paths
}

var parameter = regexp.MustCompile(`\{(\w+)\}`)

func TestTheDocumentHasWhatTheTableSays(t *testing.T) {
	paths := described(t)
	for _, r := range (&API{}).routes() {
		op, ok := paths[r.path][strings.ToLower(r.method)]
		if !ok || op.ID != r.id {
			t.Errorf("%s %s is described as %q", r.method, r.path, op.ID)
			continue
		}
		if r.role >= access.Reader && op.Role != r.role.String() {
			t.Errorf("%s is described as one for the role %q", r.id, op.Role)
		}
		for _, found := range parameter.FindAllStringSubmatch(r.path, -1) {
			if !op.has("path", found[1], true) {
				t.Errorf("%s has no parameter %s", r.id, found[1])
			}
		}
		for _, status := range append(r.allProblems(), r.status) {
			if _, ok := op.Responses[fmt.Sprint(status)]; !ok {
				t.Errorf("%s has no answer %d", r.id, status)
			}
		}
		for _, media := range r.body {
			if _, ok := op.RequestBody.Content[media]; !ok {
				t.Errorf("%s takes no %s", r.id, media)
			}
		}
		for _, media := range r.media {
			if _, ok := op.Responses[fmt.Sprint(r.status)].Content[media]; !ok {
				t.Errorf("%s gives no %s", r.id, media)
			}
		}
		if open := len(op.Security) == 0; open != isOpen(r.path) {
			t.Errorf("%s: open %v", r.id, open)
		}
	}
}

func TestTheDocumentHasWhatRequestsMayHave(t *testing.T) {
	paths := described(t)
	commit := paths[one+"/commits"]["post"]
	for _, c := range []struct {
		in, name string
		required bool
	}{
		{"query", "mode", true}, {"query", "where", false}, {"query", "expected_head", false},
		{"header", "Idempotency-Key", false}, {"header", "Prefer", false}, {"path", "dataset", true},
	} {
		if !commit.has(c.in, c.name, c.required) {
			t.Errorf("createCommit has no %s parameter %s (required %v)", c.in, c.name, c.required)
		}
	}
	for _, header := range []string{"Idempotency-Key", "Prefer"} {
		for path, methods := range paths {
			if op, ok := methods["delete"]; ok && op.has("header", header, false) {
				t.Errorf("DELETE %s has a parameter %s, which it does not keep to", path, header)
			}
		}
	}
	if _, ok := commit.Responses["202"]; !ok {
		t.Error("a call that takes Prefer has no 202")
	}
	if _, ok := paths[one]["get"].Responses["202"]; ok {
		t.Error("a call that does not take Prefer has a 202")
	}
	if _, ok := paths[one+"/data.parquet"]["get"].Responses["206"]; !ok {
		t.Error("a file has no 206")
	}
}

func TestTheDocumentKnowsWhatIsAlwaysThereAndWhatIsBytes(t *testing.T) {
	var doc struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal([]byte(must(t, 200, "GET", "/openapi.json", "").text), &doc); err != nil {
		t.Fatal(err)
	}
	find := func(text json.RawMessage, path ...string) string {
		for _, name := range path {
			members := map[string]json.RawMessage{}
			if json.Unmarshal(text, &members) != nil || members[name] == nil {
				return "nothing"
			}
			text = members[name]
		}
		var out bytes.Buffer
		if json.Compact(&out, text) != nil {
			return "not JSON"
		}
		return out.String()
	}
	all := doc.Components.Schemas
	for _, c := range []struct{ got, want string }{
		{find(all["ApiCreateDatasetIn"], "required"), `["name"]`},
		{find(all["ApiDatasetList"], "required"), `["datasets","next_cursor"]`},
		{find(all["ApiDatasetList"], "properties", "datasets", "type"), `"array"`},
		{find(all["ApiDatasetList"], "properties", "next_cursor", "type"), `["null","string"]`},
		{find(all["ApiPreviewed"], "required"), `["dry_run"]`},
		{find(all["ApiMergedView"], "properties", "commit", "anyOf"),
			`[{"$ref":"#/components/schemas/ViewCommit"},{"type":"null"}]`},
		{find(all["ViewCommit"], "properties", "records_not_found", "type"), `"integer"`},
		{find(doc.Paths[one+"/files"]["post"], "requestBody"),
			`{"content":{"application/octet-stream":{"schema":{"format":"binary","type":"string"}}},"required":true}`},
		{find(doc.Paths[datasets]["post"], "requestBody", "required"), "true"},
		{find(doc.Paths[one+"/commits"]["post"], "requestBody", "required"), "nothing"}, // where takes its place
		{find(doc.Paths[one+"/data"]["get"], "responses", "200", "content", "application/json", "schema", "type"), `"array"`},
		{find(doc.Paths[one+"/data.parquet"]["get"], "responses", "200", "content", "application/vnd.apache.parquet",
			"schema"), `{"format":"binary","type":"string"}`},
	} {
		if c.got != c.want {
			t.Errorf("%s, not %s", c.got, c.want)
		}
	}
}

// A client that follows the document sends a list as one parameter, and never what OpenAPI has no parameters for.
func TestParametersAreSentAsTheyAreRead(t *testing.T) {
	for path, methods := range described(t) {
		for method, op := range methods {
			for _, p := range op.Parameters {
				if p.In == "header" && (p.Name == "Accept" || p.Name == "Content-Type") {
					t.Errorf("%s %s has a parameter %s", method, path, p.Name)
				}
				isList := p.Schema.Type == "array"
				if isOne := p.Explode != nil && !*p.Explode; isList != isOne {
					t.Errorf("%s %s: %s is a list: %v, sent as one parameter: %v", method, path, p.Name, isList, isOne)
				}
			}
		}
	}
}

// A handler that answers a status which its route does not have leaves generated clients at a loss.
func TestEveryErrorThatAnyRouteMayGiveIsDescribed(t *testing.T) {
	for _, r := range (&API{}).routes() {
		all := r.allProblems()
		refusesLogins := r.id == "completeLogin" // which is open, and has a 401 of its own
		if isOpen(r.path) == (slices.Contains(all, http.StatusUnauthorized) && !refusesLogins) ||
			!slices.Contains(all, http.StatusServiceUnavailable) {
			t.Errorf("%s: %v", r.id, all)
		}
		if sorted := slices.Compact(slices.Sorted(slices.Values(all))); len(sorted) != len(all) {
			t.Errorf("%s names a status twice: %v", r.id, all)
		}
		if takesDataset := strings.Contains(r.path, "{"); takesDataset && !slices.Contains(all, http.StatusNotFound) {
			t.Errorf("%s has no 404", r.id)
		}
	}
}

func TestThePageOfTheDocumentRunsItsOwnScriptsOnly(t *testing.T) {
	page := must(t, 200, "GET", "/docs/", "")
	policy := page.header.Get("Content-Security-Policy")
	if n := strings.Count(page.text, "<script>"); n == 0 || strings.Count(policy, "'sha256-") != n {
		t.Errorf("%d scripts, %s", n, policy)
	}
	if scripts, _, _ := strings.Cut(policy, "; style-src"); strings.Contains(scripts, "unsafe-inline") {
		t.Error(policy)
	}
	// The SHA-256 of nothing, and of the letter a.
	for script, hash := range map[string]string{
		"":  "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
		"a": "'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='",
	} {
		if got := docsPolicy([]byte("<p><script>" + script + "</script>")); !strings.Contains(got,
			"script-src 'self' "+hash+";") {
			t.Errorf("%q: %s", script, got)
		}
	}
	if got := ask(t, "GET", "/docs", ""); got.status != 302 || got.header.Get("Location") != "/docs/" {
		t.Errorf("%d %v", got.status, got.header)
	}
}

// A route that declares no role would be open to whoever forgot it.
func TestEveryRouteDeclaresARole(t *testing.T) {
	for _, r := range (&API{}).routes() {
		if r.role == access.None || (r.role == access.Public) != isOpen(r.path) {
			t.Errorf("%s declares the role %d", r.id, r.role)
		}
	}
}
