package browser

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// offer is an action that a page offers: where, by what, and the call of the API that it makes or leads to.
type offer struct {
	page       string // {id} is a dataset, {commit} its second commit, {fork} a fork, {past} one with files to remove
	kind, name string
	call       string
	least      string // the role that it takes, where that depends on whose it is; empty: the call's
}

const comparison = "/datasets/{id}/compare?to_dataset={fork}&from=head&to=head"

// offers are in the order of their pages, so that each page is opened once.
var offers = []offer{
	{"/", "link", "New dataset", "createDatasetFromFile", ""},
	{"/datasets?deleted=1", "button", "Restore", "undeleteDataset", ""},
	{"/datasets/{id}/commits/{commit}", "link", "Roll back…", "createRollback", ""},
	{"/datasets/{id}/commits/{commit}", "link", "Restore…", "createRestore", ""},
	{"/datasets/{id}/commits/{last}/rollback", "button", "Roll back", "createRollback", ""},
	{"/datasets/{id}/restore?ref={commit}", "button", "Restore", "createRestore", ""},
	{"/datasets/{id}/merge?source={fork}", "button", "Merge", "createMerge", ""},
	{comparison, "link", "Merge it into this dataset…", "createMerge", ""},
	{comparison, "link", "Propose a merge…", "createMerge", ""},
	{comparison, "button", "Comment", "createComparisonComment", "writer"},     // whoever writes to either side
	{comparison, "button", "Delete…", "deleteComparisonComment", "maintainer"}, // of someone else
	{comparison, "button", "Edit", "editComparisonComment", "nobody"},          // of someone else
	{"/datasets/{id}/proposals", "button", "New proposal", "createMerge", ""},  // by whoever writes to either side
	{"/datasets/{id}/proposals/1", "button", "Approve", "createApproval", ""},
	{"/datasets/{id}/proposals/1", "button", "Merge", "mergeProposal", ""},
	{"/datasets/{id}/proposals/1", "button", "Close", "editProposal", "writer"}, // as whoever takes part
	{"/datasets/{id}/proposals/1", "button", "Comment", "createComment", "writer"},
	{"/datasets/{id}/proposals/1", "button", "Delete…", "deleteComment", "maintainer"},
	{"/datasets/{id}/settings", "button", "Save", "editDataset", ""},
	{"/datasets/{id}/settings", "button", "Set the retention", "editDataset", ""},
	{"/datasets/{id}/settings", "button", "Make the version", "incrementVersion", ""},
	{"/datasets/{id}/settings", "button", "Remove the tag offered", "deleteTag", ""},
	{"/datasets/{id}/settings", "button", "Add a gate", "setGate", ""},
	{"/datasets/{id}/settings", "button", "Edit placed", "setGate", ""},
	{"/datasets/{id}/settings", "button", "Remove placed", "deleteGate", ""},
	{"/datasets/{id}/settings", "button", "Add a variable", "createVariable", ""},
	{"/datasets/{id}/settings", "button", "Edit city", "editVariable", ""},
	{"/datasets/{id}/settings", "button", "Fork", "createDataset", ""}, // whoever reads a dataset may fork it, and makes one
	{"/datasets/{id}/settings", "button", "Delete the dataset…", "deleteDataset", ""},
	{"/admin/upkeep", "button", "Compact {past}", "createUpkeep", ""},
	{"/admin/upkeep", "button", "Vacuum {past}", "createVacuum", ""},
	{"/admin/users", "button", "New user", "createUser", ""},
	{"/admin/users", "button", "Edit first", "setRoles", ""},
	{"/admin/users", "button", "Remove first", "deleteUser", ""},
	{"/admin/projects", "button", "New project", "createProject", ""},
	{"/admin/projects", "button", "Edit 1", "editProject", ""},
	{"/admin/projects", "button", "Quota of 1", "putQuota", ""},
	{"/admin/webhooks", "button", "New webhook", "createWebhook", ""},
	{"/admin/webhooks", "button", "Test https://hooks.example", "testWebhook", ""},
	{"/admin/webhooks", "button", "Edit https://hooks.example", "editWebhook", ""},
	{"/admin/webhooks", "button", "Remove https://hooks.example", "deleteWebhook", ""},
	{"/admin/backups", "button", "Back up now", "createStoreBackup", ""},
	{"/admin/audit", "button", "Check the log", "checkAudit", ""},
	{"/admin/tokens", "button", "New token", "createToken", ""},
	{"/admin/tokens", "button", "Revoke {token}", "deleteToken", "admin"}, // of someone else
	{"/admin/tokens", "button", "End the session of reader", "deleteSession", "admin"},
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

// offered makes what the pages could offer to act on, all of it someone else's, and returns the names of offers by the
// forms in the table.
func offered(t *testing.T, s *server) *strings.Replacer {
	t.Helper()
	id := s.create(t, `"key":["id"]`, `[{"id":1,"city":"Oslo"}]`)
	of := "/api/v1/datasets/" + id
	say := func(method, path, body string, out any) { s.ask(t, method, path, "application/json", body, out) }
	say("PUT", of+"/gates/placed", `{"kind":"not_null","columns":["city"]}`, nil)
	second := s.commit(t, id, "upsert", `[{"id":1,"city":"Rome"}]`)
	last := s.commit(t, id, "upsert", `[{"id":2,"city":"Lima"}]`)
	say("POST", of+"/tags", `{"name":"offered"}`, nil)
	fork := s.fork(t, id, "fork of the offers")
	s.commit(t, fork, "upsert", `[{"id":3,"city":"Bonn"}]`)
	say("POST", of+"/proposals", fmt.Sprintf(`{"source":%q,"title":"Bonn"}`, fork), nil)
	say("POST", of+"/proposals/1/comments", `{"text":"Is it?"}`, nil)
	say("POST", of+"/compare/comments?from=head&to=head&to_dataset="+fork, `{"text":"Is it?"}`, nil)
	gone := s.create(t, "", `[{"id":1}]`)
	say("DELETE", "/api/v1/datasets/"+gone, "", nil)

	past := s.create(t, `"key":["id"],"retention":{"commits":1,"savepoints":false}`, `[{"id":1}]`)
	for i := range 40 { // so many small files are compacted, and the earlier rows go
		s.commit(t, past, "upsert", fmt.Sprintf(`[{"id":1,"n":%d},{"id":%d}]`, i, 100+i))
	}
	var about struct{ Name string }
	say("GET", "/api/v1/datasets/"+past, "", &about)
	say("POST", "/api/v1/webhooks", `{"url":"https://hooks.example/x","kinds":["version.created"],"project_id":1}`, nil)
	s.user(t, "reader", "*") // and with it the user first
	var token struct{ ID string }
	say("POST", "/api/v1/tokens", `{"user":"first"}`, &token)
	return strings.NewReplacer("{id}", id, "{commit}", fmt.Sprint(second), "{last}", fmt.Sprint(last), "{fork}", fork, "{past}", about.Name,
		"{token}", token.ID)
}

// Each role is offered what the table of routes lets it do, and nothing else.
func TestEachRoleIsOfferedWhatItMayDo(t *testing.T) {
	s := starting(t, func() (*server, error) { return start("root-token-of-the-tests", "--backup-to", t.TempDir()) })
	defer s.stop()
	called := offered(t, s)
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
			if o.least != "" {
				need = o.least
			}
			if o.page != page {
				page = o.page
				b.goTo(called.Replace(page))
				b.settled()
			}
			may := need != "nobody" && slices.Index(order, role) >= slices.Index(order, need)
			if b.has(o.kind, called.Replace(o.name)) != may {
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
