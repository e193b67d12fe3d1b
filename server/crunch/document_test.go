package crunch

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

func TestADocumentHasOnlyThePartsThatItsKindHas(t *testing.T) {
	entries := &index{}
	entries.add("http://x/1/", map[string]any{"name": `say "a"`})
	for want, d := range map[string]document{
		`{"element":"shoji:view","self":"s","value":false}`: {Element: viewElement, Self: "s", Value: false},
		`{"element":"shoji:catalog","self":"s","index":{}}`: {Element: catalogElement, Self: "s", Index: &index{}},
		`{"element":"shoji:catalog","self":"s","index":{"http://x/1/":{"name":"say \"a\""}}}`: {
			Element: catalogElement, Self: "s", Index: entries,
		},
		`{"element":"shoji:entity","self":"s","body":{"id":"1"},"views":{"values":"v"}}`: {
			Element: entityElement, Self: "s", Body: map[string]any{"id": "1"}, Views: links{"values": "v"},
		},
	} {
		if text, err := json.Marshal(d); err != nil || string(text) != want {
			t.Errorf("%s, %v; want %s", text, err, want)
		}
	}
	if got := entries.urls(); len(got) != 1 || got[0] != "http://x/1/" {
		t.Error(got)
	}
	bad := &index{}
	bad.add("u", func() {})
	if text, err := json.Marshal(document{Index: bad}); err == nil {
		t.Errorf("an entry that can't be encoded became %s", text)
	}
}

func TestURLsAreThoseThatTheClientUsed(t *testing.T) {
	for _, c := range []struct{ proto, site string }{
		{"", "http://example.com"}, {"https", "https://example.com"}, {"HTTPS", "https://example.com"},
		{"http", "http://example.com"},
	} {
		for path, want := range map[string]string{"/api/datasets": "/api/datasets/", "/api/datasets/": "/api/datasets/"} {
			handled(t, path, "", func(_ *Face, ctx *fiber.Ctx) {
				ctx.Request().Header.Set("X-Forwarded-Proto", c.proto)
				if got := self(ctx); got != c.site+want {
					t.Errorf("%s by %q: %s", path, c.proto, got)
				}
				if cookie := host.SessionCookie(ctx, "t"); cookie.Secure != (c.site[:5] == "https") || !cookie.HTTPOnly {
					t.Errorf("%s by %q: %+v", path, c.proto, cookie)
				}
			})
		}
	}
}

func TestUsersHaveURLsWhateverTheirNames(t *testing.T) {
	handled(t, "/", "", func(_ *Face, c *fiber.Ctx) {
		for name, want := range map[string]string{
			"eva": "eva", "eva@x.org": "eva@x.org", "eva noël": "eva%20no%C3%ABl", "a/b": "a%2Fb",
		} {
			if got := userURL(c, name); got != "http://example.com/api/users/"+want+"/" {
				t.Errorf("%s: %s", name, got)
			}
		}
	})
}

func TestATimeIsInUTCWithMicroseconds(t *testing.T) {
	east := time.FixedZone("", 3600)
	for want, at := range map[string]time.Time{
		"2026-01-31T09:00:00.000000+00:00": time.Date(2026, 1, 31, 10, 0, 0, 0, east),
		"2026-01-31T10:00:00.123456+00:00": time.Date(2026, 1, 31, 10, 0, 0, 123456789, time.UTC),
	} {
		if got := moment(at); got != want {
			t.Errorf("%s; want %s", got, want)
		}
	}
}

func TestPathsHaveIDsOfSixDigits(t *testing.T) {
	for id, want := range map[int]string{1: "000001", 123456: "123456", 1234567: "1234567"} {
		c := schema.Column{ID: id}
		if got := variablePath("d", c); got != "/api/datasets/d/variables/"+want+"/" {
			t.Errorf("%d: %s", id, got)
		}
	}
	if got := resultPath("j"); got != "/api/progress/j/result/" {
		t.Error(got)
	}
	if got := savepointPath(catalog.Savepoint{ID: "s", DatasetID: "d"}); got != "/api/datasets/d/savepoints/s/" {
		t.Error(got)
	}
	if got := actionPath(catalog.Commit{ID: 7, DatasetID: "d"}); got != "/api/datasets/d/actions/7/" {
		t.Error(got)
	}
}

func TestTheFaceOwnsAllUnderAPIButTheNativeFace(t *testing.T) {
	for path, want := range map[string]bool{
		"/api": true, "/api/": true, "/api/datasets": true, "/api/v1": false, "/api/v1/datasets": false,
		"/api/v10": true, "/apis": false, "/": false, "/api/datasets/v1": true,
	} {
		if got := (&Face{}).Owns(path); got != want {
			t.Errorf("%s: %t", path, got)
		}
	}
}

// A route that declares no role would be open to whoever forgot it.
func TestEveryRouteDeclaresARole(t *testing.T) {
	for _, r := range (&Face{}).routes() {
		open := r.path == "/api/login" || r.path == "/api/logout"
		if r.role == access.None || (r.role == access.Public) != open {
			t.Errorf("%s %s declares the role %d", r.method, r.path, r.role)
		}
	}
}

// An action's params are shown with the ids that this face uses elsewhere.
func TestAnActionOnAVariableNamesItByItsID(t *testing.T) {
	k := catalog.Commit{
		ID: 3, DatasetID: "d", Mode: catalog.Schema, Message: "m", User: "eva", RollbackCommitID: 4,
		Params: json.RawMessage(`{"key":"x","definition":{"id":2,"name":"age","type":"BIGINT"},"more":1}`),
	}
	got := viewParams(k)
	definition, ok := got.Params["definition"].(variableBody)
	if got.Params["variable"] != "000002" || !ok || definition.Type != numericType || definition.Alias != "age" ||
		got.Params["more"] != 1.0 {
		t.Errorf("%+v", got.Params)
	}
	if _, ok := got.Params["key"]; ok {
		t.Error("the key is there twice")
	}
	if got.ID != "3" || got.State.Played || !got.State.Completed || got.Description != "m" {
		t.Errorf("%+v", got.actionTuple)
	}
}

func TestAnActionWithoutParamsHasItsDataset(t *testing.T) {
	for _, params := range []string{"", "null", "[1]", "{}"} {
		got := viewParams(catalog.Commit{DatasetID: "d", Params: json.RawMessage(params)})
		dataset, _ := got.Params["dataset"].(map[string]any)
		if len(got.Params) != 1 || dataset["id"] != "d" || !got.State.Played {
			t.Errorf("%q: %+v", params, got)
		}
	}
}

func TestAMergeIsAsItIsAskedFor(t *testing.T) {
	for text, want := range map[string]struct {
		autorollback, remember, filtered bool
	}{
		`{"dataset":"/api/datasets/f/"}`:                             {true, false, false},
		`{"dataset":"/api/datasets/f/","autorollback":false}`:        {false, false, false},
		`{"dataset":"f","remember":true,"filter":{"key":["k"]}}`:     {true, true, true},
		`{"dataset":"f","filter":{"hash":["h"],"remember":true}}`:    {true, true, true},
		`{"dataset":"http://x/api/datasets/f/","filter":{"key":[]}}`: {true, false, true},
	} {
		var in mergeBody
		if err := json.Unmarshal([]byte(text), &in); err != nil {
			t.Fatal(err)
		}
		got, err := in.wanted()
		if err != nil || got.Source != "f" || got.Autorollback != want.autorollback || got.Remember != want.remember ||
			(got.Filter != nil) != want.filtered {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, source := range []string{"", "/api/users/f/"} {
		_, err := mergeBody{Dataset: source}.wanted()
		refusedField(t, source, err, "dataset", "URL")
	}
}
