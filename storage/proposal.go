package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// A proposal asks that a dataset, most often a fork, be merged into another of its family. It belongs to the target,
// and is a label there (label.go). That it was merged is a part of the merge commit, which is where a start finds it.

// Refusals of what a proposal's state does not allow.
var (
	ErrProposalMerged = fault.New(fault.Conflict, "proposal_merged")
	ErrProposalClosed = fault.New(fault.Conflict, "proposal_closed")
)

// Bounds of what people write. A discussion is written again with each entry, so it is kept small.
const (
	mostTitle      = 200
	mostProse      = 20_000
	mostDiscussion = 1_000   // entries
	mostSaid       = 1 << 20 // bytes of texts and keys in them
	mostEntryKey   = 10_000  // bytes of JSON
)

// Proposed is a proposal with what it is about.
type Proposed struct {
	catalog.Proposal
	Target, Source *catalog.Dataset // nil: not to be known by the client of the request. Either may be deleted
	Merge          *catalog.Commit  // nil: it is not merged, or the merge is there no more
}

// Proposals lists up to limit proposals to a dataset whose numbers are below before, newest first; with a state, only
// those in it.
func (h *History) Proposals(
	ctx context.Context, dataset string, state catalog.ProposalState, before int64, limit int,
) (out []Proposed, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		if _, err := activeFor(ctx, tx, dataset); err != nil {
			return err
		}
		list, err := tx.Proposals(dataset, state, before, limit)
		if err != nil {
			return err
		}
		out, err = proposed(ctx, tx, list)
		return err
	})
	return out, err
}

// ProposalsFrom lists the proposals to merge a dataset into others that the client of a request knows of, newest first.
func (h *History) ProposalsFrom(ctx context.Context, source string) (out []Proposed, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		if _, err := activeFor(ctx, tx, source); err != nil {
			return err
		}
		list, err := tx.ProposalsFrom(source)
		if err != nil {
			return err
		}
		out, err = proposed(ctx, tx, list)
		out = slices.DeleteFunc(out, func(p Proposed) bool { return p.Target == nil })
		return err
	})
	return out, err
}

// FindProposal returns a proposal to a dataset.
func (h *History) FindProposal(ctx context.Context, dataset string, number int64) (p Proposed, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		p, err = proposalFor(ctx, tx, dataset, number)
		return err
	})
	return p, err
}

// proposalFor is FindProposal in a transaction.
func proposalFor(ctx context.Context, tx catalog.Tx, dataset string, number int64) (p Proposed, err error) {
	d, err := activeFor(ctx, tx, dataset)
	if err != nil {
		return p, err
	}
	one, err := tx.Proposal(dataset, number)
	if err != nil {
		return p, orNotFound(err, "proposal_not_found", "Proposal %d not found for dataset '%s'", number, d.Name)
	}
	return describeProposal(ctx, tx, one)
}

// proposed is describeProposal for a list.
func proposed(ctx context.Context, tx catalog.Tx, list []catalog.Proposal) ([]Proposed, error) {
	out := make([]Proposed, len(list))
	for i, p := range list {
		var err error
		if out[i], err = describeProposal(ctx, tx, p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// describeProposal adds what a proposal is about, as far as the client of the request may know of it.
func describeProposal(ctx context.Context, tx catalog.Tx, p catalog.Proposal) (out Proposed, err error) {
	out.Proposal = p
	known := func(id string) (*catalog.Dataset, error) {
		d, err := tx.Dataset(id)
		if err != nil || !sees(ctx, d) {
			return nil, ifFound(err)
		}
		return &d, nil
	}
	var errTarget, errSource, errMerge error
	out.Target, errTarget = known(p.DatasetID)
	out.Source, errSource = known(p.SourceID)
	if p.MergeCommitID != 0 {
		out.Merge, errMerge = mergeOf(ctx, tx, p)
	}
	return out, errors.Join(errTarget, errSource, errMerge)
}

// mergeOf returns the commit that merged a proposal, as far as the client of the request may know of it; nil: it is
// there no more.
func mergeOf(ctx context.Context, tx catalog.Tx, p catalog.Proposal) (*catalog.Commit, error) {
	c, err := tx.Commit(p.DatasetID, p.MergeCommitID)
	if err != nil {
		return nil, ifFound(err)
	}
	one := []catalog.Commit{c}
	err = hideOrigins(ctx, tx, one)
	return &one[0], err
}

// checkSource refuses what needs the source, where it is not there for the client of the request.
func (p *Proposed) checkSource() error {
	if p.Source == nil {
		return fault.Errorf(fault.NotFound, "dataset_not_found",
			"The dataset that proposal %d would merge was removed for good, or is not for you to see.", p.Number)
	}
	return nil
}

// NewProposal is what a proposal is made with.
type NewProposal struct {
	Source, Title, Description string // Source is an id
}

// OpenProposal asks that a dataset be merged into another. There is one open proposal from a source to a target, and it
// begins with something that the target lacks.
func (s *Store) OpenProposal(ctx context.Context, dataset string, n NewProposal, r Request) (out Proposed, err error) {
	if err := errors.Join(checkTitle(n.Title), checkText("description", n.Description)); err != nil {
		return out, err
	}
	return out, s.label(ctx, r, func(tx catalog.Tx, l *labels) error {
		target, err := activeFor(ctx, tx, dataset)
		if err == nil {
			err = r.expects(target)
		}
		if err != nil {
			return err
		}
		if err := checkProposable(ctx, tx, n.Source, target); err != nil {
			return err
		}
		now := s.now()
		p := catalog.Proposal{
			DatasetID: dataset, SourceID: n.Source, Title: n.Title, Description: n.Description,
			State: catalog.ProposalOpen, User: r.User, CreatedAt: now, UpdatedAt: now,
		}
		if p.Number, err = nextProposal(tx, dataset); err != nil {
			return err
		}
		if out, err = describeProposal(ctx, tx, p); err != nil {
			return err
		}
		a, err := answer(s.Requests, tx, r, out)
		if err != nil {
			return err
		}
		return l.putProposal(tx, p, a)
	})
}

// checkProposable refuses a source that can't be merged into the target, or that is proposed already.
func checkProposable(ctx context.Context, tx catalog.Tx, id string, target catalog.Dataset) error {
	source, err := activeFor(Reading(ctx), tx, id)
	if err != nil {
		return err
	}
	if err := checkMergeable(source, target); err != nil {
		return err
	}
	list, err := tx.ProposalsFrom(id)
	for _, p := range list {
		if p.DatasetID == target.ID && p.State == catalog.ProposalOpen {
			return fault.Errorf(fault.Exists, "proposal_exists", "Proposal %d asks already to merge '%s' into '%s'. "+
				"Take part in that one, or close it.", p.Number, source.Name, target.Name).With("proposal", p.Number)
		}
	}
	if err != nil {
		return err
	}
	return checkSomethingToMerge(tx, source, target)
}

// checkSomethingToMerge refuses a source without an action that a merge would play.
func checkSomethingToMerge(tx catalog.Tx, source, target catalog.Dataset) error {
	all, errAll := missing(tx, source.ID, target.ID)
	remembered, errRemembered := rememberedBy(tx, target.ID, source.ID)
	if err := errors.Join(errAll, errRemembered); err != nil {
		return err
	}
	var plan mergePlan
	if err := plan.choose(tx, all, Merge{}, remembered); err != nil || len(plan.actions) > 0 {
		return err
	}
	return errNothingProposed.Sayf("Dataset '%s' has everything that '%s' would merge into it. Commit to '%s' first.",
		target.Name, source.Name, source.Name)
}

// nextProposal is the number of a dataset's next proposal: after all that were given.
func nextProposal(tx catalog.Tx, dataset string) (int64, error) {
	newest, err := tx.Proposals(dataset, "", catalog.Forever, 1)
	if err != nil {
		return 0, err
	}
	last, err := tx.Last(proposalSequence(dataset))
	if len(newest) > 0 {
		last = max(last, newest[0].Number)
	}
	return last + 1, err
}

// ProposalEdit is a change of a proposal. Nil fields stay as they are.
type ProposalEdit struct {
	Title, Description *string
	State              *catalog.ProposalState // open or closed
}

// EditProposal changes what a proposal says, closes it or opens it again. What was merged stays as it was read then.
func (s *Store) EditProposal(
	ctx context.Context, dataset string, number int64, e ProposalEdit, r Request,
) (Proposed, error) {
	return changeProposal(ctx, s, dataset, number, r, func(tx catalog.Tx, p *Proposed) (Proposed, error) {
		if p.State == catalog.ProposalMerged {
			return *p, p.mergedAlready()
		}
		if e.Title != nil {
			p.Title = *e.Title
		}
		if e.Description != nil {
			p.Description = *e.Description
		}
		if err := errors.Join(checkTitle(p.Title), checkText("description", p.Description)); err != nil {
			return *p, err
		}
		if e.State == nil || *e.State == p.State {
			return *p, nil
		}
		return *p, s.setProposalState(ctx, tx, p, *e.State, r)
	})
}

// setProposalState closes a proposal, or opens it again.
func (s *Store) setProposalState(
	ctx context.Context, tx catalog.Tx, p *Proposed, state catalog.ProposalState, r Request,
) error {
	entry := catalog.DiscussionEntry{Kind: catalog.EntryClosed}
	switch {
	case state != catalog.ProposalOpen && state != catalog.ProposalClosed:
		return fault.Errorf(fault.Invalid, "invalid_field", "state: %q is neither open nor closed.",
			fault.Clip(string(state))).With("field", "state")
	case state == catalog.ProposalOpen:
		entry.Kind = catalog.EntryReopened
		if err := p.checkSource(); err != nil {
			return err
		}
		if err := checkProposable(ctx, tx, p.SourceID, *p.Target); err != nil {
			return err
		}
	}
	p.State = state
	_, err := p.add(entry, s.now(), r.User)
	return err
}

// mergedAlready refuses what a merged proposal does not take any more.
func (p *Proposed) mergedAlready() error {
	by := ""
	if p.Merge != nil && p.Merge.User != "" {
		by = " by " + p.Merge.User
	}
	return ErrProposalMerged.Sayf("Proposal %d was merged%s, as commit %d. Nothing was changed; look at what it changed.",
		p.Number, by, p.MergeCommitID).With("merge_commit_id", p.MergeCommitID)
}

// checkOpen refuses a proposal that is not open.
func (p *Proposed) checkOpen() error {
	switch p.State {
	case catalog.ProposalMerged:
		return p.mergedAlready()
	case catalog.ProposalClosed:
		return ErrProposalClosed.Sayf("Proposal %d is closed. Open it again first.", p.Number)
	}
	return nil
}

// changeProposal changes a proposal under its lock, and records what the request is answered with.
func changeProposal[T any](
	ctx context.Context, s *Store, dataset string, number int64, r Request,
	change func(tx catalog.Tx, p *Proposed) (T, error),
) (out T, err error) {
	unlock, err := s.lockProposal(ctx, dataset, number)
	if err != nil {
		return out, err
	}
	defer unlock()
	return out, s.label(ctx, r, func(tx catalog.Tx, l *labels) error {
		p, err := proposalFor(ctx, tx, dataset, number)
		if err == nil {
			err = r.expects(*p.Target)
		}
		if err != nil {
			return err
		}
		p.UpdatedAt = s.now()
		if out, err = change(tx, &p); err != nil {
			return err
		}
		a, err := answer(s.Requests, tx, r, out)
		if err != nil {
			return err
		}
		return l.putProposal(tx, p.Proposal, a)
	})
}

// lockProposal has one change of a proposal made at a time, its merge included. It is not the dataset's lock: people
// can talk while records are written.
func (s *Store) lockProposal(ctx context.Context, dataset string, number int64) (unlock func(), err error) {
	return s.catalog.Lock(ctx, fmt.Sprintf("proposal\x00%s\x00%d", dataset, number))
}

// checkTitle refuses a title that can't be shown on one line.
func checkTitle(title string) error {
	switch n := utf8.RuneCountInString(title); {
	case strings.TrimSpace(title) == "":
		return fault.Errorf(fault.Invalid, "invalid_field", "title: is empty. Say in a few words what the proposal changes.").
			With("field", "title")
	case n > mostTitle:
		return fault.Errorf(fault.Invalid, "invalid_field", "title: has %d characters, and may have %d. "+
			"Put the rest in the description.", n, mostTitle).With("field", "title")
	case strings.ContainsFunc(title, unicode.IsControl):
		return fault.Errorf(fault.Invalid, "invalid_field", "title: has a line break or another control character. "+
			"Leave it out.").With("field", "title")
	}
	return nil
}

// checkText refuses a text that is too long.
func checkText(field, text string) error {
	if n := utf8.RuneCountInString(text); n > mostProse {
		return fault.Errorf(fault.Invalid, "invalid_field", "%s: has %d characters, and may have %d. Shorten it.",
			field, n, mostProse).With("field", field)
	}
	return nil
}

// checkEntryKey refuses a key that records of the target do not have.
func checkEntryKey(tx catalog.Tx, target catalog.Dataset, key map[string]json.RawMessage) error {
	if key == nil {
		return nil
	}
	state, err := statesOf(tx, []catalog.Dataset{target})
	if err != nil {
		return err
	}
	text, err := json.Marshal(key)
	if err != nil {
		return err
	}
	columns := state[0].Schema.KeyColumns()
	for _, c := range columns {
		if _, ok := key[c.Name]; !ok {
			return badKey("The key of this dataset has the columns %s, and %q is missing. Send a value for each.",
				keyNames(columns), c.Name)
		}
	}
	if len(text) > mostEntryKey {
		return badKey("The key has %d bytes as JSON, and may have %d. Say in the text which record you mean.",
			len(text), mostEntryKey)
	}
	if len(key) > len(columns) {
		return badKey("The key of this dataset has the columns %s. Leave the others out.", keyNames(columns))
	}
	_, err = keyTexts(columns, string(text))
	return err
}
