package browser

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

// probe scrolls the list of commits by 400 pixels a frame for six seconds, and says how the frames came; without a
// list, how they come on a page that does nothing.
const probe = `(async () => {
	const list = document.querySelector('.list')
	let long = 0
	const watch = new PerformanceObserver((l) => { long += l.getEntries().length })
	watch.observe({ entryTypes: ['longtask'] })
	const gaps = []
	let top = list?.scrollTop ?? 0
	const end = performance.now() + 6000
	for (let last = performance.now(); last < end; ) {
		const now = await new Promise((r) => requestAnimationFrame(() => r(performance.now())))
		gaps.push(now - last)
		last = now
		if (list) list.scrollTop = top += 400
	}
	gaps.sort((a, b) => a - b)
	return { Frames: gaps.length, Median: gaps[gaps.length >> 1], Late: gaps[Math.floor(gaps.length * 0.95)], Long: long }
})()`

// smoothness is what a probe found: frames, milliseconds between them, and tasks of more than 50 ms.
type smoothness struct {
	Frames, Long int
	Median, Late float64
}

// A history of 100,000 commits is scrolled through to its end. What it took is printed, beside an empty page at the
// same time; no time is checked, as it depends on the machine. The store is made with the first command:
//
//	go run -tags duckdb_arrow ./fixtures/bench -keep DIR
//	LONG_STORE=DIR go test -tags duckdb_arrow ./server/web/browser -run ALongHistory -v
func TestALongHistoryIsScrolledThrough(t *testing.T) {
	dir := os.Getenv("LONG_STORE")
	if dir == "" {
		t.Skip("LONG_STORE is not set: it is the folder of a store of 100,000 commits")
	}
	s := starting(t, func() (*server, error) { return startWith("--data", dir) })
	var found struct {
		Datasets []struct {
			ID           string
			RecordsTotal int `json:"records_total"`
		}
	}
	s.ask(t, "GET", "/api/v1/datasets?sort=-records&limit=1", "", "", &found)
	b := visit(t, s, "/datasets/"+found.Datasets[0].ID+"/history")
	b.see("more as you scroll")
	var idle, scrolling smoothness
	b.eval(probe, &scrolling)
	b.run(chromedp.Navigate(s.url + "/manual/limits"))
	b.eval(probe, &idle)
	t.Logf("scrolling: %+v; a page that does nothing: %+v", scrolling, idle)
	b.goTo("/datasets/" + found.Datasets[0].ID + "/history")
	b.see("more as you scroll")
	var commits string
	b.eval(`(async () => {
		const said = () => document.querySelector('p[aria-live]').innerText
		while (said().includes('more as')) {
			document.querySelector('.list').scrollTop = 1e9
			await new Promise((r) => setTimeout(r, 20))
		}
		return said()
	})()`, &commits)
	var rows int
	b.eval("document.querySelectorAll('ol li').length", &rows)
	if rows > 100 {
		t.Errorf("%d rows are made for %s", rows, commits)
	}
	t.Logf("to the end: %s", commits)
}
