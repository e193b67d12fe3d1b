package browser

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// offer is an action that a page offers: where, by what, and the call of the API that it makes or leads to.
type offer struct {
	page       string // {id} is a dataset, {commit} its second commit, {fork} a fork
	kind, name string
	call       string
}

// offers are in the order of their pages, so that each page is opened once.
var offers = []offer{
	{"/", "link", "New dataset", "createDatasetFromFile"},
	{"/datasets/{id}/commits/{commit}", "link", "Roll back…", "createRollback"},
	{"/datasets/{id}/commits/{commit}", "link", "Restore…", "createRestore"},
	{"/datasets/{id}/compare?to_dataset={fork}&from=head&to=head", "link", "Merge it into this dataset…", "createMerge"},
	{"/datasets/{id}/compare?to_dataset={fork}&from=head&to=head", "link", "Propose a merge…", "createMerge"},
	{"/datasets/{id}/proposals", "button", "New proposal", "createMerge"}, // by whoever writes to either side
	{"/datasets/{id}/settings", "button", "Save", "editDataset"},
	{"/datasets/{id}/settings", "button", "Set the retention", "editDataset"},
	{"/datasets/{id}/settings", "button", "Make the version", "incrementVersion"},
	{"/datasets/{id}/settings", "button", "Add a gate", "setGate"},
	{"/datasets/{id}/settings", "button", "Add a variable", "createVariable"},
	{"/datasets/{id}/settings", "button", "Fork", "createDataset"}, // whoever reads a dataset may fork it, and makes one
	{"/datasets/{id}/settings", "button", "Delete the dataset…", "deleteDataset"},
	{"/admin/users", "button", "New user", "createUser"},
	{"/admin/users", "button", "Edit first", "setRoles"},
	{"/admin/users", "button", "Remove first", "deleteUser"},
	{"/admin/projects", "button", "New project", "createProject"},
	{"/admin/projects", "button", "Edit 1", "editProject"},
	{"/admin/projects", "button", "Quota of 1", "putQuota"},
	{"/admin/webhooks", "button", "New webhook", "createWebhook"},
	{"/admin/backups", "button", "Back up now", "createStoreBackup"},
	{"/admin/audit", "button", "Check the log", "checkAudit"},
	{"/admin/tokens", "button", "New token", "createToken"},
}

// needs returns the roles that the calls of the API need, as its document has them: a call without needs none.
func needs(t *testing.T, s *server) map[string]string {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			ID   string `json:"operationId"`
			Role string `json:"x-role"`
		}
	}
	s.ask(t, "GET", "/openapi.json", "", "", &document)
	roles := map[string]string{}
	for _, path := range document.Paths {
		for _, call := range path {
			roles[call.ID] = call.Role
		}
	}
	return roles
}

// Each role is offered what the table of routes lets it do, and nothing else.
func TestEachRoleIsOfferedWhatItMayDo(t *testing.T) {
	s := starting(t, func() (*server, error) { return start("root-token-of-the-tests", "--backup-to", t.TempDir()) })
	defer s.stop()
	id := s.create(t, `"key":["id"]`, `[{"id":1,"city":"Oslo"}]`)
	first := s.commit(t, id, "upsert", `[{"id":1,"city":"Rome"}]`)
	s.commit(t, id, "upsert", `[{"id":2,"city":"Lima"}]`)
	fork := s.fork(t, id, "fork of the offers")
	called := strings.NewReplacer("{id}", id, "{commit}", fmt.Sprint(first), "{fork}", fork)
	order := []string{"", "reader", "writer", "maintainer", "admin"}
	needed := needs(t, s)
	for _, role := range order[1:] {
		b := visit(t, s, "/")
		b.logIn(s.user(t, role, "*"))
		b.see("employees")
		page := "/"
		for _, o := range offers {
			need, known := needed[o.call]
			if !known {
				t.Fatalf("the API has no call %s", o.call)
			}
			if o.page != page {
				page = o.page
				b.goTo(called.Replace(page))
				b.settled()
			}
			may := slices.Index(order, role) >= slices.Index(order, need)
			if b.has(o.kind, o.name) != may {
				t.Errorf("%s is offered %q at %s: %v; %s needs the role %q", role, o.name, o.page, !may, o.call, need)
			}
		}
	}
}

// settled waits until the page has a heading, and nothing is being loaded.
func (b *tab) settled() {
	b.t.Helper()
	before := false
	b.until("the page does not settle", func() bool {
		var now bool
		b.eval("!!document.querySelector('main :is(h1, h2)') && !document.querySelector('main .loading')", &now)
		still := now && before
		before = now
		return still
	})
}
