package browser

import (
	"encoding/json"
	"fmt"
	"testing"
)

// apart makes a dataset and a fork of it, which both changed one value to different ends, and returns their ids.
func (s *server) apart(t *testing.T) (dataset, fork string) {
	t.Helper()
	dataset = s.create(t, `"key":["id"]`, `[{"id":1,"city":"Rome"},{"id":2,"city":"Oslo"}]`)
	var made struct{ ID string }
	s.ask(t, "POST", "/api/v1/datasets/"+dataset+"/forks", "application/json", `{}`, &made)
	s.commit(t, made.ID, "upsert", `[{"id":1,"city":"Milan"}]`)
	s.commit(t, dataset, "upsert", `[{"id":1,"city":"Naples"}]`)
	return dataset, made.ID
}

// A writer proposes a fork, a maintainer discusses and approves it, decides its conflict and merges it. Who comes
// second is told so.
func TestAProposalIsOpenedDiscussedApprovedAndMerged(t *testing.T) {
	s := closed(t)
	dataset, fork := s.apart(t)
	writer, maintainer := s.user(t, "writer", "*"), s.user(t, "maintainer", "*")

	author := visit(t, s, "/datasets/"+dataset+"/proposals")
	author.logIn(writer)
	author.see("No open proposals")
	author.click("button", "New proposal")
	author.fill("Title", "Milan <b>now</b>")
	author.fill("Description", "She moved.")
	author.click("button", "Open the proposal")
	author.at("/proposals/1")
	author.see("Milan <b>now</b>")
	author.see("Has conflicts")
	if author.has("button", "Approve") {
		t.Error("the author, who is no maintainer, is offered to approve")
	}
	author.fill("Your comment", "Is it Milan?")
	author.click("checkbox", "about one record")
	author.fill("id", "1")
	author.click("button", "Comment")
	author.see("commented on record")
	author.click("summary", "Show the record")
	author.see("Naples")
	author.accessible()

	judge := visit(t, s, "/datasets/"+dataset+"/proposals/1")
	judge.logIn(maintainer)
	judge.see("Is it Milan?")
	judge.fill("Your comment", "It is.")
	judge.click("button", "Approve")
	judge.see("approved")
	judge.click("tab", "Changes")
	judge.see("What differs between the two datasets")
	judge.see("Milan")
	judge.click("tab", "Discussion")
	judge.see("Has conflicts")
	judge.size(390, 844)
	judge.narrowEnough()
	judge.size(1280, 900)
	judge.click("button", "Take theirs")
	judge.click("button", "Merge")
	judge.see("The proposal is merged.")
	judge.see("Merged as commit")

	author.click("button", "Take theirs")
	author.click("button", "Merge")
	author.see("Merged as commit")

	var rows []struct{ City string }
	s.ask(t, "GET", "/api/v1/datasets/"+dataset+"/data?format=json&order_by=id", "", "", &rows)
	var merges struct{ Merges []json.RawMessage }
	s.ask(t, "GET", "/api/v1/datasets/"+dataset+"/merges", "", "", &merges)
	if rows[0].City != "Milan" || len(merges.Merges) != 1 {
		t.Errorf("%+v, %d merges", rows, len(merges.Merges))
	}
	author.goTo("/datasets/" + fork + "/proposals?state=merged")
	author.see("this dataset into")
	author.accessible()
}

// A proposal whose source is deleted says so, and is closed.
func TestAProposalOfADeletedForkIsClosed(t *testing.T) {
	s := demo(t)
	dataset, fork := s.apart(t)
	s.ask(t, "POST", "/api/v1/datasets/"+dataset+"/proposals", "application/json",
		fmt.Sprintf(`{"source":%q,"title":"Gone"}`, fork), nil)
	s.ask(t, "DELETE", "/api/v1/datasets/"+fork, "", "", nil)
	b := visit(t, s, "/datasets/"+dataset+"/proposals")
	b.see("source deleted")
	b.click("link", "Gone")
	b.see("Can’t be merged")
	b.see("was deleted")
	b.click("button", "Close")
	b.see("Open again")
	b.click("button", "Edit")
	b.fill("Title", "Gone for good")
	b.click("button", "Save")
	b.see("Gone for good")
}

// People comment on a comparison and on records in it, whichever state comes first. A reader reads that.
func TestAComparisonIsCommentedOn(t *testing.T) {
	s := closed(t)
	dataset := s.create(t, `"key":["id"]`, `[{"id":1,"city":"Rome"}]`)
	last := s.commit(t, dataset, "upsert", `[{"id":1,"city":"Milan"}]`)
	writer, reader := s.user(t, "writer", "*"), s.user(t, "reader", "*")

	b := visit(t, s, "/datasets/"+dataset+"/compare?from=head~1&to=head")
	b.logIn(writer)
	b.see("No one has commented on these two states.")
	b.fill("Your comment", "Is <i>Milan</i> right?")
	b.click("checkbox", "about one record")
	b.fill("id", "1")
	b.click("button", "Comment")
	b.see("commented on record")
	b.see("Is <i>Milan</i> right?")
	b.click("summary", "Show the record")
	b.until("the record is not shown on both sides", func() bool { return b.sees("Rome") && b.sees("Milan") })
	b.accessible()
	// What one wrote can be changed and deleted; others but a maintainer are not offered that.
	b.click("button", "Edit")
	b.fill("Change the comment", "Is <i>Milano</i> right?")
	b.click("button", "Save")
	b.see("Is <i>Milano</i> right?")
	b.see("changed")
	b.fill("Your comment", "Never mind.")
	b.click("button", "Comment")
	b.see("Never mind.")
	m := visit(t, s, "/datasets/"+dataset+"/compare?from=head~1&to=head")
	m.logIn(s.user(t, "maintainer", "*"))
	m.see("Never mind.")
	if m.has("button", "Edit") {
		t.Error("a comment of someone else is offered to be changed")
	}
	m.fill("Your comment", "Mine")
	m.click("button", "Comment")
	m.see("Mine")
	b.click("button", "Delete…")
	b.see("Keep it")
	b.accessible()
	b.click("button", "Delete the comment")
	b.see("deleted a comment")
	b.gone("Milano")

	r := visit(t, s, "/datasets/"+dataset+"/compare?from=head&to=head~1")
	r.logIn(reader)
	r.see("Never mind.")
	r.see("deleted a comment")
	if r.has("button", "Comment") || r.has("button", "Delete…") {
		t.Error("a reader is offered to comment")
	}
	r.goTo("/datasets/" + dataset + "/compare?from=head&to=head")
	r.see("No one has commented")
	r.click("summary", "1 other comparison")
	r.click("link", fmt.Sprintf("commit %d to commit %d", last-1, last))
	r.see("Never mind.")
	r.size(390, 844)
	r.narrowEnough()
}
