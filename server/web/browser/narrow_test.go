package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// Every page is accessible, wide and narrow, dark and light, and usable at 400 %, which leaves 320 pixels, with names
// that are written from right to left.
func TestEveryPageIsAccessible(t *testing.T) {
	s := demo(t)
	dataset := s.create(t, `"key":["المفتاح"],"category_column":"صنف"`,
		`[{"المفتاح":1,"صنف":"أ","quality_score":0.5},{"المفتاح":2,"صنف":"ב","quality_score":0.7}]`)
	s.ask(t, "PATCH", "/api/v1/datasets/"+dataset, "application/json", `{"name":"مجموعة البيانات"}`, nil)
	fork := s.fork(t, dataset, "נגזרת "+t.Name())
	last := s.commit(t, fork, "upsert", `[{"المفتاح":1,"صنف":"ג","quality_score":0.9}]`)
	s.ask(t, "POST", "/api/v1/datasets/"+dataset+"/proposals", "application/json",
		fmt.Sprintf(`{"source":%q,"title":"اقتراح"}`, fork), nil)
	s.ask(t, "POST", "/api/v1/datasets/"+fork+"/compare/comments?from=head~1", "application/json",
		`{"text":"تعليق","key":{"المفتاح":1}}`, nil)

	b := visit(t, s, "/")
	of := "/datasets/" + dataset
	for _, page := range []struct{ path, text string }{
		{"/", "employees"}, {"/datasets?deleted=1", "deleted"}, {"/new", "Drop"}, {"/sql", "Tables"},
		{"/login", "Log in"}, {"/no/such/page", "There is no page"}, {"/datasets/nothing", "Not found"},
		{sqlPage(`SELECT * FROM "`+dataset+`"`, "view=chart"), "points"},
		{of, "المفتاح"}, {of + "/history", "append"}, {fmt.Sprintf("/datasets/%s/commits/%d", fork, last), "upsert"},
		{fmt.Sprintf("/datasets/%s/commits/%d/rollback", fork, last), "Roll back"}, {of + "/restore", "Restore"},
		{of + "/merge?source=" + fork, "Merge into"}, {"/datasets/" + fork + "/compare?from=head~1", "تعليق"},
		{of + "/trend?by=commits", "Records"}, {of + "/proposals", "اقتراح"}, {of + "/proposals/1", "Discussion"},
		{of + "/proposals/1?view=changes", "What differs"}, {of + "/settings", "Name"}, {"/admin/overview", "Overview"},
		{"/admin/tokens", "Tokens"}, {"/admin/users", "Users"}, {"/admin/projects", "Projects"},
		{"/admin/webhooks", "Webhooks"}, {"/admin/rules", "employees"}, {"/admin/upkeep", "employees"},
		{"/admin/backups", "--backup-to"}, {"/admin/audit", "Audit"},
	} {
		b.size(1280, 900)
		b.goTo(page.path)
		b.see(page.text)
		b.settled()
		b.accessible()
		b.size(320, 640)
		b.accessible()
	}
	// A dialog gives the focus back to what opened it, by Escape as by its own button.
	b.goTo("/admin/webhooks")
	for _, end := range []func(){func() { b.press(kb.Escape) }, func() { b.click("button", "Close") }} {
		b.click("button", "New webhook")
		b.see("Make the webhook")
		b.accessible()
		end()
		b.gone("Make the webhook")
		var focused string
		b.eval("document.activeElement.textContent.trim()", &focused)
		if focused != "New webhook…" && focused != "New webhook" {
			t.Errorf("the focus is on %q", focused)
		}
	}
}
