package browser

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
)

func TestAPersonFindsTheWayAround(t *testing.T) {
	b := visit(t, demo(t), "/")
	b.click("link", "SQL")
	b.at("/sql")
	b.back()
	b.until("back leads elsewhere", func() bool { return b.url() == "/" })
	b.goTo("/no/such/page")
	b.see("There is no page at /no/such/page")
	b.accessible()
	b.click("link", "All datasets")
	b.see("employees")
	b.goTo("/datasets/employees/nothing")
	b.see("There is no page at /datasets/employees/nothing")
	b.click("link", "The dataset employees")
	b.see("records")
	b.goTo("/datasets/none")
	b.see("Dataset 'none' not found")
}

func TestAReaderLogsInAndOut(t *testing.T) {
	s := closed(t)
	b := visit(t, s, "/datasets/employees/history?x=1")
	b.at("/login")
	b.accessible()
	b.fill("Token", "wrong")
	b.press(kb.Enter)
	b.see("The token is not valid")
	b.logIn(s.user(t, "reader", "*"))
	b.at("/datasets/employees/history?x=1")
	b.see("employees")
	b.click("button", "Log out")
	b.at("/login")
	b.goTo("/")
	b.at("/login?then=%2F")
}
