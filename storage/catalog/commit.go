package catalog

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/rowback/rowback/storage/schema"
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

// Modes are all modes.
var Modes = []Mode{Append, Overwrite, Upsert, Replace, Delete, Rollback, Restore, Schema, Edit, Fork, Merge}

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
	Effects          *Effects        `json:"effects,omitempty"`    // nil: of an older program, which did not keep them
	ErasedAt         time.Time       `json:"erased_at,omitzero"`   // when records of it were last erased; zero: never
	VacuumedAt       time.Time       `json:"vacuumed_at,omitzero"` // when its state became unavailable; zero: it can be read
}

// Effects are what a commit did besides changing records.
type Effects struct {
	SchemaChanges  []schema.Change `json:"schema_changes"`
	ColumnsCleared []string        `json:"columns_cleared"` // in which a changed record lost the value that it had
	ColumnsFilled  []string        `json:"columns_filled"`  // in which one got a value that had none
	Warnings       []string        `json:"warnings,omitempty"`
	GatesFailed    []string        `json:"gates_failed,omitempty"` // names of the gates that it did not pass
}

// commitColumns are the columns of a commit as a dataset has it that made or inherited it (commitsOf). A merge that
// came after a fork played nothing there.
const commitColumns = `l.dataset_id, c.id, c.previous, c.mode, c.message, c.user_name, c.created_at,
	c.parent_commit_id, u.rollback_commit_id, c.records_added, c.records_removed, c.records_modified, c.records_total,
	c.hash, c.tag, c.metadata, c.params, c.schema_id, c.properties_id,
	CASE WHEN c.merge_commit_id <= l.until_commit THEN c.merge_commit_id END, c.effects, c.erased_at,
	c.vacuumed_at`

func scanCommit(s scanner) (c Commit, err error) {
	var created int64
	var parent, rollback, merge, erased, vacuumed sql.NullInt64
	var metadata, params, effects string
	err = s.Scan(&c.DatasetID, &c.ID, &c.Previous, &c.Mode, &c.Message, &c.User, &created, &parent, &rollback,
		&c.Added, &c.Removed, &c.Modified, &c.Total, &c.Hash, &c.RowTag, &metadata, &params, &c.SchemaID,
		&c.PropertiesID, &merge, &effects, &erased, &vacuumed)
	c.CreatedAt = moment(created)
	c.ParentCommitID, c.RollbackCommitID, c.MergeCommitID = parent.Int64, rollback.Int64, merge.Int64
	if vacuumed.Valid {
		c.VacuumedAt = moment(vacuumed.Int64)
	}
	c.Metadata, c.Params = json.RawMessage(metadata), json.RawMessage(params)
	if erased.Valid {
		c.ErasedAt = moment(erased.Int64)
	}
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
	err = tx.later(`INSERT INTO commits (dataset_id, id, previous, mode, message, user_name, created_at, parent_commit_id,
		records_added, records_removed, records_modified, records_total, hash, tag, metadata, params, schema_id,
		properties_id, merge_commit_id, effects, erased_at, vacuumed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`,
		c.DatasetID, c.ID, c.Previous, c.Mode, c.Message, c.User, micros(c.CreatedAt), orNull(c.ParentCommitID),
		c.Added, c.Removed, c.Modified, c.Total, c.Hash, c.RowTag, string(c.Metadata), string(c.Params), c.SchemaID,
		c.PropertiesID, orNull(c.MergeCommitID), effects, timeOrNull(c.ErasedAt),
		timeOrNull(c.VacuumedAt))
	if err == nil {
		err = tx.addTerms(c.DatasetID, c.ID, 0, c.Metadata)
	}
	if err != nil || c.RollbackCommitID == 0 {
		return err
	}
	return tx.SetRollback(c.DatasetID, c.ID, c.RollbackCommitID)
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

func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return micros(t)
}

// SetRollback records which rollback undid a commit; 0: none is in effect any more. What a dataset undoes of what it
// inherited is undone in it alone.
func (tx Tx) SetRollback(dataset string, commit, rollback int64) error {
	if _, err := tx.Commit(dataset, commit); err != nil {
		return err
	}
	if rollback == 0 {
		return tx.exec(`DELETE FROM undone WHERE dataset_id = $1 AND commit_id = $2`, dataset, commit)
	}
	return tx.exec(`INSERT INTO undone (dataset_id, commit_id, rollback_commit_id) VALUES ($1, $2, $3)
		ON CONFLICT (dataset_id, commit_id) DO UPDATE SET rollback_commit_id = excluded.rollback_commit_id`,
		dataset, commit, rollback)
}

// Undone returns the commits up to one that are undone in a dataset, each with the rollback that undid it.
func (tx Tx) Undone(dataset string, upTo int64) (map[int64]int64, error) {
	out := map[int64]int64{}
	_, err := list(tx, func(s scanner) (one struct{}, err error) {
		var commit, rollback int64
		err = s.Scan(&commit, &rollback)
		out[commit] = rollback
		return one, err
	}, `SELECT commit_id, rollback_commit_id FROM undone WHERE dataset_id = $1 AND commit_id <= $2`, dataset, upTo)
	return out, err
}

// Commit returns one commit of a dataset.
func (tx Tx) Commit(dataset string, id int64) (Commit, error) {
	return get(tx, scanCommit, `SELECT `+commitColumns+commitsOf+`AND c.id = $2`, dataset, id)
}

// CommitAt returns the last commit created at or before t.
func (tx Tx) CommitAt(dataset string, t time.Time) (c Commit, err error) {
	spans, err := tx.spans(dataset)
	if err != nil {
		return c, err
	}
	for _, s := range spans {
		// What an ancestor did after the last commit that is inherited is not looked through: it has later times.
		c, err = get(tx, scanCommit, `SELECT `+commitColumns+commitsAt, dataset, s.until, s.ancestor, s.after, micros(t),
			Forever)
		if !errors.Is(err, ErrNotFound) {
			return c, err
		}
	}
	return c, ErrNotFound
}

// commitsAt is the last commit of one range that was created at or before $5.
const commitsAt = ` FROM lineage l CROSS JOIN commits c
	LEFT JOIN undone u ON u.dataset_id = l.dataset_id AND u.commit_id = c.id
	WHERE l.dataset_id = $1 AND l.until_commit = $2 AND c.dataset_id = $3 AND +c.id > $4 AND +c.id <= $2
	AND c.created_at <= $5 AND c.created_at <= COALESCE(
		(SELECT i.created_at FROM commits i WHERE i.dataset_id = $3 AND i.id = $2), $6)
	ORDER BY c.created_at DESC, c.id DESC LIMIT 1`

// Commits lists up to limit commits of a dataset, newest first, whose ids are below before. It leaves out commits that
// merges played.
func (tx Tx) Commits(dataset string, before int64, limit int) ([]Commit, error) {
	return tx.page(dataset, 0, before, limit, true, `AND `+isListed)
}

// Actions lists up to limit commits of a dataset, those that merges played too: with ids below from, newest first, or
// with ids above from, oldest first.
func (tx Tx) Actions(dataset string, from int64, limit int, newest bool) ([]Commit, error) {
	if newest {
		return tx.page(dataset, 0, from, limit, true, ``)
	}
	return tx.page(dataset, from, Forever, limit, false, ``)
}

// Merges lists up to limit merges into a dataset, newest first, whose ids are below before.
func (tx Tx) Merges(dataset string, before int64, limit int) ([]Commit, error) {
	return list(tx, scanCommit, `SELECT `+commitColumns+commitsBelow+`AND c.mode = 'merge'`+newestFirst+`
		LIMIT $3`, dataset, before, limit)
}

// Played lists the commits that a merge played, oldest first.
func (tx Tx) Played(dataset string, merge int64) ([]Commit, error) {
	return list(tx, scanCommit, `SELECT `+commitColumns+commitsWith+`AND c.merge_commit_id = $2
		AND +c.merge_commit_id <= l.until_commit`+fewByAge, dataset, merge)
}

// Rollbacks lists the rollbacks of a dataset, newest first.
func (tx Tx) Rollbacks(dataset string) ([]Commit, error) {
	return list(tx, scanCommit, `SELECT `+commitColumns+commitsOf+`AND c.mode = 'rollback'`+newestFirst, dataset)
}

// Standing lists the restores or merges of a dataset that are not undone, oldest first.
func (tx Tx) Standing(dataset string, mode Mode) ([]Commit, error) {
	return list(tx, scanCommit, `SELECT `+commitColumns+commitsOf+`AND c.mode = `+literal(mode)+`
		AND u.rollback_commit_id IS NULL`+oldestFirst, dataset)
}

// literal is a mode in SQL.
func literal(m Mode) string { return "'" + string(m) + "'" }

// Unshared lists the commits of a dataset whose hashes another dataset does not have, oldest first, of all modes or of
// some. Commits that both have from one ancestor are not looked at.
func (tx Tx) Unshared(dataset, other string, modes ...Mode) (out []Commit, err error) {
	common, err := tx.lastCommon(dataset, other)
	if err != nil {
		return nil, err
	}
	query := `SELECT ` + commitColumns + commitsAbove + `AND NOT EXISTS (
		SELECT 1 FROM lineage m CROSS JOIN commits o WHERE m.dataset_id = $3
		AND o.dataset_id = m.ancestor_id AND o.hash = c.hash AND +o.id > m.after_commit AND +o.id <= m.until_commit)`
	if len(modes) == 0 {
		return list(tx, scanCommit, query+oldestFirst, dataset, common, other)
	}
	for _, m := range modes {
		some, err := list(tx, scanCommit, query+` AND c.mode = `+literal(m)+oldestFirst, dataset, common, other)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	slices.SortFunc(out, func(a, b Commit) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// lastCommon returns the last commit that two datasets have from one ancestor; 0: none.
func (tx Tx) lastCommon(dataset, other string) (int64, error) {
	return get(tx, scanInt, `SELECT COALESCE(
		MAX(CASE WHEN a.until_commit < b.until_commit THEN a.until_commit ELSE b.until_commit END), 0)
		FROM lineage a JOIN lineage b ON b.dataset_id = $2 AND a.ancestor_id = b.ancestor_id
		WHERE a.dataset_id = $1`, other, dataset)
}

// WithHash lists the commits of a dataset that have a hash, oldest first.
func (tx Tx) WithHash(dataset, hash string) ([]Commit, error) {
	return list(tx, scanCommit, `SELECT `+commitColumns+commitsWith+`AND c.hash = $2`+fewByAge, dataset, hash)
}

// CommitsAfter lists a dataset's commits with ids above after, oldest first.
func (tx Tx) CommitsAfter(dataset string, after int64) ([]Commit, error) {
	return list(tx, scanCommit, `SELECT `+commitColumns+commitsAbove+oldestFirst, dataset, after)
}

// CommitIDs lists the ids of the commits that a dataset made itself, in ascending order.
func (tx Tx) CommitIDs(dataset string) ([]int64, error) {
	return list(tx, scanInt, `SELECT id FROM commits WHERE dataset_id = $1 ORDER BY id`, dataset)
}
