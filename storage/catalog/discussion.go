package catalog

import (
	"encoding/json"
	"errors"
	"time"
)

// Compared are the two states of a comparison: a commit of a dataset, and one of that dataset or of another one of its
// family.
type Compared struct {
	DatasetID   string `json:"dataset_id"`
	FromCommit  int64  `json:"from_commit"`
	ToDatasetID string `json:"to_dataset_id"`
	ToCommit    int64  `json:"to_commit"`
}

// Discussion is what people say about the difference between two states.
type Discussion struct {
	Compared
	Revision  int64             `json:"revision"` // how often its label was written
	CreatedAt time.Time         `json:"created_at"`
	UpdatedAt time.Time         `json:"updated_at"`
	Comments  int               `json:"-"`
	Entries   []DiscussionEntry `json:"entries"` // the oldest first; lists leave them out
}

// DiscussionEntry is something that was said, or done in a proposal.
type DiscussionEntry struct {
	ID         int64                      `json:"id"` // within the discussion, from 1
	Kind       EntryKind                  `json:"kind"`
	User       string                     `json:"user"`
	CreatedAt  time.Time                  `json:"created_at"`
	Text       string                     `json:"text,omitempty"`
	Key        map[string]json.RawMessage `json:"key,omitempty"`         // of a comment on a record: its key
	IsErased   bool                       `json:"erased,omitempty"`      // the key was that of a record that was erased
	SourceHead int64                      `json:"source_head,omitempty"` // of an approval: the heads that it is of
	TargetHead int64                      `json:"target_head,omitempty"`
	EditedAt   time.Time                  `json:"edited_at,omitzero"`  // of a comment that says something else since
	DeletedAt  time.Time                  `json:"deleted_at,omitzero"` // of a comment whose text and key were taken away
}

// EntryKind is what an entry of a discussion is.
type EntryKind string

// The kinds. Comparisons have comments only.
const (
	EntryComment    EntryKind = "comment"
	EntryApproval   EntryKind = "approval"
	EntryWithdrawal EntryKind = "withdrawal" // of an approval
	EntryClosed     EntryKind = "closed"
	EntryReopened   EntryKind = "reopened"
)

// comments counts the comments of a discussion that were not deleted.
func comments(entries []DiscussionEntry) (n int) {
	for _, e := range entries {
		if e.Kind == EntryComment && e.DeletedAt.IsZero() {
			n++
		}
	}
	return n
}

const discussionHead = `dataset_id, from_commit, to_dataset_id, to_commit, revision, comments, created_at, updated_at`

func scanDiscussionHead(s scanner) (Discussion, error) { return scanDiscussion(s) }

// scanDiscussion reads a discussion; the rest of the row is for more.
func scanDiscussion(s scanner, more ...any) (d Discussion, err error) {
	var created, updated int64
	err = s.Scan(append([]any{&d.DatasetID, &d.FromCommit, &d.ToDatasetID, &d.ToCommit, &d.Revision, &d.Comments, &created,
		&updated}, more...)...)
	d.CreatedAt, d.UpdatedAt = moment(created), moment(updated)
	return d, err
}

// PutDiscussion adds a discussion, or replaces the one about the same two states.
func (tx Tx) PutDiscussion(d Discussion) error {
	body, err := json.Marshal(d.Entries)
	return errors.Join(err, tx.exec(`INSERT INTO discussions (`+discussionHead+`, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (dataset_id, from_commit, to_dataset_id, to_commit) DO UPDATE SET revision = excluded.revision,
		comments = excluded.comments, updated_at = excluded.updated_at, body = excluded.body`,
		d.DatasetID, d.FromCommit, d.ToDatasetID, d.ToCommit, d.Revision, comments(d.Entries), micros(d.CreatedAt),
		micros(d.UpdatedAt), string(body)))
}

// Discussion returns what was said about a comparison.
func (tx Tx) Discussion(of Compared) (Discussion, error) {
	return get(tx, func(s scanner) (Discussion, error) {
		var body string
		d, err := scanDiscussion(s, &body)
		if err != nil {
			return d, err
		}
		return d, json.Unmarshal([]byte(body), &d.Entries)
	}, `SELECT `+discussionHead+`, body FROM discussions
		WHERE dataset_id = $1 AND from_commit = $2 AND to_dataset_id = $3 AND to_commit = $4`,
		of.DatasetID, of.FromCommit, of.ToDatasetID, of.ToCommit)
}

// Discussions lists the discussions of a dataset's comparisons without their entries, the last changed first.
func (tx Tx) Discussions(dataset string) ([]Discussion, error) {
	return list(tx, scanDiscussionHead, `SELECT `+discussionHead+` FROM discussions WHERE dataset_id = $1
		ORDER BY updated_at DESC, from_commit DESC, to_dataset_id, to_commit DESC`, dataset)
}
