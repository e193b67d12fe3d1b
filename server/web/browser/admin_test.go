package browser

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// query runs a statement as an admin, and reads its records into out.
func (s *server) query(t *testing.T, statement string, out any) {
	t.Helper()
	s.ask(t, "GET", "/api/v1/query?format=json&sql="+url.QueryEscape(statement), "", "", out)
}

// alone returns a server that lets everyone in and is no other test's.
func alone(t *testing.T) *server {
	t.Helper()
	return starting(t, func() (*server, error) { return start("") })
}

// An open server is closed by its pages; then it stops, and the pages say so.
func TestAServerIsClosedFromItsPages(t *testing.T) {
	s := alone(t)
	b := visit(t, s, "/admin")
	b.see("This server lets everyone in as an admin")
	b.see("Ready")
	b.accessible()
	b.click("link", "Make a user")
	b.click("button", "New user")
	b.fill("Name", "ada")
	b.click("button", "Add the user")
	b.see("The user ada was added")
	b.click("link", "Tokens")
	b.click("button", "New token")
	b.fill("Description", "the first")
	b.accessible()
	b.click("button", "Make the token")
	b.see("it is not shown again")
	var token string
	b.eval("document.querySelector('.secret input').value", &token)
	if !strings.HasPrefix(token, "rbk_") {
		t.Fatalf("the token is %q", token)
	}
	b.click("button", "Close")
	b.logIn(token)
	b.at("/admin/tokens")
	b.see("the first")
	if text := b.text("main"); strings.Contains(text, token) {
		t.Error("the token is shown again")
	}

	// Whoever's token is revoked logs in again, as another user too: then the page is read anew.
	s.token = token
	other := s.user(t, "writer", "*")
	b.click("button", "Log out")
	b.logIn(other)
	b.goTo("/admin/projects")
	b.see("Your role")
	s.ask(t, "DELETE", "/api/v1/tokens/"+s.tokenOf(t, "writer"), "", "", nil)
	b.click("link", "Upkeep")
	b.logInAgain(token)
	b.at("/admin/upkeep")
	b.see("Files read at the head")

	s.stop()
	b.click("link", "Backups")
	b.see("The server does not answer")
	b.see("Try again")
}

// tokenOf returns the id of a token of a user whose name begins so.
func (s *server) tokenOf(t *testing.T, user string) string {
	t.Helper()
	var list struct{ Tokens []struct{ ID, User string } }
	s.ask(t, "GET", "/api/v1/tokens?limit=1000", "", "", &list)
	for _, token := range list.Tokens {
		if strings.HasPrefix(token.User, user) {
			return token.ID
		}
	}
	t.Fatalf("no token of %s", user)
	return ""
}

// What the server would refuse is not offered: a reader goes everywhere, and nothing of it is refused.
func TestAReaderIsOfferedNothingThatIsRefused(t *testing.T) {
	s := closed(t)
	b := visit(t, s, "/admin")
	b.logIn(s.user(t, "reader", "*"))
	b.see("a reader: what you may not do is not shown")
	b.accessible()
	for _, c := range []struct{ section, link, says string }{
		{"users", "Users", "for admins"}, {"backups", "Backups", "for admins"}, {"audit", "Audit log", "for admins"},
		{"webhooks", "Webhooks", "for maintainers"},
	} {
		b.goTo("/admin/" + c.section)
		b.see(c.says)
		if b.has("link", c.link) {
			t.Errorf("%s is offered", c.link)
		}
	}
	for section, says := range map[string]string{
		"tokens": "Your sessions", "projects": "Your role", "rules": "employees", "upkeep": "employees",
	} {
		b.goTo("/admin/" + section)
		b.see(says)
		for _, action := range []string{"Compact", "Vacuum", "New user", "New project", "Edit", "Quota", "Remove"} {
			if b.has("button", action) {
				t.Errorf("%s: %s is offered", section, action)
			}
		}
	}
	var refused []json.RawMessage
	s.query(t, `SELECT route, code FROM rowback.audit WHERE status = 403 AND user_name LIKE 'reader%'`, &refused)
	if len(refused) > 0 {
		t.Errorf("the pages asked for what a reader may not have: %s", refused)
	}
}

func TestUsersTokensAndProjectsAreMadeAndEnded(t *testing.T) {
	s := closed(t)
	s.user(t, "reader", "*") // the server has had its first token
	b := visit(t, s, "/admin/projects")
	b.logIn(s.token)
	b.click("button", "New project")
	b.fill("Name", "sales <b>&")
	b.click("button", "Add the project")
	b.see("The project sales <b>& was added")
	b.goTo("/admin/users")
	b.click("button", "New user")
	b.fill("Name", "ben <i>")
	b.choose("Project of role 1", "sales <b>&")
	b.choose("Role 1", "writer")
	b.click("button", "Add the user")
	b.see("writer in sales <b>&")
	b.accessible()
	b.click("button", "New user")
	b.fill("Name", "ben <i>")
	b.click("button", "Add the user")
	b.see("exists") // the refusal, in the dialog
	b.press(kb.Escape)
	b.click("button", "Remove ben <i>")
	b.click("button", "Remove")
	b.see("The user ben <i> was removed")
	b.goTo("/admin/projects")
	b.see("0 B, 0 records")
	b.click("button", "Remove sales <b>&")
	b.click("button", "Remove")
	b.see("The project sales <b>& was removed")

	b.goTo("/admin/audit")
	b.see("the newest first")
	b.accessible()
	b.fill("User", "nobody at all")
	b.click("button", "Find")
	b.see("No entries")
	b.at("user=nobody")
	b.back()
	b.see("deleteProject")
	b.click("button", "Check the log")
	b.see("none missing or changed")
}

func TestWebhooksAreMadeAndRefused(t *testing.T) {
	s := demo(t)
	b := visit(t, s, "/admin/webhooks")
	b.click("button", "New webhook")
	b.fill("Address", "http://127.0.0.1:1/hook")
	b.click("button", "Make the webhook")
	b.see("https")
	b.fill("Address", "https://hooks.example.com/rowback")
	b.click("checkbox", "commit.created")
	b.accessible()
	b.click("button", "Make the webhook")
	b.see("it is not shown again")
	b.click("button", "Close")
	b.see("hooks.example.com")
	b.click("button", "Deliveries")
	b.see("Nothing was sent yet")
	b.escape()
	b.click("button", "Edit")
	b.fill("Description", "for the <b>wiki</b>")
	b.click("checkbox", "merge.created")
	b.click("button", "Save")
	b.see("The webhook was changed")
	b.see("commit.created, merge.created")
	b.see("for the <b>wiki</b>")
	b.click("button", "Disable")
	b.see("disabled")
	b.click("button", "Remove")
	b.click("button", "Remove")
	b.see("No webhooks")
	b.goTo("/admin/backups")
	b.see("--backup-to")
	b.accessible()
	for _, section := range []string{"rules", "upkeep"} {
		b.goTo(fmt.Sprintf("/admin/%s", section))
		b.see("employees")
		b.accessible()
		b.size(360, 740)
		b.narrowEnough()
		b.size(1280, 900)
	}
}

// A line that is missing in the audit log is reported, and acknowledged with a note: then the log is passed again.
func TestALossOfTheAuditLogIsAcknowledgedOnItsPage(t *testing.T) {
	data := t.TempDir()
	s := starting(t, func() (*server, error) { return startWith("--data", data) })
	for range 3 {
		s.create(t, "", "")
	}
	s.stop()
	files, err := filepath.Glob(filepath.Join(data, "audit", "*.ndjson"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	if err := os.WriteFile(files[0], []byte(strings.Join(append(lines[:2:2], lines[3:]...), "")), 0o600); err != nil {
		t.Fatal(err)
	}
	s = starting(t, func() (*server, error) { return startWith("--data", data) })
	b := visit(t, s, "/admin/audit")
	b.click("button", "Check the log")
	b.see("1 problem in the log")
	b.accessible()
	b.click("button", "Acknowledge…")
	b.fill("What happened", "a <b>broken</b> disk")
	b.accessible()
	b.click("button", "Acknowledge")
	b.see("none missing or changed besides what was acknowledged")
	b.see("1 problem acknowledged by anonymous")
	b.see("a <b>broken</b> disk")
	b.gone("in the log:")
	s.stop()
}

// A token that has expired lets nobody in any more, and the login says so.
func TestAnExpiredTokenIsRefused(t *testing.T) {
	s := closed(t)
	s.user(t, "reader", "*") // the server has had its first token
	ends := time.Now().Add(time.Second)
	var made struct{ Token string }
	s.ask(t, "POST", "/api/v1/tokens", "application/json",
		fmt.Sprintf(`{"user":"first","expires_at":%q}`, ends.UTC().Format(time.RFC3339Nano)), &made)
	b := visit(t, s, "/login")
	time.Sleep(time.Until(ends))
	b.see("Log in")
	b.fill("Token", made.Token)
	b.press(kb.Enter)
	b.see("The token is not valid")
	b.at("/login")
}
