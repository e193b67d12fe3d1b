package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// MergeProposal merges the source of an open proposal into its target, and with the same transaction the proposal is
// merged. Of several requests to do so, one does it and the others are refused with ErrProposalMerged.
func (s *Store) MergeProposal(
	ctx context.Context, target string, number int64, m Merge, r Request,
) (out Merged, err error) {
	unlock, err := s.lockProposal(ctx, target, number)
	if err != nil {
		return out, err
	}
	defer unlock()
	p, err := s.FindProposal(ctx, target, number)
	if err == nil {
		err = p.checkOpen()
	}
	if err == nil {
		err = p.checkSource()
	}
	if err != nil {
		return out, err
	}
	m.Source, m.Autorollback, m.proposal = p.SourceID, true, number
	r.Message = cmp.Or(r.Message, fmt.Sprintf("Merge proposal %d: %s", number, p.Title))
	out, err = s.Merge(ctx, target, m, r)
	if err == nil && out.Commit.ID == 0 && r.Preview == nil {
		return out, errNothingProposed.Sayf("Everything that proposal %d would merge is in dataset '%s' already. Close it.",
			number, p.Target.Name)
	}
	return out, err
}

// errNothingProposed refuses to merge a source that has nothing which the target lacks.
var errNothingProposed = fault.New(fault.Conflict, "nothing_to_merge")

// setProposed notes in the merge which proposal it merges.
func (w *work) setProposed(number int64) {
	if w.proposal = number; number != 0 {
		w.setParam("proposal", number)
	}
}

// mergedProposal records that a commit merged a proposal; 0: it did not.
func mergedProposal(tx catalog.Tx, c catalog.Commit, number int64) error {
	if number == 0 {
		return nil
	}
	return tx.MergedProposal(c.DatasetID, number, c.ID, c.CreatedAt)
}

// Verdict is what came of the checks of a proposal.
type Verdict string

// The verdicts.
const (
	Mergeable     Verdict = "mergeable"
	HasConflicts  Verdict = "conflicts"
	IsRefused     Verdict = "refused" // by a gate, a required column, a quota, or since the source is deleted
	HasNothing    Verdict = "nothing" // the target has all of it
	IsMergedOne   Verdict = "merged"
	IsClosedOne   Verdict = "closed"
	IsUnavailable Verdict = "unavailable" // it could not be found out now
)

// ProposalChecks is whether a proposal would merge.
type ProposalChecks struct {
	Verdict                Verdict
	Merged                 Merged       // what the merge would do; of IsRefused, nothing
	Refusal                *fault.Error // why it is refused; nil: it is not
	SourceHead, TargetHead int64        // that were checked; 0: there is no source any more
	CheckedAt              time.Time
}

// CheckProposal finds out whether a proposal would merge, by a dry run of it. Readers may ask.
func (s *Store) CheckProposal(ctx context.Context, target string, number int64) (c ProposalChecks, err error) {
	p, err := s.FindProposal(ctx, target, number)
	if err != nil {
		return c, err
	}
	c.CheckedAt, c.TargetHead = s.now(), p.Target.Head
	if p.Source != nil {
		c.SourceHead = p.Source.Head
	}
	switch p.State {
	case catalog.ProposalMerged:
		c.Verdict = IsMergedOne
		return c, nil
	case catalog.ProposalClosed:
		c.Verdict = IsClosedOne
		return c, nil
	}
	if err := p.checkSource(); err != nil {
		return c, c.conclude(err)
	}
	// Asking must not need the role that merging does. What may be known of the source was decided above.
	ctx = WithPermit(ctx, nil)
	merge := Merge{Source: p.SourceID, Autorollback: true, DryRun: true}
	c.Merged, err = s.Merge(ctx, target, merge, Request{Preview: &Preview{}})
	return c, c.conclude(err)
}

// conclude turns the end of the dry run into a verdict. An error that says nothing about the proposal is one.
func (c *ProposalChecks) conclude(err error) error {
	var refusal *fault.Error
	switch {
	case errors.As(err, &refusal) && refusal.Kind != fault.Internal:
		c.Verdict, c.Refusal = IsRefused, refusal
		if refusal.Kind == fault.Unavailable {
			c.Verdict = IsUnavailable
		}
		return nil
	case err != nil:
		return err
	}
	c.SourceHead, c.TargetHead = c.Merged.SourceHead, c.Merged.TargetHead
	switch {
	case len(c.Merged.Conflicts) > 0:
		c.Verdict = HasConflicts
	case len(c.Merged.Played) == 0:
		c.Verdict = HasNothing
	default:
		c.Verdict = Mergeable
	}
	return nil
}

// Detail is the verdict in a sentence.
func (c ProposalChecks) Detail() string {
	switch c.Verdict {
	case Mergeable:
		if n := len(c.Merged.Played); n > 1 {
			return fmt.Sprintf("It merges without conflicts, and plays %d actions.", n)
		}
		return "It merges without conflicts, and plays 1 action."
	case HasConflicts:
		return fmt.Sprintf("Actions in conflict with what changed in the target since: %d. The first is commit %d: %s",
			len(c.Merged.Conflicts), c.Merged.Conflicts[0].Action.ID, c.Merged.Conflicts[0].Detail)
	case HasNothing:
		return "The target has everything that this would merge. Close it."
	case IsMergedOne:
		return "It is merged."
	case IsClosedOne:
		return "It is closed. Open it again to merge it."
	}
	return c.Refusal.Detail
}
