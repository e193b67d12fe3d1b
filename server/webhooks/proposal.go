package webhooks

import (
	"database/sql"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// proposalKey names a proposal.
type proposalKey struct {
	dataset string
	number  int64
}

// proposalMark is up to where the events of a proposal were queued.
type proposalMark struct {
	revision int64 // how often it had been written
	entries  int   // how many its discussion had
	state    catalog.ProposalState
}

func markOf(p catalog.Proposal) proposalMark { return proposalMark{p.Revision, p.Entries, p.State} }

// proposals finds the events of the proposals to a dataset.
func (r *round) proposals(d catalog.Dataset) error {
	states, err := r.Store.ProposalStates(r.ctx, d.ID)
	if err != nil {
		return err
	}
	for _, s := range states {
		key := proposalKey{d.ID, s.Number}
		before := r.feed.proposals[key]
		if before.revision == s.Revision && before.state == s.State {
			continue
		}
		p, err := r.Store.AnyProposal(r.ctx, d.ID, s.Number)
		if fault.KindOf(err) == fault.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range proposalEvents(d, p, before) {
			if !e.Time.Before(r.feed.since) {
				r.events = append(r.events, e)
			}
		}
		r.told[key] = markOf(p)
	}
	return nil
}

// entryKinds are the events that the entries of a discussion are.
var entryKinds = map[catalog.EntryKind]Kind{
	catalog.EntryComment: ProposalCommented, catalog.EntryApproval: ProposalApproved,
	catalog.EntryClosed: ProposalClosed, catalog.EntryReopened: ProposalOpened,
}

// proposalEvents returns what happened to a proposal since a mark. The source is not named: it may be of a project that
// the receiver may not know of.
func proposalEvents(d catalog.Dataset, p catalog.Proposal, before proposalMark) (out []Event) {
	told := map[string]any{
		"number": p.Number, "title": clip(p.Title), "state": p.State, "user": p.User, "created_at": p.CreatedAt,
		"comments": p.Comments, "approvals": len(p.Approvals()), "merge_commit_id": orNil(p.MergeCommitID),
	}
	add := func(kind Kind, at time.Time, entry map[string]any, id int64) {
		more := map[string]any{"proposal": told}
		if entry != nil {
			more["entry"] = entry
		}
		out = append(out, ofDataset(d, kind, at, more, p.Number, micros(p.CreatedAt), id))
	}
	if before.revision == 0 {
		add(ProposalOpened, p.CreatedAt, nil, 0)
	}
	for _, e := range p.Discussion {
		if kind := entryKinds[e.Kind]; kind != "" && e.ID > int64(before.entries) {
			add(kind, e.CreatedAt, map[string]any{"id": e.ID, "user": e.User, "text": clip(e.Text)}, e.ID)
		}
	}
	if p.State == catalog.ProposalMerged && before.state != catalog.ProposalMerged {
		add(ProposalMerged, p.UpdatedAt, nil, p.MergeCommitID)
	}
	return out
}

// loadProposals reads the marks of proposals.
func (f *feed) loadProposals() error {
	marks := map[proposalKey]proposalMark{}
	_, err := list(f.DB, func(s scanner) (none struct{}, err error) {
		var key proposalKey
		var m proposalMark
		err = s.Scan(&key.dataset, &key.number, &m.revision, &m.entries, &m.state)
		marks[key] = m
		return none, err
	}, `SELECT dataset_id, number, revision, entries, state FROM webhook_proposals`)
	if err != nil {
		return err
	}
	var since int64
	err = f.DB.QueryRow(`SELECT at FROM webhook_proposals_since`).Scan(&since)
	f.proposals, f.since = marks, moment(since)
	return err
}

// setProposals records the marks of proposals.
func setProposals(tx *sql.Tx, marks map[proposalKey]proposalMark) error {
	for key, m := range marks {
		if _, err := tx.Exec(`INSERT INTO webhook_proposals (dataset_id, number, revision, entries, state)
			VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (dataset_id, number) DO UPDATE SET revision = excluded.revision,
			entries = excluded.entries, state = excluded.state`,
			key.dataset, key.number, m.revision, m.entries, m.state); err != nil {
			return err
		}
	}
	return nil
}
