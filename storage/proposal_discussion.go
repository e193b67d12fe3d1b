package storage

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// NewComment is something that is said about a proposal, or about a record that it changes.
type NewComment struct {
	Text string
	Key  map[string]json.RawMessage // of the record; nil: it is about the proposal
}

// Comment adds a comment to a proposal, in any state.
func (s *Store) Comment(
	ctx context.Context, dataset string, number int64, n NewComment, r Request,
) (catalog.ProposalEntry, error) {
	return changeProposal(ctx, s, dataset, number, r, func(
		tx catalog.Tx, p *Proposed,
	) (e catalog.ProposalEntry, err error) {
		if strings.TrimSpace(n.Text) == "" {
			return e, fault.Errorf(fault.Invalid, "invalid_field", "text: is empty. Write what you want to say.").
				With("field", "text")
		}
		if err := checkText("text", n.Text); err != nil {
			return e, err
		}
		if err := checkEntryKey(tx, *p.Target, n.Key); err != nil {
			return e, err
		}
		return p.add(catalog.ProposalEntry{Kind: catalog.EntryComment, Text: n.Text, Key: n.Key}, p.UpdatedAt, r.User)
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
) (catalog.ProposalEntry, error) {
	return changeProposal(ctx, s, dataset, number, r, func(
		tx catalog.Tx, p *Proposed,
	) (e catalog.ProposalEntry, err error) {
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
		return p.add(catalog.ProposalEntry{
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
	) (e catalog.ProposalEntry, err error) {
		if err := p.checkOpen(); err != nil {
			return e, err
		}
		for _, a := range Approvals(p.Proposal) {
			if a.User == r.User {
				return p.add(catalog.ProposalEntry{Kind: catalog.EntryWithdrawal}, p.UpdatedAt, r.User)
			}
		}
		return e, fault.Errorf(fault.NotFound, "approval_not_found",
			"You have not approved proposal %d, so there is nothing to withdraw.", p.Number)
	})
	return err
}

// Approvals are the last approval of each user that was not withdrawn, the oldest first.
func Approvals(p catalog.Proposal) (out []catalog.ProposalEntry) {
	last := map[string]int64{}
	for _, e := range p.Discussion {
		if e.Kind == catalog.EntryApproval || e.Kind == catalog.EntryWithdrawal {
			last[e.User] = e.ID
		}
	}
	for _, e := range p.Discussion {
		if e.Kind == catalog.EntryApproval && last[e.User] == e.ID {
			out = append(out, e)
		}
	}
	return out
}

// add adds an entry to the discussion.
func (p *Proposed) add(e catalog.ProposalEntry, at time.Time, user string) (catalog.ProposalEntry, error) {
	if len(p.Discussion) >= mostDiscussion {
		return e, fault.Errorf(fault.Conflict, "discussion_full", "The discussion of proposal %d has %d entries, "+
			"which is the most. Close it and open another one.", p.Number, mostDiscussion)
	}
	if p.said()+said(e) > mostSaid {
		return e, fault.Errorf(fault.Conflict, "discussion_full", "The discussion of proposal %d has %d bytes of text, "+
			"and may have %d with this. Close it and open another one.", p.Number, p.said(), mostSaid)
	}
	e.ID, e.User, e.CreatedAt = int64(len(p.Discussion))+1, user, at
	p.Discussion = append(p.Discussion, e)
	return e, nil
}

// said is how many bytes people wrote in the discussion.
func (p *Proposed) said() (n int) {
	for _, e := range p.Discussion {
		n += said(e)
	}
	return n
}

// said is how many bytes people wrote in an entry.
func said(e catalog.ProposalEntry) int {
	n := len(e.Text)
	for name, value := range e.Key {
		n += len(name) + len(value)
	}
	return n
}
