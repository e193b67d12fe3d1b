package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// people makes a dataset of three commits, of which the second is an upsert of what the first wrote, and the third one of
// what the second wrote. It returns the dataset and the commits.
func people(t *testing.T, s *server) (dataset string, commits []int64) {
	t.Helper()
	dataset = s.create(t, `"key":["id"]`, "")
	for _, c := range [][2]string{
		{"append", `[{"id":1,"city":"Oslo"},{"id":2,"city":"Hull"},{"id":3,"city":"Nagpur"}]`},
		{"upsert", `[{"id":1,"city":"Bergen"},{"id":4,"city":"<b>Kyiv</b>"}]`},
		{"upsert", `[{"id":1,"city":"Tromsø"}]`},
	} {
		commits = append(commits, s.commit(t, dataset, c[0], c[1]))
	}
	return dataset, commits
}

// fork makes a fork of a dataset and returns its id.
func (s *server) fork(t *testing.T, dataset, name string) string {
	t.Helper()
	var made struct{ ID string }
	s.ask(t, "POST", "/api/v1/datasets/"+dataset+"/forks", "application/json", fmt.Sprintf(`{"name":%q}`, name), &made)
	return made.ID
}

func TestAPersonComparesTwoStates(t *testing.T) {
	s := demo(t)
	b := visit(t, s, "/datasets/my_dataset/compare?from=1.0.0&to=1.0.1")
	b.see("1,000 → 1,050")
	b.see("average 0.3 → 0.35 (+0.05)")
	b.see("From 1.0.0, average 0.3")
	b.see("cardiology new")
	b.see("model_version improved")
	b.see("1–75 of 75")
	b.accessible()
	b.click("button", "+ 50 added")
	b.at("change=removed%2Cmodified")
	b.see("1–25 of 25")
	b.choose("Modified in", "quality_score")
	b.at("column=quality_score")
	b.see("0.05")
	b.reload()
	b.see("1–25 of 25")
	b.click("button", "Swap the two sides")
	b.see("1,050 → 1,000")
	b.size(360, 800)
	b.see("Changed records")
	b.accessible()
	b.goTo("/datasets/my_dataset/compare?from=9.9.9&to=head")
	b.see("Version 9.9.9 not found")
}

// Markup in a record stays text, and what a record was and is stand beside each other.
func TestAPersonLooksAtACommit(t *testing.T) {
	s := demo(t)
	dataset, commits := people(t, s)
	b := visit(t, s, "/datasets/"+dataset+"/history")
	b.allow("data:image/svg+xml") // the browser's own icon of a field for a date
	b.see("3 commits")
	b.accessible()
	b.choose("Mode", "append")
	b.see("1 commit")
	b.at("mode=append")
	b.fill("Message", "no such message")
	b.see("No commit matches")
	b.click("button", "Clear filters")
	b.see("3 commits")
	b.goTo(fmt.Sprintf("/datasets/%s/commits/%d", dataset, commits[1]))
	b.see("rollback file")
	b.see("<b>Kyiv</b>")
	b.see("Oslo")
	b.see("Bergen")
	b.click("button", "city 1")
	b.see("1–1 of 1")
	b.accessible()
}

func TestAPersonUndoesABlockedCommitWithItsCascade(t *testing.T) {
	s := demo(t)
	dataset, commits := people(t, s)
	b := visit(t, s, fmt.Sprintf("/datasets/%s/commits/%d", dataset, commits[1]))
	b.click("link", "Roll back…")
	b.see(fmt.Sprintf("Commit %d is blocked by commit %d", commits[1], commits[2]))
	b.see("What blocks it, in the order in which to undo it")
	b.click("checkbox", "Undo this commit too")
	b.see("The dataset would have 3 records (4 now)")
	b.see("1 removed")
	b.accessible()
	b.click("button", "Roll back 2 commits")
	b.see(fmt.Sprintf("Commit %d and 1 commit after it were rolled back.", commits[1]))
	b.click("link", "Undo this…")
	b.see("not blocked")
	b.click("button", "Roll back commit")
	b.see("was rolled back.")
	b.click("link", "Compare before and after")
	b.see("3 → 4")
}

// Somebody without a mouse finds a dataset, looks at a commit in its history and undoes it with what blocks it, then
// takes that back.
func TestAWholeTaskByKeyboard(t *testing.T) {
	s := demo(t)
	dataset := s.create(t, `"key":["id"]`, "")
	var commits []int64
	for i, records := range []string{
		`[{"id":1,"city":"Oslo"},{"id":2}]`, `[{"id":1,"city":"Bergen"},{"id":3}]`, `[{"id":1,"city":"Tromsø"}]`,
	} {
		commits = append(commits, s.commit(t, dataset, fmt.Sprintf("upsert&message=Edition+%d", i+1), records))
	}
	var about struct{ Name string }
	s.ask(t, "GET", "/api/v1/datasets/"+dataset, "", "", &about)
	b := visit(t, s, "/")
	b.tabTo("link", about.Name)
	b.press(kb.Enter)
	b.tabTo("link", "History")
	b.press(kb.Enter)
	b.see("3 commits")
	b.tabTo("link", "Edition 2")
	b.press(kb.Enter)
	b.tabTo("link", "Roll back…")
	b.press(kb.Enter)
	b.see(fmt.Sprintf("Commit %d is blocked by commit %d", commits[1], commits[2]))
	b.tabTo("checkbox", "Undo this commit too")
	b.press(" ")
	b.see("The dataset would have 2 records (3 now)")
	b.tabTo("button", "Roll back 2 commits")
	b.press(kb.Enter)
	b.see(fmt.Sprintf("Commit %d and 1 commit after it were rolled back.", commits[1]))
	b.tabTo("link", "Undo this…")
	b.press(kb.Enter)
	b.see("not blocked")
	b.tabTo("button", "Roll back commit")
	b.press(kb.Enter)
	b.see("was rolled back.")
}

func TestAPersonRestoresAnEarlierState(t *testing.T) {
	s := demo(t)
	dataset, commits := people(t, s)
	b := visit(t, s, fmt.Sprintf("/datasets/%s/restore?ref=%d", dataset, commits[0]))
	b.see("2 commits since commit")
	b.see("The dataset would have 3 records (4 now)")
	b.accessible()
	// Someone commits in between: nothing is done that was not seen.
	s.commit(t, dataset, "append", `[{"id":9,"city":"Rome"}]`)
	b.click("button", "Restore")
	b.see("Someone committed in between")
	b.click("button", "Look again")
	b.see("3 commits since commit")
	b.click("button", "Restore")
	b.see("The dataset is as it was at")
	b.click("link", "Undo this…")
	b.see("not blocked")
	b.click("button", "Roll back commit")
	b.see("was rolled back.")
	b.click("link", "Compare before and after")
	b.see("3 → 5")
}

func TestAPersonMergesWithAConflict(t *testing.T) {
	s := demo(t)
	dataset, _ := people(t, s)
	fork := s.fork(t, dataset, "survey of "+dataset)
	s.commit(t, fork, "upsert", `[{"id":2,"city":"York"},{"id":3,"city":"Pune"}]`)
	s.commit(t, fork, "append", `[{"id":5,"city":"Lima"}]`)
	s.commit(t, dataset, "upsert", `[{"id":2,"city":"Leeds"},{"id":3,"city":"Surat"}]`)
	b := visit(t, s, "/datasets/"+dataset+"/merge?source="+fork)
	b.allow("data:image/svg+xml") // the browser's own icon of a field for a date
	b.see("1 commit in conflict")
	b.see("2 records that it changed were changed here too")
	b.see("Decide 1 conflict first.")
	if b.sees("Dataset.upsert") {
		t.Error("an action is called by its name in the API")
	}
	b.accessible()
	// On a phone, the choice is in sight beside the record's key.
	b.size(390, 844)
	b.narrowEnough()
	var right float64
	b.eval(`document.querySelector('td input[type=radio][aria-label^=Theirs]').parentElement.getBoundingClientRect().right`, &right)
	if right > 390 {
		t.Errorf("the choice ends at %v", right)
	}
	b.size(1280, 900)
	b.click("radio", "Theirs for record 2")
	b.see("Decide 1 conflict first.")
	b.click("radio", "Ours for record 3")
	b.see("2 commits would be applied")
	b.gone("Decide 1 conflict first.")
	b.click("button", "Merge")
	b.see("2 commits merged.")
	var data []struct {
		ID   int64
		City string
	}
	s.ask(t, "GET", "/api/v1/datasets/"+dataset+"/data?where=id+in+(2,3,5)&order_by=id", "", "", &data)
	if len(data) != 3 || data[0].City != "York" || data[1].City != "Surat" || data[2].City != "Lima" {
		t.Errorf("merged: %v", data)
	}
	b.click("link", "History")
	b.see("Merge of survey of")
	b.goTo("/datasets/" + dataset + "/merge?source=" + fork)
	b.see("Nothing to merge")
}

// A reader sees what happened, and is not offered what they may not do.
func TestAReaderIsOfferedNoUndo(t *testing.T) {
	s := closed(t)
	b := visit(t, s, "/datasets/employees/commits/4")
	b.logIn(s.user(t, "reader", "*"))
	b.see("Import 2018 address file")
	b.see("What it changed")
	if b.has("link", "Roll back…") || b.has("link", "Restore…") {
		t.Error("a reader is offered to roll back")
	}
	b.goTo("/datasets/employees/commits/4/rollback")
	b.see("Rolling back needs the role writer.")
	b.goTo("/datasets/employees/restore?ref=1")
	b.see("Restoring needs the role maintainer.")
}

// Reverting to a savepoint takes the later ones off the list, and the records come back when it is undone.
func TestAPersonRevertsToASavepoint(t *testing.T) {
	s := demo(t)
	dataset, _ := people(t, s)
	var made struct{ Version string }
	s.ask(t, "POST", "/api/v1/datasets/"+dataset+"/savepoints", "application/json", `{"description":"before the audit"}`, &made)
	s.commit(t, dataset, "append", `[{"id":9,"city":"Rome"}]`)
	b := visit(t, s, "/datasets/"+dataset+"/restore?ref="+made.Version)
	b.see("1 commit since commit")
	b.click("checkbox", "Revert to the savepoint")
	b.see("Revert to " + made.Version)
	b.accessible()
	b.click("button", "Revert to")
	b.see("The dataset is as it was at")
	b.click("link", "Undo this…")
	b.click("button", "Roll back commit")
	b.see("was rolled back.")
	b.click("link", "Compare before and after")
	b.see("4 → 5")
}
