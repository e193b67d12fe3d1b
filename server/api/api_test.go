package api

import (
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
)

func TestAPathMatchesARouteByItsParts(t *testing.T) {
	for _, c := range []struct {
		route, path string
		want        bool
	}{
		{"/a/{b}", "/a/1", true},
		{"/a/{b}", "/a/1/", true},
		{"/a/{b}", "/a", false},
		{"/a/{b}", "/a/", false},
		{"/a/{b}", "/a//", false},
		{"/a/{b}", "/a/1/c", false},
		{"/a/{b}/c", "/a//c", false},
		{"/a/{b}/c", "/a/1/c", true},
		{"/a/{b}/c", "/A/1/c", false},
		{"/a/{b}/c.tar", "/a/1/c.zip", false},
	} {
		if got := matches(c.route, c.path); got != c.want {
			t.Errorf("%s, %s: %v", c.route, c.path, got)
		}
	}
}

func TestTheMethodsOfAPathAreThoseOfItsMostLiteralRoutes(t *testing.T) {
	a := &API{}
	for path, want := range map[string]string{
		"/healthz":                              "GET HEAD",
		"/api/v1/datasets":                      "POST GET HEAD",
		"/api/v1/datasets/employees":            "GET HEAD PATCH DELETE",
		"/api/v1/datasets/versions":             "GET HEAD",
		"/api/v1/datasets/versions/rollback":    "POST",
		"/api/v1/datasets/employees/undelete":   "POST",
		"/api/v1/datasets/employees/data":       "GET HEAD",
		"/api/v1/datasets/e/actions/since_fork": "GET HEAD",
		"/api/v1/query":                         "POST GET HEAD",
		"/api/v2/datasets":                      "",
		"/":                                     "",
	} {
		if got := strings.Join(a.methodsAt(path), " "); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestAPathThatIsNotServedIs404(t *testing.T) {
	got := ask(t, "GET", "/api/v1/dataset", "")
	if got.status != 404 || got.code() != "not_found" || !strings.Contains(got.text, "/openapi.json") {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got.header.Get("Content-Type") != "application/problem+json" {
		t.Error(got.header)
	}
}

func TestAMethodThatAPathDoesNotTakeIs405AndSaysWhichItTakes(t *testing.T) {
	for path, allowed := range map[string]string{
		"/api/v1/datasets":       "POST, GET, HEAD",
		employees:                "GET, HEAD, PATCH, DELETE",
		employees + "/refs":      "GET, HEAD",
		versions + "/increment":  "POST",
		employees + "/commits/1": "GET, HEAD",
	} {
		got := ask(t, "PUT", path, "{}")
		if got.status != 405 || got.code() != "method_not_allowed" || got.header.Get("Allow") != allowed {
			t.Errorf("%s: %d %s, Allow: %s", path, got.status, got.code(), got.header.Get("Allow"))
		}
	}
}

// Routes of seed 000 lie where a dataset could be named: they come first.
func TestFixedPathsAreNotTakenForNames(t *testing.T) {
	got := must(t, 200, "GET", versions+"?project_id=1&dataset_name=employees", "")
	if got.body["total"] != 2.0 {
		t.Error(got.text)
	}
	if got := ask(t, "GET", employees+"/actions/since_forking", ""); got.code() != "not_a_fork" {
		t.Errorf("%d %s", got.status, got.text)
	}
}

func TestHeadAnswersAsGetWithoutTheBody(t *testing.T) {
	for _, path := range []string{"/healthz", employees, employees + "/data?format=csv"} {
		get, head := ask(t, "GET", path, ""), ask(t, "HEAD", path, "")
		if head.status != 200 || head.text != "" || head.header.Get("Content-Type") != get.header.Get("Content-Type") {
			t.Errorf("%s: %d %q %v", path, head.status, head.text, head.header)
		}
	}
}

func TestOnlyWhatSaysNothingOfTheDataIsOpen(t *testing.T) {
	app := gated(t)
	for path, want := range map[string]int{
		"/healthz": 200, "/readyz": 200, "/openapi.json": 200, "/docs": 302, "/docs/": 200,
		"/api/v1/datasets": 401, "/api/v1/nothing": 401, "/healthzz": 401, "/docsx": 401, "/api/v1/query?sql=SELECT+1": 401,
	} {
		got, err := exchange(app, "GET", path, "")
		if err != nil || got.status != want {
			t.Errorf("%s: %d, want %d, %v", path, got.status, want, err)
		}
		if want == 401 && (got.code() != "unauthorized" || got.header.Get("WWW-Authenticate") != "Bearer") {
			t.Errorf("%s: %s %v", path, got.text, got.header)
		}
	}
}

func TestATokenNamesTheUserOfACommit(t *testing.T) {
	app := gated(t)
	for _, c := range []struct {
		path, body string
		want       int
	}{{datasets, `{"name":"d"}`, 201}, {datasets + "/d/commits?mode=append", `[{"a":1}]`, 201}} {
		got, err := exchange(app, "POST", c.path, c.body, "Authorization", "Bearer t0")
		if err != nil || got.status != c.want {
			t.Fatalf("%s: %d %s, %v", c.path, got.status, got.text, err)
		}
		if user, ok := got.body["user"]; ok && user != "eva" {
			t.Errorf("the user is %v", user)
		}
	}
	got, err := exchange(app, "GET", datasets+"/d/commits", "", "Authorization", "Bearer t1")
	if err != nil || got.status != 401 {
		t.Errorf("%d, %v", got.status, err)
	}
}

func TestRoutesAreUnambiguous(t *testing.T) {
	seen, ids := map[string]bool{}, map[string]bool{}
	for _, r := range (&API{}).routes() {
		if key := r.method + " " + fiberPath(r.path); seen[key] {
			t.Errorf("%s is there twice", key)
		} else {
			seen[key] = true
		}
		if ids[r.id] {
			t.Errorf("the id %s is there twice", r.id)
		}
		ids[r.id] = true
		if !slices.Contains(fiber.DefaultMethods, r.method) || r.handler == nil || r.summary == "" || r.status == 0 {
			t.Errorf("%s is not complete: %+v", r.id, r)
		}
	}
}
