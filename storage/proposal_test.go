package storage_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/storagetest"
)

// proposing is a dataset, a fork of it with a change, and a proposal to merge that.
type proposing struct {
	*bench
	d, f   string
	number int64
}

func newProposing(t *testing.T) proposing {
	t.Helper()
	b := open(t)
	d, f := b.Pair("id")
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	p, err := b.OpenProposal(t.Context(), d, storage.NewProposal{Source: f, Title: "Capital letters"}, by("ada"))
	if err != nil || p.Number != 1 || p.State != catalog.ProposalOpen {
		t.Fatalf("%+v %v", p, err)
	}
	return proposing{b, d, f, p.Number}
}

func by(user string) storage.Request { return storage.Request{User: user} }

func (p proposing) find() storage.Proposed {
	p.Helper()
	out, err := p.FindProposal(context.Background(), p.d, p.number)
	if err != nil {
		p.Fatal(err)
	}
	return out
}

func (p proposing) verdict() storage.Verdict {
	p.Helper()
	c, err := p.CheckProposal(context.Background(), p.d, p.number)
	if err != nil {
		p.Fatal(err)
	}
	return c.Verdict
}

func (p proposing) refused(err error, code string) {
	p.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != code {
		p.Errorf("got %v, want a refusal with %s", err, code)
	}
}

// A proposal is discussed, approved and merged. A start without the catalog finds the same.
func TestAProposalIsMergedOnceAndIsKept(t *testing.T) {
	p := newProposing(t)
	ctx := t.Context()
	key := map[string]json.RawMessage{"id": json.RawMessage("1")}
	if _, err := p.Comment(ctx, p.d, 1, storage.NewComment{Text: "Is this one right?", Key: key}, by("bob")); err != nil {
		t.Fatal(err)
	}
	approval, err := p.Approve(ctx, p.d, 1, storage.NewApproval{Text: "Yes."}, by("cyd"))
	if err != nil || approval.SourceHead == 0 {
		t.Fatalf("%+v %v", approval, err)
	}
	if v := p.verdict(); v != storage.Mergeable {
		t.Errorf("verdict %s", v)
	}
	done, err := p.MergeProposal(ctx, p.d, 1, storage.Merge{}, by("cyd"))
	if err != nil || len(done.Played) != 1 || !strings.Contains(string(done.Commit.Params), `"proposal":1`) {
		t.Fatalf("%+v %v", done, err)
	}
	_, err = p.MergeProposal(ctx, p.d, 1, storage.Merge{}, by("bob"))
	p.refused(err, "proposal_merged")
	title := "Something else"
	_, err = p.EditProposal(ctx, p.d, 1, storage.ProposalEdit{Title: &title}, by("bob"))
	p.refused(err, "proposal_merged")
	if _, err := p.Comment(ctx, p.d, 1, storage.NewComment{Text: "Thanks."}, by("ada")); err != nil {
		t.Error(err)
	}
	p.Sound()
	before, told := p.find(), p.ledger()
	p.Close()
	storagetest.WithCatalog(t, p.Dir, nil)
	p.bench = reopen(t, p.Dir, storage.Options{})
	after := p.find()
	if after.State != catalog.ProposalMerged || after.MergeCommitID != done.Commit.ID || len(after.Discussion) != 3 {
		t.Errorf("%+v", after.Proposal)
	}
	if p.ledger() != told {
		t.Errorf("the store is another one without its catalog: %+v, not %+v", after.Proposal, before.Proposal)
	}
}

// The label of a merged proposal says that it is open until it is written again: the merge says otherwise.
func TestAMergeIsFoundWithoutTheCatalog(t *testing.T) {
	p := newProposing(t)
	done, err := p.MergeProposal(t.Context(), p.d, 1, storage.Merge{}, by("ada"))
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	storagetest.WithCatalog(t, p.Dir, nil)
	p.bench = reopen(t, p.Dir, storage.Options{})
	if got := p.find(); got.State != catalog.ProposalMerged || got.MergeCommitID != done.Commit.ID || got.Merge == nil {
		t.Errorf("%+v", got.Proposal)
	}
	// The source has nothing left to merge. The next one has another number.
	again := storage.NewProposal{Source: p.f, Title: "Again"}
	_, err = p.OpenProposal(t.Context(), p.d, again, by("ada"))
	p.refused(err, "nothing_to_merge")
	p.JSON(p.f, catalog.Upsert, `[{"id":1,"x":"B"}]`)
	next, err := p.OpenProposal(t.Context(), p.d, again, by("ada"))
	if err != nil || next.Number != 2 {
		t.Errorf("%+v %v", next, err)
	}
	if _, err := p.Merge(t.Context(), p.d, storage.Merge{Source: p.f}, by("ada")); err != nil {
		t.Fatal(err)
	}
	_, err = p.MergeProposal(t.Context(), p.d, 2, storage.Merge{}, by("ada"))
	p.refused(err, "nothing_to_merge")
}

func TestOfManyWhoMergeAProposalOneDoes(t *testing.T) {
	p := newProposing(t)
	var wg sync.WaitGroup
	results := make([]error, 4)
	for i := range results {
		wg.Go(func() { _, results[i] = p.MergeProposal(context.Background(), p.d, 1, storage.Merge{}, by("ada")) })
	}
	wg.Wait()
	merged := 0
	for _, err := range results {
		if err == nil {
			merged++
			continue
		}
		p.refused(err, "proposal_merged")
	}
	merges, err := p.Merges(t.Context(), p.d, catalog.Forever, 10)
	if merged != 1 || len(merges) != 1 || err != nil {
		t.Errorf("%d requests merged it, in %d merges: %v", merged, len(merges), err)
	}
}

func TestChecksOfAProposal(t *testing.T) {
	p := newProposing(t)
	p.JSON(p.d, catalog.Upsert, `[{"id":1,"x":"other"}]`)
	c, err := p.CheckProposal(t.Context(), p.d, 1)
	if err != nil || c.Verdict != storage.HasConflicts || c.Merged.Conflicts[0].Count != 1 {
		t.Errorf("%+v %v", c, err)
	}
	_, err = p.MergeProposal(t.Context(), p.d, 1, storage.Merge{}, by("ada"))
	p.refused(err, "merge_conflict")
	if got := p.find(); got.State != catalog.ProposalOpen {
		t.Errorf("a refused merge left it %s", got.State)
	}
	_, err = p.MergeProposal(t.Context(), p.d, 1, storage.Merge{SourceHead: c.SourceHead + 1}, by("ada"))
	p.refused(err, "stale_source")
	if err := p.DeleteDataset(t.Context(), p.f, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	c, err = p.CheckProposal(t.Context(), p.d, 1)
	if err != nil || c.Verdict != storage.IsRefused || !strings.Contains(c.Refusal.Detail, "was deleted") {
		t.Errorf("%+v %v", c, err)
	}
	if got := p.find(); got.Source == nil || got.Source.DeletedAt.IsZero() {
		t.Errorf("%+v", got.Source)
	}
	if _, err := p.UndeleteDataset(t.Context(), p.f, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.MergeProposal(t.Context(), p.d, 1, storage.Merge{OnConflict: storage.Theirs}, by("ada")); err != nil {
		t.Error(err)
	}
}

func TestWhatProposalsRefuse(t *testing.T) {
	p := newProposing(t)
	ctx := t.Context()
	closed, reopened := catalog.ProposalClosed, catalog.ProposalOpen
	state := func(s *catalog.ProposalState) error {
		_, err := p.EditProposal(ctx, p.d, 1, storage.ProposalEdit{State: s}, by("ada"))
		return err
	}
	open := func(source, title string) error {
		_, err := p.OpenProposal(ctx, p.d, storage.NewProposal{Source: source, Title: title}, by("ada"))
		return err
	}
	p.refused(open(p.f, "Twice"), "proposal_exists")
	p.refused(open(p.d, "Itself"), "merge_into_itself")
	p.refused(open(p.Create("stranger"), "Strange"), "not_family")
	p.refused(open(p.f, " "), "invalid_field")
	p.refused(open(p.f, "two\nlines"), "invalid_field")
	for text, key := range map[string]map[string]json.RawMessage{
		"": nil, "no such column": {"nope": json.RawMessage("1")},
		"one more":  {"id": json.RawMessage("1"), "nope": json.RawMessage("1")},
		"very long": {"id": json.RawMessage(`"` + strings.Repeat("x", 20_000) + `"`)},
	} {
		if _, err := p.Comment(ctx, p.d, 1, storage.NewComment{Text: text, Key: key}, by("ada")); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	p.refused(p.WithdrawApproval(ctx, p.d, 1, by("ada")), "approval_not_found")
	if err := state(&closed); err != nil {
		t.Fatal(err)
	}
	_, err := p.Approve(ctx, p.d, 1, storage.NewApproval{}, by("bob"))
	p.refused(err, "proposal_closed")
	_, err = p.MergeProposal(ctx, p.d, 1, storage.Merge{}, by("bob"))
	p.refused(err, "proposal_closed")
	if err := open(p.f, "Instead"); err != nil {
		t.Error(err)
	}
	p.refused(state(&reopened), "proposal_exists")
	_, err = p.FindProposal(ctx, p.f, 1)
	p.refused(err, "proposal_not_found")
}

func TestAnApprovalIsWithdrawn(t *testing.T) {
	p := newProposing(t)
	for _, user := range []string{"bob", "cyd"} {
		if _, err := p.Approve(t.Context(), p.d, 1, storage.NewApproval{}, by(user)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.WithdrawApproval(t.Context(), p.d, 1, by("bob")); err != nil {
		t.Fatal(err)
	}
	if list := p.find().Approvals(); len(list) != 1 || list[0].User != "cyd" {
		t.Errorf("%+v", list)
	}
}

// A comment on a record that is erased loses the key, in the catalog and in the objects, and in no other comment.
func TestAnErasureTakesKeysOutOfComments(t *testing.T) {
	p := newProposing(t)
	ctx := t.Context()
	for _, id := range []string{"1", "2", "1e0", "0.1e+1", `"10e-1"`, `"0x1"`, "2e0", "1e1000000000"} {
		n := storage.NewComment{Text: "Look.", Key: map[string]json.RawMessage{"id": json.RawMessage(id)}}
		if _, err := p.Comment(ctx, p.d, 1, n, by("ada")); err != nil {
			t.Fatal(err)
		}
	}
	erasure := storage.Erasure{Keys: []json.RawMessage{json.RawMessage("1")}}
	if _, err := p.Removals.Erase(ctx, p.d, erasure, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got := p.find().Discussion
		for i, e := range got {
			if isOne := i != 1 && i < 6; e.IsErased != isOne || (e.Key == nil) != isOne { // however it is written
				t.Errorf("%+v", e)
			}
		}
		p.Sound()
		p.Close()
		storagetest.WithCatalog(t, p.Dir, nil)
		p.bench = reopen(t, p.Dir, storage.Options{})
	}
}

// Whoever is not to know of the source learns neither its id nor its name from the proposal, before the merge and
// after.
func TestAProposalDoesNotSayWhatIsHidden(t *testing.T) {
	p := newProposing(t)
	fork, err := p.Fork(t.Context(), p.d, storage.NewFork{Name: "secret", ProjectID: 2}, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	source := fork.Dataset.ID
	p.JSON(source, catalog.Upsert, `[{"id":2,"x":"B"}]`)
	opened, err := p.OpenProposal(t.Context(), p.d, storage.NewProposal{Source: source, Title: "t"}, by("ada"))
	if err != nil {
		t.Fatal(err)
	}
	client := storage.WithPermit(t.Context(), fixedPermit{sees: 1, uses: 1, later: 1})
	silent := func(of any, err error) {
		t.Helper()
		text, failed := json.Marshal(of)
		if s := string(text) + storage.Explain(err).Detail; failed != nil || strings.Contains(s, source) ||
			strings.Contains(s, "secret") {
			t.Errorf("%v: %s", failed, s)
		}
	}
	_, err = p.MergeProposal(client, p.d, opened.Number, storage.Merge{}, by("bob"))
	p.refused(err, "dataset_not_found")
	silent(nil, err)
	_, err = p.Approve(client, p.d, opened.Number, storage.NewApproval{}, by("bob"))
	p.refused(err, "dataset_not_found")
	silent(nil, err)
	checks, err := p.CheckProposal(client, p.d, opened.Number)
	if checks.Verdict != storage.IsRefused {
		t.Errorf("verdict %s", checks.Verdict)
	}
	silent(checks.Detail(), err)
	if _, err := p.MergeProposal(t.Context(), p.d, opened.Number, storage.Merge{}, by("ada")); err != nil {
		t.Fatal(err)
	}
	found, err := p.FindProposal(client, p.d, opened.Number)
	if err != nil || found.Merge == nil {
		t.Fatalf("%+v %v", found, err)
	}
	silent(string(found.Merge.Params)+found.Merge.Message, nil)
}

func TestADiscussionHasAnEnd(t *testing.T) {
	p := newProposing(t)
	for said := 0; ; said += 60_000 {
		_, err := p.Comment(t.Context(), p.d, 1, storage.NewComment{Text: strings.Repeat("€", 20_000)}, by("ada"))
		if err == nil && said < 2<<20 {
			continue
		}
		p.refused(err, "discussion_full")
		return
	}
}
