package catalog

import (
	"encoding/json"
	"errors"
	"time"
)

// Proposal asks that one dataset be merged into another of its family, and has what people say about that.
type Proposal struct {
	DatasetID     string        `json:"dataset_id"` // the target
	Number        int64         `json:"number"`     // within the target, from 1
	SourceID      string        `json:"source_id"`
	Title         string        `json:"title"`
	Description   string        `json:"description"`
	State         ProposalState `json:"state"`
	Revision      int64         `json:"revision"`                  // how often its label was written
	MergeCommitID int64         `json:"merge_commit_id,omitempty"` // the merge; 0: it is not merged
	User          string        `json:"user"`
	CreatedAt     time.Time     `json:"created_at"`
	UpdatedAt     time.Time     `json:"updated_at"`
	// The oldest first. In lists it has the standing approvals alone.
	Discussion []DiscussionEntry `json:"discussion"`
	Comments   int               `json:"-"` // how many there are
	Entries    int               `json:"-"` // how many the whole discussion has
}

// Approvals are the last approval of each user that was not withdrawn, the oldest first.
func (p Proposal) Approvals() (out []DiscussionEntry) {
	last := map[string]int64{}
	for _, e := range p.Discussion {
		if e.Kind == EntryApproval || e.Kind == EntryWithdrawal {
			last[e.User] = e.ID
		}
	}
	for _, e := range p.Discussion {
		if e.Kind == EntryApproval && last[e.User] == e.ID {
			out = append(out, e)
		}
	}
	return out
}

// ProposalState is what has become of a proposal.
type ProposalState string

// The states. A merged proposal stays so.
const (
	ProposalOpen   ProposalState = "open"
	ProposalClosed ProposalState = "closed"
	ProposalMerged ProposalState = "merged"
)

// proposalBody is what people wrote, as a row has it.
type proposalBody struct {
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Discussion  []DiscussionEntry `json:"discussion"`
}

// proposalHead is what lists show of it.
type proposalHead struct {
	proposalBody
	Comments int `json:"comments"`
	Entries  int `json:"entries"`
}

const proposalColumns = `dataset_id, number, source_id, state, revision, merge_commit_id, user_name, created_at,
	updated_at`

// scanProposal reads a proposal whose last two columns are head and body: of a list body is empty, where head is not.
func scanProposal(s scanner) (p Proposal, err error) {
	var created, updated int64
	var head, body string
	err = s.Scan(&p.DatasetID, &p.Number, &p.SourceID, &p.State, &p.Revision, &p.MergeCommitID, &p.User, &created,
		&updated, &head, &body)
	if err != nil {
		return p, err
	}
	p.CreatedAt, p.UpdatedAt = moment(created), moment(updated)
	var of proposalHead
	if body == "" {
		err = json.Unmarshal([]byte(head), &of)
	} else {
		err = json.Unmarshal([]byte(body), &of.proposalBody)
		of.Comments, of.Entries = comments(of.Discussion), len(of.Discussion)
	}
	p.Title, p.Description, p.Discussion = of.Title, of.Description, of.Discussion
	p.Comments, p.Entries = of.Comments, of.Entries
	return p, err
}

// PutProposal adds a proposal, or replaces the one with that number.
func (tx Tx) PutProposal(p Proposal) error {
	body, errBody := json.Marshal(proposalBody{p.Title, p.Description, p.Discussion})
	head, errHead := json.Marshal(proposalHead{
		proposalBody{p.Title, p.Description, p.Approvals()}, comments(p.Discussion), len(p.Discussion),
	})
	return errors.Join(errBody, errHead, tx.exec(`INSERT INTO proposals (`+proposalColumns+`, head, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (dataset_id, number) DO UPDATE SET state = excluded.state, revision = excluded.revision,
		merge_commit_id = excluded.merge_commit_id, updated_at = excluded.updated_at, head = excluded.head,
		body = excluded.body`,
		p.DatasetID, p.Number, p.SourceID, p.State, p.Revision, p.MergeCommitID, p.User, micros(p.CreatedAt),
		micros(p.UpdatedAt), string(head), string(body)))
}

// Proposal returns one proposal to a dataset, with its discussion.
func (tx Tx) Proposal(dataset string, number int64) (Proposal, error) {
	return get(tx, scanProposal, `SELECT `+proposalColumns+`, head, body FROM proposals
		WHERE dataset_id = $1 AND number = $2`, dataset, number)
}

// listed are the columns of a proposal in a list: a whole discussion is not read.
const listed = proposalColumns + `, head, CASE WHEN head = '' THEN body ELSE '' END`

// Proposals lists up to limit proposals to a dataset whose numbers are below before, newest first; with a state, only
// those in it.
func (tx Tx) Proposals(dataset string, state ProposalState, before int64, limit int) ([]Proposal, error) {
	return list(tx, scanProposal, `SELECT `+listed+` FROM proposals
		WHERE dataset_id = $1 AND ($2 = '' OR state = $2) AND number < $3 ORDER BY number DESC LIMIT $4`,
		dataset, state, before, limit)
}

// ProposalStates lists the proposals to a dataset with their numbers, revisions and states alone.
func (tx Tx) ProposalStates(dataset string) ([]Proposal, error) {
	return list(tx, func(s scanner) (p Proposal, err error) {
		p.DatasetID = dataset
		return p, s.Scan(&p.Number, &p.Revision, &p.State)
	}, `SELECT number, revision, state FROM proposals WHERE dataset_id = $1 ORDER BY number`, dataset)
}

// ProposalsFrom lists the proposals whose source is a dataset, newest first.
func (tx Tx) ProposalsFrom(source string) ([]Proposal, error) {
	return list(tx, scanProposal, `SELECT `+listed+` FROM proposals
		WHERE source_id = $1 ORDER BY created_at DESC, dataset_id, number DESC`, source)
}

// MergedProposal records that a commit merged a proposal. It does nothing to one that is merged already, or that is not
// there yet.
func (tx Tx) MergedProposal(dataset string, number, commit int64, at time.Time) error {
	return tx.exec(`UPDATE proposals SET state = 'merged', merge_commit_id = $1, updated_at = $2
		WHERE dataset_id = $3 AND number = $4 AND state <> 'merged'`, commit, micros(at), dataset, number)
}
