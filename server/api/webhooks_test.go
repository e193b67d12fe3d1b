package api

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/server/webhooks"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
)

// hooked is an application whose webhooks may send to 10.0.0.0/8. Nothing is sent.
func hooked(t *testing.T) *fiber.App {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir()
	store, err := storage.Open(ctx, dir, storage.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	db, err := settings.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	allowed, err := webhooks.ParseAllowed([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	h := host.New(host.Options{Fact: ViewFact})
	face, err := New(store, h, Options{Webhooks: webhooks.New(webhooks.Options{Store: store, DB: db, Allowed: allowed})})
	if err != nil {
		t.Fatal(err)
	}
	return h.App(face)
}

func TestAWebhookShowsItsSecretOnce(t *testing.T) {
	app := hooked(t)
	do := func(status int, method, path, body string) answer {
		t.Helper()
		got, err := exchange(app, method, path, body)
		if err != nil || got.status != status {
			t.Fatalf("%s %s: %d %s, %v", method, path, got.status, got.text, err)
		}
		return got
	}
	do(201, "POST", datasets, `{"name":"people","project_id":3}`)
	made := do(201, "POST", hooksPath, `{"url":"https://example.com/x","project_id":3,"dataset":"people",
		"kinds":["version.created","commit.created","commit.created"]}`)
	secret, _ := made.body["secret"].(string)
	path := hooksPath + "/" + fmt.Sprint(made.body["id"])
	if !strings.HasPrefix(secret, "whsec_") || made.header.Get("Location") != path ||
		made.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v %s", made.header, made.text)
	}
	if made.body["project_id"] != 3.0 || fmt.Sprint(made.body["kinds"]) != "[commit.created version.created]" ||
		made.body["enabled"] != true || made.body["user"] != "anonymous" {
		t.Error(made.text)
	}
	edited := do(200, "PATCH", path, `{"enabled":false,"kinds":[],"description":"for a test","url":"http://10.1.2.3/"}`)
	if edited.body["enabled"] != false || fmt.Sprint(edited.body["kinds"]) != "[]" ||
		edited.body["url"] != "http://10.1.2.3/" || edited.body["dataset_id"] != made.body["dataset_id"] {
		t.Error(edited.text)
	}
	for _, got := range []answer{edited, do(200, "GET", path, ""), do(200, "GET", hooksPath, "")} {
		if strings.Contains(got.text, "secret") || !strings.Contains(got.text, "for a test") {
			t.Error(got.text)
		}
	}
	if got := do(200, "GET", path+"/deliveries", ""); got.text != `{"deliveries":[],"next_cursor":null}` {
		t.Error(got.text)
	}
	do(204, "DELETE", path, "")
	do(404, "GET", path, "")
}

func TestWhatAWebhookCanNotBe(t *testing.T) {
	app := hooked(t)
	made, err := exchange(app, "POST", hooksPath, `{"url":"https://example.com/"}`)
	if err != nil || made.status != 201 {
		t.Fatal(made.text, err)
	}
	path := hooksPath + "/" + fmt.Sprint(made.body["id"])
	for _, c := range []struct {
		method, path, body string
		status             int
		about              string // the code, or the field
	}{
		{"POST", hooksPath, `{}`, 422, "url"},
		{"POST", hooksPath, `{"url":""}`, 422, "url"},
		{"POST", hooksPath, `{"url":7}`, 422, "url"},
		{"POST", hooksPath, `{"url":"http://example.com/"}`, 422, "url"},
		{"POST", hooksPath, `{"url":"https://127.0.0.1/"}`, 422, "url"},
		{"POST", hooksPath, `{"url":"https://a:b@example.com/"}`, 422, "url"},
		{"POST", hooksPath, `{"url":"https://example.com/\r\nX-Evil: 1"}`, 422, "url"},
		{"POST", hooksPath, `{"url":"https://example.com/","kinds":["commit"]}`, 422, "kinds"},
		{"POST", hooksPath, `{"url":"https://example.com/","kinds":["webhook.test"]}`, 422, "kinds"},
		{"POST", hooksPath, `{"url":"https://example.com/","kinds":"commit.created"}`, 422, "kinds"},
		{"POST", hooksPath, `{"url":"https://example.com/","project_id":0}`, 422, "project_id"},
		{"POST", hooksPath, `{"url":"https://example.com/","project_id":-1}`, 422, "project_id"},
		{"POST", hooksPath, `{"url":"https://example.com/","dataset":"nothing"}`, 404, "dataset_not_found"},
		{"POST", hooksPath, `{"url":"https://example.com/","secret":"whsec_x"}`, 422, "unknown_field"},
		{"POST", hooksPath, `{"url":"https://example.com/","description":"` + strings.Repeat("x", 1001) + `"}`, 422,
			"description"},
		{"POST", hooksPath, `{`, 400, "malformed_json"},
		{"PATCH", path, `{"url":"https://10.0.0.1.:x/"}`, 422, "url"},
		{"PATCH", path, `{"url":null}`, 422, "url"},
		{"PATCH", path, `{"kinds":["x"]}`, 422, "kinds"},
		{"PATCH", path, `{"project_id":2}`, 422, "unknown_field"},
		{"GET", hooksPath + "/whk_0", ``, 404, "webhook_not_found"},
		{"DELETE", hooksPath + "/whk_0", ``, 404, "webhook_not_found"},
		{"POST", hooksPath + "/whk_0/test", ``, 404, "webhook_not_found"},
		{"GET", path + "/deliveries?cursor=x", ``, 422, "cursor"},
		{"GET", path + "/deliveries?limit=0", ``, 422, "limit"},
		{"POST", path + "/deliveries/1/redeliver", ``, 404, "delivery_not_found"},
		{"POST", path + "/deliveries/x/redeliver", ``, 404, "delivery_not_found"},
	} {
		got, err := exchange(app, c.method, c.path, c.body)
		if err != nil || got.status != c.status || got.code() != c.about && got.field() != c.about {
			t.Errorf("%s %s %s: %d %s, %v", c.method, c.path, c.body, got.status, got.text, err)
		}
	}
	if got, _ := exchange(app, "GET", hooksPath, ""); strings.Count(got.text, `"id"`) != 1 {
		t.Error(got.text)
	}
}

func TestWhoMayHaveAWebhook(t *testing.T) {
	for _, c := range []struct {
		roles   access.Roles
		project int64
		want    fault.Kind // Internal: may
	}{
		{access.Everywhere(access.Admin), 0, fault.Internal}, {access.Everywhere(access.Admin), 7, fault.Internal},
		{access.Everywhere(access.Maintainer), 0, fault.Forbidden}, {access.Everywhere(access.Maintainer), 7, fault.Internal},
		{access.Roles{7: access.Maintainer}, 7, fault.Internal}, {access.Roles{7: access.Maintainer}, 0, fault.Forbidden},
		{access.Roles{7: access.Maintainer}, 8, fault.NotFound}, {access.Roles{7: access.Writer}, 7, fault.Forbidden},
		{access.Roles{7: access.Reader}, 7, fault.Forbidden}, {nil, 7, fault.NotFound}, {nil, 0, fault.Forbidden},
	} {
		err := mayHaveWebhook(access.Caller{User: "ada", Roles: c.roles}, c.project)
		if (err == nil) != (c.want == fault.Internal) || fault.KindOf(err) != c.want {
			t.Errorf("%v in %d: %v", c.roles, c.project, err)
		}
	}
}

// The monitor's findings go out as they are shown.
func TestFindingsAreThoseOfTheMonitor(t *testing.T) {
	store, err := storage.Open(t.Context(), t.TempDir(), storage.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, name := range []string{"a", "b"} {
		n := storage.NewDataset{ProjectID: 4, Name: name}
		if _, err := store.CreateDataset(t.Context(), n, storage.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Findings(t.Context(), store)
	if err != nil || len(found) != 2 || found[0].Kind != "unversioned" || found[0].Project != 4 || found[1].Name != "b" ||
		found[0].Dataset == "" || !strings.HasPrefix(found[0].Detail, "It has no version yet") {
		t.Errorf("%+v, %v", found, err)
	}
}
