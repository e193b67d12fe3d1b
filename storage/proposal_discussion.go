package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// Comment adds a comment to a proposal, in any state.
func (s *Store) Comment(
	ctx context.Context, dataset string, number int64, n NewComment, r Request,
) (catalog.DiscussionEntry, error) {
	return changeProposal(ctx, s, dataset, number, r, func(
		tx catalog.Tx, p *Proposed,
	) (e catalog.DiscussionEntry, err error) {
		if e, err = n.entry(tx, *p.Target); err != nil {
			return e, err
		}
		return p.add(e, p.UpdatedAt, r.User)
	})
}

// CorrectComment changes what a comment on a proposal says; nil: it is deleted.
func (s *Store) CorrectComment(
	ctx context.Context, dataset string, number, id int64, text *string, r Request,
) (catalog.DiscussionEntry, error) {
	return changeProposal(ctx, s, dataset, number, r, func(
		_ catalog.Tx, p *Proposed,
	) (catalog.DiscussionEntry, error) {
		return corrected(p.Discussion, id, text, p.UpdatedAt)
	})
}

// NewApproval is someone's consent that a proposal be merged.
type NewApproval struct {
	Text       string
	SourceHead int64 // that was looked at; 0: the one that the source has now
}

// Approve records that someone approves of a proposal as it is now. Commits that the source gets later are not part of
// what was approved, and the approval says so.
func (s *Store) Approve(
	ctx context.Context, dataset string, number int64, n NewApproval, r Request,
) (catalog.DiscussionEntry, error) {
	return changeProposal(ctx, s, dataset, number, r, func(
		tx catalog.Tx, p *Proposed,
	) (e catalog.DiscussionEntry, err error) {
		if err := p.checkOpen(); err != nil {
			return e, err
		}
		if err := checkText("text", n.Text); err != nil {
			return e, err
		}
		if err := p.checkSource(); err != nil {
			return e, err
		}
		source, err := activeFor(Reading(ctx), tx, p.SourceID)
		if err != nil {
			return e, err
		}
		if err := expectsSource(source, n.SourceHead); err != nil {
			return e, err
		}
		return p.add(catalog.DiscussionEntry{
			Kind: catalog.EntryApproval, Text: n.Text, SourceHead: source.Head, TargetHead: p.Target.Head,
		}, p.UpdatedAt, r.User)
	})
}

// expectsSource refuses a source whose head is another than the one that was looked at; 0: none was.
func expectsSource(source catalog.Dataset, head int64) error {
	if head == 0 || head == source.Head {
		return nil
	}
	return fault.Errorf(fault.Conflict, "stale_source", "The head of '%s' is commit %d, not %d. "+
		"Look at what changed, then send the request again with the new head.", source.Name, source.Head, head).
		With("source_head", source.Head)
}

// WithdrawApproval takes an approval of the same user back.
func (s *Store) WithdrawApproval(ctx context.Context, dataset string, number int64, r Request) error {
	_, err := changeProposal(ctx, s, dataset, number, r, func(
		_ catalog.Tx, p *Proposed,
	) (e catalog.DiscussionEntry, err error) {
		if err := p.checkOpen(); err != nil {
			return e, err
		}
		for _, a := range p.Approvals() {
			if a.User == r.User {
				return p.add(catalog.DiscussionEntry{Kind: catalog.EntryWithdrawal}, p.UpdatedAt, r.User)
			}
		}
		return e, fault.Errorf(fault.NotFound, "approval_not_found",
			"You have not approved proposal %d, so there is nothing to withdraw.", p.Number)
	})
	return err
}

// add adds an entry to the discussion.
func (p *Proposed) add(e catalog.DiscussionEntry, at time.Time, user string) (catalog.DiscussionEntry, error) {
	all, e, err := added(p.Discussion, e, at, user, fmt.Sprintf("proposal %d", p.Number), "Close it and open another one.")
	p.Discussion = all
	if err == nil && e.Kind == catalog.EntryComment {
		p.Comments++
	}
	return e, err
}
