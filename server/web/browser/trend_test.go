package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func TestATrendShowsVersionsAndWhatChanged(t *testing.T) {
	s := demo(t)
	dataset := s.create(t, `"key":["id"]`, "")
	b := visit(t, s, "/datasets/"+dataset+"/trend")
	b.see("No commits yet")
	for i := range 3 {
		records := fmt.Sprintf(`[{"id":%d,"category":"a","quality_score":0.%d},{"id":%d,"category":"c%d","quality_score":0.5}]`,
			2*i, 3+i, 2*i+1, i)
		s.commit(t, dataset, "append", records)
		var about struct{ Name string }
		s.ask(t, "GET", "/api/v1/datasets/"+dataset, "", "", &about)
		s.ask(t, "POST", "/api/v1/datasets/versions/increment", "application/json",
			fmt.Sprintf(`{"project_id":1,"dataset_name":%q,"description":"wave %d"}`, about.Name, i), nil)
	}
	b.reload()
	b.see("version (3)")
	b.see("The dataset went from 4 to 6 records (+50 %).")
	b.see("New category: c2.")
	b.until("there are not three charts", func() bool {
		var n int
		b.eval(`document.querySelectorAll('.chart canvas').length`, &n)
		return n == 3
	})
	b.click("summary", "The numbers")
	b.see("wave 2")
	b.see("0.45") // the mean of the last state
	// What is under the pointer is told.
	var at spot
	b.eval(`(() => { const r = document.querySelector('.chart .u-over').getBoundingClientRect();
		return { X: r.left + r.width / 2, Y: r.top + r.height / 2 } })()`, &at)
	b.run(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at.X, at.Y))
	b.see("wave 1")
	// With the keyboard, arrows go from state to state.
	b.eval(`document.querySelector('[role=slider]').focus()`, nil)
	b.press(kb.Home)
	b.press(kb.ArrowRight)
	var said string
	b.eval(`document.querySelector('[role=slider]').ariaValueText`, &said)
	if said != "1.0.1: records 4" {
		t.Errorf("the second state is said as %q", said)
	}
	b.press(kb.ArrowRight)
	b.see("wave 2")
	b.choose("Drawn as", "areas")
	b.at("categories=areas")
	b.choose("One point for each", "commits")
	b.at("by=commits")
	b.see("commit (3)")
	b.choose("Across", "time")
	b.at("x=time")
	b.accessible()
	b.size(390, 844)
	b.narrowEnough()
}
