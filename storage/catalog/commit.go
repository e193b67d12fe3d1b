package catalog

import (
	"database/sql"
	"encoding/json"
	"time"

	"rowback/storage/schema"
)

// Mode is what kind of change a commit is (design, section 2).
type Mode string

// The modes.
const (
	Append    Mode = "append"
	Overwrite Mode = "overwrite"
	Upsert    Mode = "upsert"
	Replace   Mode = "replace" // overwrite, and delete every key that is not in the upload
	Delete    Mode = "delete"
	Rollback  Mode = "rollback"
	Restore   Mode = "restore"
	Schema    Mode = "schema"
	Edit      Mode = "edit"
	Fork      Mode = "fork"  // the first commit of a fork after those it inherited
	Merge     Mode = "merge" // follows the commits that it played
)

// Commit is one atomic change of a dataset.
type Commit struct {
	DatasetID        string          `json:"dataset_id"`
	ID               int64           `json:"id"`
	Previous         int64           `json:"previous"` // the head that it is based on; 0: none
	Mode             Mode            `json:"mode"`
	Message          string          `json:"message"`
	User             string          `json:"user"`
	CreatedAt        time.Time       `json:"created_at"`
	ParentCommitID   int64           `json:"parent_commit_id"`   // of a rollback: the commit it undoes; else 0
	RollbackCommitID int64           `json:"rollback_commit_id"` // the rollback that undid it and is in effect; else 0
	MergeCommitID    int64           `json:"merge_commit_id"`    // the merge that played it; else 0
	Added            int64           `json:"records_added"`
	Removed          int64           `json:"records_removed"`
	Modified         int64           `json:"records_modified"`
	Total            int64           `json:"records_total"`
	Hash             string          `json:"hash"` // the change's identity, which survives replay elsewhere
	RowTag           int64           `json:"tag"`  // the value of _commit in its rows
	Metadata         json.RawMessage `json:"metadata"`
	Params           json.RawMessage `json:"params"` // parameters of the request
	SchemaID         string          `json:"schema_id"`
	PropertiesID     string          `json:"properties_id"`
	Effects          *Effects        `json:"effects,omitempty"` // nil: of an older program, which did not keep them
}

// Effects are what a commit did besides changing records.
type Effects struct {
	SchemaChanges  []schema.Change `json:"schema_changes"`
	ColumnsCleared []string        `json:"columns_cleared"` // in which a changed record lost the value that it had
	ColumnsFilled  []string        `json:"columns_filled"`  // in which one got a value that had none
	Warnings       []string        `json:"warnings,omitempty"`
}

const commitColumns = `dataset_id, id, previous, mode, message, user_name, created_at, parent_commit_id,
	rollback_commit_id, records_added, records_removed, records_modified, records_total, hash, tag, metadata, params,
	schema_id, properties_id, merge_commit_id, effects`

func scanCommit(s scanner) (c Commit, err error) {
	var created int64
	var parent, rollback, merge sql.NullInt64
	var metadata, params, effects string
	err = s.Scan(&c.DatasetID, &c.ID, &c.Previous, &c.Mode, &c.Message, &c.User, &created, &parent, &rollback,
		&c.Added, &c.Removed, &c.Modified, &c.Total, &c.Hash, &c.RowTag, &metadata, &params, &c.SchemaID,
		&c.PropertiesID, &merge, &effects)
	c.CreatedAt = moment(created)
	c.ParentCommitID, c.RollbackCommitID, c.MergeCommitID = parent.Int64, rollback.Int64, merge.Int64
	c.Metadata, c.Params = json.RawMessage(metadata), json.RawMessage(params)
	if effects != "" && err == nil {
		err = json.Unmarshal([]byte(effects), &c.Effects)
	}
	return c, err
}

// AddCommit adds a commit's row.
func (tx Tx) AddCommit(c Commit) error {
	effects, err := c.effects()
	if err != nil {
		return err
	}
	return tx.exec(`INSERT INTO commits (`+commitColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`,
		c.DatasetID, c.ID, c.Previous, c.Mode, c.Message, c.User, micros(c.CreatedAt), orNull(c.ParentCommitID),
		orNull(c.RollbackCommitID), c.Added, c.Removed, c.Modified, c.Total, c.Hash, c.RowTag, string(c.Metadata),
		string(c.Params), c.SchemaID, c.PropertiesID, orNull(c.MergeCommitID), effects)
}

// effects is the text of what a commit did beside changing records; empty where that is not known.
func (c Commit) effects() (string, error) {
	if c.Effects == nil {
		return "", nil
	}
	text, err := json.Marshal(c.Effects)
	return string(text), err
}

func orNull(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// SetRollback records which rollback undid a commit; 0: none is in effect any more.
func (tx Tx) SetRollback(dataset string, commit, rollback int64) error {
	return tx.one(ErrNotFound, `UPDATE commits SET rollback_commit_id = $1 WHERE dataset_id = $2 AND id = $3`,
		orNull(rollback), dataset, commit)
}

// Commit returns one commit of a dataset.
func (tx Tx) Commit(dataset string, id int64) (Commit, error) {
	return get(tx, scanCommit, `SELECT `+commitColumns+` FROM commits WHERE dataset_id = $1 AND id = $2`, dataset, id)
}

// CommitAt returns the last commit created at or before t.
func (tx Tx) CommitAt(dataset string, t time.Time) (Commit, error) {
	return get(tx, scanCommit, `SELECT `+commitColumns+` FROM commits WHERE dataset_id = $1 AND created_at <= $2
		ORDER BY created_at DESC, id DESC LIMIT 1`, dataset, micros(t))
}

// Commits lists up to limit commits of a dataset, newest first, whose ids are below before. It leaves out commits that
// merges played.
func (tx Tx) Commits(dataset string, before int64, limit int) ([]Commit, error) {
	return list(tx, scanCommit, `SELECT `+commitColumns+` FROM commits
		WHERE dataset_id = $1 AND id < $2 AND merge_commit_id IS NULL ORDER BY id DESC LIMIT $3`, dataset, before, limit)
}

// Played lists the commits that a merge played, oldest first.
func (tx Tx) Played(dataset string, merge int64) ([]Commit, error) {
	return list(tx, scanCommit, `SELECT `+commitColumns+` FROM commits
		WHERE dataset_id = $1 AND merge_commit_id = $2 ORDER BY id`, dataset, merge)
}

// Rollbacks lists the rollbacks of a dataset, newest first.
func (tx Tx) Rollbacks(dataset string) ([]Commit, error) {
	return list(tx, scanCommit, `SELECT `+commitColumns+` FROM commits
		WHERE dataset_id = $1 AND mode = 'rollback' ORDER BY id DESC`, dataset)
}

// Standing lists the commits of a mode that are not undone, oldest first.
func (tx Tx) Standing(dataset string, mode Mode) ([]Commit, error) {
	return list(tx, scanCommit, `SELECT `+commitColumns+` FROM commits
		WHERE dataset_id = $1 AND mode = $2 AND rollback_commit_id IS NULL ORDER BY id`, dataset, mode)
}

// Unshared lists the commits of a dataset whose hashes another dataset does not have, oldest first.
func (tx Tx) Unshared(dataset, other string) ([]Commit, error) {
	return list(tx, scanCommit, `SELECT `+commitColumns+` FROM commits c WHERE dataset_id = $1
		AND NOT EXISTS (SELECT 1 FROM commits o WHERE o.dataset_id = $2 AND o.hash = c.hash) ORDER BY id`, dataset, other)
}

// WithHash lists the commits of a dataset that have a hash, oldest first.
func (tx Tx) WithHash(dataset, hash string) ([]Commit, error) {
	return list(tx, scanCommit, `SELECT `+commitColumns+` FROM commits
		WHERE dataset_id = $1 AND hash = $2 ORDER BY id`, dataset, hash)
}

// CommitsAfter lists a dataset's commits with ids above after, oldest first.
func (tx Tx) CommitsAfter(dataset string, after int64) ([]Commit, error) {
	return list(tx, scanCommit, `SELECT `+commitColumns+` FROM commits WHERE dataset_id = $1 AND id > $2 ORDER BY id`,
		dataset, after)
}

// EarlierCommit returns the n-th commit before one, of those that Commits lists.
func (tx Tx) EarlierCommit(dataset string, commit, n int64) (int64, error) {
	return get(tx, scanInt, `SELECT id FROM commits WHERE dataset_id = $1 AND id < $2 AND merge_commit_id IS NULL
		ORDER BY id DESC LIMIT 1 OFFSET $3`, dataset, commit, n-1)
}

// CountEarlier returns how many commits there are before one, of those that Commits lists.
func (tx Tx) CountEarlier(dataset string, commit int64) (int64, error) {
	return get(tx, scanInt, `SELECT count(*) FROM commits WHERE dataset_id = $1 AND id < $2 AND merge_commit_id IS NULL`,
		dataset, commit)
}

// CommitIDs lists the ids of all commits of a dataset, in ascending order.
func (tx Tx) CommitIDs(dataset string) ([]int64, error) {
	return list(tx, scanInt, `SELECT id FROM commits WHERE dataset_id = $1 ORDER BY id`, dataset)
}
