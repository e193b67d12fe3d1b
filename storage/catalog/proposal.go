package catalog

import (
	"encoding/json"
	"errors"
	"time"
)

// Proposal asks that one dataset be merged into another of its family, and has what people say about that.
type Proposal struct {
	DatasetID     string          `json:"dataset_id"` // the target
	Number        int64           `json:"number"`     // within the target, from 1
	SourceID      string          `json:"source_id"`
	Title         string          `json:"title"`
	Description   string          `json:"description"`
	State         ProposalState   `json:"state"`
	Revision      int64           `json:"revision"`                  // how often its label was written
	MergeCommitID int64           `json:"merge_commit_id,omitempty"` // the merge; 0: it is not merged
	User          string          `json:"user"`
	CreatedAt     time.Time       `json:"created_at"`
	UpdatedAt     time.Time       `json:"updated_at"`
	Discussion    []ProposalEntry `json:"discussion"` // the oldest first
}

// ProposalState is what has become of a proposal.
type ProposalState string

// The states. A merged proposal stays so.
const (
	ProposalOpen   ProposalState = "open"
	ProposalClosed ProposalState = "closed"
	ProposalMerged ProposalState = "merged"
)

// ProposalEntry is something that was said or done in a proposal.
type ProposalEntry struct {
	ID         int64                      `json:"id"` // within the proposal, from 1
	Kind       ProposalEntryKind          `json:"kind"`
	User       string                     `json:"user"`
	CreatedAt  time.Time                  `json:"created_at"`
	Text       string                     `json:"text,omitempty"`
	Key        map[string]json.RawMessage `json:"key,omitempty"`         // of a comment on a record: its key
	IsErased   bool                       `json:"erased,omitempty"`      // the key was that of a record that was erased
	SourceHead int64                      `json:"source_head,omitempty"` // of an approval: the heads that it is of
	TargetHead int64                      `json:"target_head,omitempty"`
}

// ProposalEntryKind is what an entry is.
type ProposalEntryKind string

// The kinds.
const (
	EntryComment    ProposalEntryKind = "comment"
	EntryApproval   ProposalEntryKind = "approval"
	EntryWithdrawal ProposalEntryKind = "withdrawal" // of an approval
	EntryClosed     ProposalEntryKind = "closed"
	EntryReopened   ProposalEntryKind = "reopened"
)

// proposalBody is what people wrote, as a row has it.
type proposalBody struct {
	Title       string          `json:"title"`
	Description string          `json:"description"`
	Discussion  []ProposalEntry `json:"discussion"`
}

const proposalColumns = `dataset_id, number, source_id, state, revision, merge_commit_id, user_name, created_at,
	updated_at, body`

func scanProposal(s scanner) (p Proposal, err error) {
	var created, updated int64
	var text string
	err = s.Scan(&p.DatasetID, &p.Number, &p.SourceID, &p.State, &p.Revision, &p.MergeCommitID, &p.User, &created,
		&updated, &text)
	if err != nil {
		return p, err
	}
	var body proposalBody
	err = json.Unmarshal([]byte(text), &body)
	p.Title, p.Description, p.Discussion = body.Title, body.Description, body.Discussion
	p.CreatedAt, p.UpdatedAt = moment(created), moment(updated)
	return p, err
}

// PutProposal adds a proposal, or replaces the one with that number.
func (tx Tx) PutProposal(p Proposal) error {
	body, err := json.Marshal(proposalBody{p.Title, p.Description, p.Discussion})
	return errors.Join(err, tx.exec(`INSERT INTO proposals (`+proposalColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (dataset_id, number) DO UPDATE SET state = excluded.state, revision = excluded.revision,
		merge_commit_id = excluded.merge_commit_id, updated_at = excluded.updated_at, body = excluded.body`,
		p.DatasetID, p.Number, p.SourceID, p.State, p.Revision, p.MergeCommitID, p.User, micros(p.CreatedAt),
		micros(p.UpdatedAt), string(body)))
}

// Proposal returns one proposal to a dataset.
func (tx Tx) Proposal(dataset string, number int64) (Proposal, error) {
	return get(tx, scanProposal, `SELECT `+proposalColumns+` FROM proposals WHERE dataset_id = $1 AND number = $2`,
		dataset, number)
}

// Proposals lists up to limit proposals to a dataset whose numbers are below before, newest first; with a state, only
// those in it.
func (tx Tx) Proposals(dataset string, state ProposalState, before int64, limit int) ([]Proposal, error) {
	return list(tx, scanProposal, `SELECT `+proposalColumns+` FROM proposals
		WHERE dataset_id = $1 AND ($2 = '' OR state = $2) AND number < $3 ORDER BY number DESC LIMIT $4`,
		dataset, state, before, limit)
}

// ProposalsFrom lists the proposals whose source is a dataset, newest first.
func (tx Tx) ProposalsFrom(source string) ([]Proposal, error) {
	return list(tx, scanProposal, `SELECT `+proposalColumns+` FROM proposals
		WHERE source_id = $1 ORDER BY created_at DESC, dataset_id, number DESC`, source)
}

// MergedProposal records that a commit merged a proposal. It does nothing to one that is merged already, or that is not
// there yet.
func (tx Tx) MergedProposal(dataset string, number, commit int64, at time.Time) error {
	return tx.exec(`UPDATE proposals SET state = 'merged', merge_commit_id = $1, updated_at = $2
		WHERE dataset_id = $3 AND number = $4 AND state <> 'merged'`, commit, micros(at), dataset, number)
}
