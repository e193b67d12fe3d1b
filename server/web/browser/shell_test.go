package browser

import (
	"strings"
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

// The tour of the samples leads a newcomer through what the product does, over a reload, and can be taken again.
func TestTheTour(t *testing.T) {
	s := alone(t) // it merges into a sample
	b := visit(t, s, "/")
	b.click("link", "A tour of the samples")
	b.see("Six pages of a sample dataset")
	b.accessible()
	b.click("button", "Start the tour")
	b.see("1 of 6: The history")
	b.see("Import 2018 address file")
	b.accessible()
	b.click("button", "Next")
	b.see("2 of 6: A difference")
	b.see("Fjord View")
	b.reload()
	b.see("2 of 6: A difference")
	b.click("button", "Next")
	b.see("3 of 6: A blocked rollback")
	b.see("Import 2018 address file")
	b.click("button", "Fork, and change a record")
	b.see("4 of 6: A fork")
	b.see("Ben moves to Lisbon")
	s.ask(t, "DELETE", "/api/v1/datasets/"+strings.Split(b.url(), "/")[2], "", "", nil) // it is made again
	b.click("button", "Next")
	b.see("5 of 6: A merge")
	b.click("button", "Merge")
	b.see("1 commit merged")
	b.click("button", "Next")
	b.see("6 of 6: SQL")
	b.see("Lisbon")
	b.accessible()
	b.click("button", "Finish the tour")
	b.see("Training data")
	b.click("link", "how they went")
	b.see("Quality is improving")

	b.goTo("/tour")
	b.click("button", "Start the tour")
	b.see("1 of 6")
	b.click("button", "Next")
	b.see("2 of 6")
	b.click("button", "Next")
	b.see("3 of 6")
	b.click("button", "Fork, and change a record")
	b.see("Ben moves to Porto") // where he is not yet
}

// Without the samples, the tour's page says which server has them.
func TestATourWithoutSamples(t *testing.T) {
	dir := t.TempDir()
	s := starting(t, func() (*server, error) { return startWith("--data", dir) })
	t.Cleanup(s.stop)
	visit(t, s, "/tour").see("The samples are not here")
}

func TestAReaderIsToldWhoTakesTheTour(t *testing.T) {
	s := closed(t)
	b := visit(t, s, "/tour")
	b.logIn(s.user(t, "reader", "1"))
	b.see("takes the role writer")
}
