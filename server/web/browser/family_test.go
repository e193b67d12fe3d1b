package browser

import (
	"fmt"
	"testing"
)

// A history shows the whole family: a fork of a fork has a lane, from which a merge leads to the one that it went into.
func TestAHistoryShowsForksOfForks(t *testing.T) {
	s := demo(t)
	root := s.create(t, `"key":["id"]`, `[{"id":1}]`)
	child := s.fork(t, root, fmt.Sprint("child of ", root))
	s.commit(t, child, "append", `[{"id":2}]`)
	grandchild := s.fork(t, child, fmt.Sprint("grandchild of ", root))
	s.commit(t, grandchild, "append", `[{"id":3}]`)
	s.ask(t, "POST", "/api/v1/datasets/"+child+"/merges", "application/json", fmt.Sprintf(`{"source":%q}`, grandchild), nil)
	// Seen from the grandchild, what its upstreams had before they were forked is its own history.
	for of, want := range map[string][2]int{root: {3, 3}, grandchild: {2, 2}} {
		b := visit(t, s, "/datasets/"+of+"/history")
		b.see("Merge of grandchild of " + root)
		b.see("child of " + root)
		var lanes, curves int
		b.eval("new Set([...document.querySelectorAll('ol circle:not(.dot)')].map((c) => c.getAttribute('cx'))).size", &lanes)
		b.eval("document.querySelectorAll('ol svg path').length", &curves)
		if lanes != want[0] || curves != want[1] {
			t.Errorf("the history of %s has %d lanes and %d curves, want %v", of, lanes, curves, want)
		}
		b.click("checkbox", "Forks and upstream")
		b.at("forks=no")
		b.until("the lanes stay", func() bool {
			b.eval("new Set([...document.querySelectorAll('ol circle:not(.dot)')].map((c) => c.getAttribute('cx'))).size", &lanes)
			return lanes == 1
		})
	}
}

// Commits are filtered by the server.
func TestAPersonFiltersCommits(t *testing.T) {
	s := demo(t)
	id := s.create(t, `"key":["id"]`, `[{"id":1}]`)
	s.ask(t, "POST", "/api/v1/datasets/"+id+"/commits?mode=upsert&message=Second+try", "application/json", `[{"id":1,"a":2}]`, nil)
	b := visit(t, s, "/datasets/"+id+"/history")
	b.see("2 commits")
	b.fill("Message", "second")
	b.at("text=second")
	b.see("1 commit")
	b.choose("Mode", "delete")
	b.see("No commit matches")
	b.click("button", "Clear filters")
	b.see("2 commits")
}
