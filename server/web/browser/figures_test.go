package browser

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
)

// watch notes when something that a selector finds is first there, and the tasks of more than 50 ms.
const watch = `(() => {
	const figures = (window.__figures = { First: 0, Long: 0, Longest: 0 })
	new PerformanceObserver((l) => { for (const e of l.getEntries()) {
		figures.Long++
		figures.Longest = Math.max(figures.Longest, e.duration)
	} }).observe({ type: 'longtask', buffered: true })
	new MutationObserver((_, o) => {
		if (!document.querySelector(%q)) return
		requestAnimationFrame(() => { figures.First = performance.now() })
		o.disconnect()
	}).observe(document, { childList: true, subtree: true })
})()`

// figures are what a page took in a browser that had nothing of it yet: milliseconds, kilobytes as sent, megabytes.
type figures struct {
	First, Longest            float64
	Long, Requests, Asked     int
	Kilobytes, Megabytes, Run float64
}

// read reads the figures of a page that has settled.
const read = `(() => {
	const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
	return { ...window.__figures, Requests: all.length, Asked: all.filter((e) => e.name.includes('/api/')).length,
		Kilobytes: all.reduce((n, e) => n + e.transferSize, 0) / 1000 }
})()`

// measure follows an address in a browser without a cache, waits for what a selector finds, and reads the figures.
func (s *server) measure(t *testing.T, path, selector string) (f figures) {
	t.Helper()
	b := visit(t, s, "/healthz")
	defer chromedp.Do(b.ctx, chromedp.Navigate("about:blank"))
	source := fmt.Sprintf(watch, selector)
	err := chromedp.Do(b.ctx, chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		_, err := cdp.Call(ctx, to, page.AddScriptToEvaluateOnNewDocument,
			page.AddScriptToEvaluateOnNewDocumentParams{Source: source})
		if err == nil {
			_, err = cdp.Call(ctx, to, performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks})
		}
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	b.goTo(path)
	requests, same := 0, 0
	b.until(path+" does not settle", func() bool {
		time.Sleep(100 * time.Millisecond)
		b.eval(read, &f)
		if same++; f.Requests != requests || f.First == 0 {
			requests, same = f.Requests, 0
		}
		return same > 10
	})
	got, err := chromedp.Call(b.ctx, performance.GetMetrics, cdp.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range got.Metrics {
		switch m.Name {
		case "JSHeapUsedSize":
			f.Megabytes = m.Value / 1e6
		case "TaskDuration": // processor time: also on a busy machine about the same
			f.Run = m.Value * 1000
		}
	}
	return f
}

// What each page takes, and that a million records, of which each has changed, are as light as ten. No time is checked,
// as it depends on the machine. The figures are the median of some turns:
//
//	PAGE_FIGURES=3 go test -tags duckdb_arrow ./server/web/browser -run WhatPagesTake -v
func TestWhatPagesTake(t *testing.T) {
	times, err := strconv.Atoi(os.Getenv("PAGE_FIGURES"))
	if err != nil || times < 1 {
		t.Skip("PAGE_FIGURES is not set: it is how often each page is measured")
	}
	s := demo(t)
	ten, million := s.grown(t, 10), s.grown(t, 1_000_000)
	const grid = "main [role=region] tbody td"
	pages := []struct{ name, path, selector string }{
		{"datasets", "/", "main tbody tr"}, {"data", "/datasets/my_dataset", grid},
		{"history", "/datasets/my_dataset/history", "main ol li"}, {"commit", "/datasets/employees/commits/2", grid},
		{"compare", "/datasets/my_dataset/compare?from=1.0.0&to=1.0.1", grid},
		{"trend", "/datasets/my_dataset/trend", "main canvas"},
		{"rollback", "/datasets/employees/commits/2/rollback", "main table"},
		{"restore", "/datasets/my_dataset/restore?ref=1.0.0", "main .outcome"},
		{"settings", "/datasets/my_dataset/settings", "main input"},
		{"SQL", "/sql?sql=SELECT+1", "main [role=region] td"}, {"administration", "/admin", "main dl, main table"},
	}
	for _, of := range []struct{ name, id string }{{"10", ten}, {"1,000,000", million}} {
		at := "/datasets/" + of.id
		pages = append(pages, []struct{ name, path, selector string }{
			{"data of " + of.name, at, grid}, {"sorted", at + "?sort=-v", grid},
			{"filtered", at + "?where=v+%3E+3", grid}, {"statistics", at + "?stats=v", "dialog dd, dialog td"},
			{"all changed", at + "/compare?from=head~1&to=head", grid},
		}...)
	}
	lines := []string{"| page | requests | of the API | kB | first rows, ms | processor, ms | tasks over 50 ms | heap, MB |"}
	defer func() { t.Log("\n" + strings.Join(lines, "\n")) }()
	for _, p := range pages {
		turns := make([]figures, times)
		for i := range turns {
			turns[i] = s.measure(t, p.path, p.selector)
		}
		slices.SortFunc(turns, func(a, b figures) int { return int(a.First - b.First) })
		f := turns[times/2]
		lines = append(lines, fmt.Sprintf("| %s | %d | %d | %.0f | %.0f | %.0f | %d, %.0f ms | %.0f |", p.name, f.Requests,
			f.Asked, f.Kilobytes, f.First, f.Run, f.Long, f.Longest, f.Megabytes))
	}
}

// grown makes a dataset of n records, each of which was changed since.
func (s *server) grown(t *testing.T, n int) string {
	t.Helper()
	dataset := s.create(t, `"key":["id"]`, "")
	for turn := range 2 {
		var text strings.Builder
		text.WriteString("id,name,v,category\n")
		for i := range n {
			fmt.Fprintf(&text, "%d,name %d,%d,%c\n", i, i, i%1000+turn, 'a'+rune(i%7))
		}
		s.ask(t, "POST", "/api/v1/datasets/"+dataset+"/commits?mode=upsert", "text/csv", text.String(), nil)
	}
	return dataset
}
