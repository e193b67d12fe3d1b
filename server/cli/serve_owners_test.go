package cli

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/rowback/rowback/server/access"
)

// A webhook stops with the role that its user needs to have it, and says why. Whoever enables it takes it over.
func TestAWebhookStopsWithItsUser(t *testing.T) {
	w := newAccessWorld(t)
	s := &serving{log: slog.New(slog.DiscardHandler), settings: w.settings, accounts: w.accounts, hooks: w.hooks}
	s.shared.gate = w.gate
	w.accounts.Changed = s.stopWebhooks
	w.gate.Replace(access.Tokens{rootToken: "root", "second": "ops"}.Fixed())
	token := w.user(t, "eva", access.Roles{own: access.Maintainer, other: access.Maintainer})
	made := func(token, body string) string {
		return w.as(t, token, 201, "POST", "/api/v1/webhooks", body).Body["id"].(string)
	}
	inOwn := made(token, `{"url":"https://198.51.99.1/","project_id":1}`)
	inOther := made(token, `{"url":"https://198.51.99.1/","project_id":2}`)
	ofOps := made("second", `{"url":"https://198.51.99.1/"}`)
	is := func(id, reason string) {
		t.Helper()
		h := w.root(t, 200, "GET", "/api/v1/webhooks/"+id, "")
		why, _ := h["disabled_reason"].(string)
		if h["enabled"] != (reason == "") || !strings.Contains(why, reason) {
			t.Errorf("enabled %v, because %q; want %q", h["enabled"], why, reason)
		}
	}
	w.root(t, 200, "PUT", "/api/v1/users/eva/roles",
		`{"roles":[{"project":"1","role":"writer"},{"project":"2","role":"maintainer"}]}`)
	is(inOwn, "Its user, eva, no longer has the role maintainer in project 1.")
	is(inOther, "")
	w.root(t, 200, "PATCH", "/api/v1/users/eva", `{"is_disabled":true}`)
	is(inOther, "Its user, eva, is disabled.")
	h := w.root(t, 200, "PATCH", "/api/v1/webhooks/"+inOther, `{"enabled":true}`)
	if h["user"] != "root" || h["enabled"] != true {
		t.Errorf("enabled by root: %v", h)
	}
	w.root(t, 204, "DELETE", "/api/v1/users/eva", "")
	is(inOther, "") // it is root's now

	if err := s.reviewWebhooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	is(ofOps, "")
	w.gate.Replace(access.Tokens{rootToken: "root"}.Fixed())
	if err := s.reviewWebhooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	is(ofOps, "Its user, ops, was removed.")
	is(inOther, "")
}
