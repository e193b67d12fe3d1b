package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// endSession ends the session of a tab, as an admin does.
func (b *tab) endSession() {
	b.t.Helper()
	var list struct {
		Sessions []struct {
			ID        string
			IsCurrent bool `json:"is_current"`
		}
	}
	b.eval("fetch('/api/v1/sessions').then((answer) => answer.json())", &list)
	for _, one := range list.Sessions {
		if one.IsCurrent {
			b.server.ask(b.t, "DELETE", "/api/v1/sessions/"+one.ID, "", "", nil)
		}
	}
}

// logInAgain logs in above the page, and waits until the dialog is gone.
func (b *tab) logInAgain(token string) {
	b.t.Helper()
	b.see("Your session has ended")
	b.fill("Token", token)
	b.press(kb.Enter)
	b.gone("Your session has ended")
}

// A session that ends while a form is filled in is renewed above the page: nothing that was entered is lost.
func TestASessionThatEndsIsRenewedAboveThePage(t *testing.T) {
	s := closed(t)
	id := s.create(t, `"key":["id"]`, `[{"id":1,"city":"Oslo"}]`)
	token := s.user(t, "maintainer", "*")
	b := visit(t, s, "/datasets/"+id+"/settings")
	b.logIn(token)
	b.fill("Description", "Where people live")
	b.endSession()
	b.click("button", "Save")
	b.see("Log in again to go on")
	b.accessible()
	b.fill("Token", "wrong")
	b.press(kb.Enter)
	b.see("The token is not valid")
	b.escape()
	b.see("Your session has ended")
	b.click("button", "Log in again")
	b.logInAgain(token)
	b.at("/datasets/" + id + "/settings")
	b.click("button", "Save")
	b.until("the description is lost", func() bool {
		var made struct{ Description string }
		s.ask(t, "GET", "/api/v1/datasets/"+id, "", "", &made)
		return made.Description == "Where people live"
	})
}

// Whatever a page asks for when its session has ended, it offers to log in again, and then goes on with it.
func TestEveryPageOffersToLogInAgain(t *testing.T) {
	s := closed(t)
	id := s.create(t, `"key":["id"],"quality_column":"score"`, `[{"id":1,"city":"Oslo","score":1}]`)
	last := s.commit(t, id, "upsert", `[{"id":1,"city":"Rome","score":2}]`)
	token := s.user(t, "maintainer", "*")
	b := visit(t, s, "/datasets/"+id)
	b.logIn(token)
	for _, step := range []struct{ page, kind, name, then string }{
		{"/datasets/" + id, "button", "city", "Rome"},
		{"/datasets/" + id, "link", "History", "upsert"},
		{"/datasets/" + id, "link", "Compare", "Changed records"},
		{"/datasets/" + id, "link", "Trend", "What changed"},
		{"/datasets/" + id, "link", "Proposals", "No open proposals"},
		{"/datasets/" + id, "link", "Settings", "Delete the dataset"},
		{fmt.Sprintf("/datasets/%s/commits/%d", id, last), "link", "Roll back…", "What would happen"},
		{"/", "link", "employees", "Nagpur"},
		{"/", "link", "Administration", "Overview"},
		{"/admin", "link", "Upkeep", "Compacting would"},
		{"/admin", "link", "Tokens", "Your sessions"},
	} {
		b.goTo(step.page)
		b.settled()
		b.endSession()
		b.click(step.kind, step.name)
		b.logInAgain(token)
		b.see(step.then)
	}
	b.goTo(sqlPage("SELECT 41 + 1 AS n", ""))
	b.see("42")
	b.endSession()
	b.write("SELECT 57 + 1 AS n")
	b.logInAgain(token)
	b.see("58")
}
