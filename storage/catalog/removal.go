package catalog

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// RemovalKind is why rows were removed for ever.
type RemovalKind string

// The kinds.
const (
	Erase  RemovalKind = "erase"  // records that must not be kept, with all that they ever were
	Vacuum RemovalKind = "vacuum" // what no kept state sees
)

// Removal is rows that a fork family lost for ever.
type Removal struct {
	ID        int64           `json:"id"` // of the sequence of commits: it changed those before it
	FamilyID  string          `json:"family_id"`
	DatasetID string          `json:"dataset_id"` // that it was asked for
	Kind      RemovalKind     `json:"kind"`
	User      string          `json:"user"`
	Reason    string          `json:"reason"`
	CreatedAt time.Time       `json:"created_at"`
	Directory string          `json:"directory"` // key of that of its description and the files that it wrote
	Details   json.RawMessage `json:"details"`   // what was removed and what that affected
}

const removalColumns = `id, family_id, dataset_id, kind, user_name, reason, created_at, directory, details`

func scanRemoval(s scanner) (r Removal, err error) {
	var created int64
	var details string
	err = s.Scan(&r.ID, &r.FamilyID, &r.DatasetID, &r.Kind, &r.User, &r.Reason, &created, &r.Directory, &details)
	r.CreatedAt, r.Details = moment(created), json.RawMessage(details)
	return r, err
}

// AddRemoval records a removal whose former files are still there.
func (tx Tx) AddRemoval(r Removal) error {
	return errors.Join(tx.nextEra(r.FamilyID), tx.exec(
		`INSERT INTO removals (`+removalColumns+`, is_done) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, FALSE)`,
		r.ID, r.FamilyID, r.DatasetID, r.Kind, r.User, r.Reason, micros(r.CreatedAt), r.Directory, string(r.Details)))
}

// FinishRemoval records that the files which a removal replaced are gone.
func (tx Tx) FinishRemoval(id int64) error {
	return tx.one(ErrNotFound, `UPDATE removals SET is_done = TRUE WHERE id = $1`, id)
}

// Removal returns one removal.
func (tx Tx) Removal(id int64) (Removal, error) {
	return get(tx, scanRemoval, `SELECT `+removalColumns+` FROM removals WHERE id = $1`, id)
}

// Removals lists up to limit removals of a kind in a family, newest first, whose ids are below before.
func (tx Tx) Removals(family string, kind RemovalKind, before int64, limit int) ([]Removal, error) {
	return list(tx, scanRemoval, `SELECT `+removalColumns+` FROM removals
		WHERE family_id = $1 AND kind = $2 AND id < $3 ORDER BY id DESC LIMIT $4`, family, kind, before, limit)
}

// FamilyRemovals lists the removals of a family, oldest first.
func (tx Tx) FamilyRemovals(family string) ([]Removal, error) {
	return list(tx, scanRemoval, `SELECT `+removalColumns+` FROM removals WHERE family_id = $1 ORDER BY id`, family)
}

// RemovalsAfter lists the removals with ids after one, oldest first.
func (tx Tx) RemovalsAfter(id int64) ([]Removal, error) {
	return list(tx, scanRemoval, `SELECT `+removalColumns+` FROM removals WHERE id > $1 ORDER BY id`, id)
}

// UnfinishedRemovals lists the removals whose former files may still be there, oldest first.
func (tx Tx) UnfinishedRemovals() ([]Removal, error) {
	return list(tx, scanRemoval, `SELECT `+removalColumns+` FROM removals WHERE NOT is_done ORDER BY id`)
}

// LastRemoval returns the id of the newest removal of a family, or with an empty one of all; 0: there was none.
func (tx Tx) LastRemoval(family string) (int64, error) {
	if family == "" {
		return get(tx, scanInt, `SELECT COALESCE(MAX(id), 0) FROM removals`)
	}
	return get(tx, scanInt, `SELECT COALESCE(MAX(id), 0) FROM removals WHERE family_id = $1`, family)
}

// HasCommitAfter reports whether a dataset of a family has a commit with an id after one.
func (tx Tx) HasCommitAfter(family string, id int64) (bool, error) {
	n, err := get(tx, scanInt, `SELECT COUNT(*) FROM datasets d WHERE d.family_id = $1
		AND EXISTS (SELECT 1 FROM commits c WHERE c.dataset_id = d.id AND c.id > $2)`, family, id)
	return n > 0, err
}

// FamilyDatasets lists the datasets of a family, deleted ones included, by id.
func (tx Tx) FamilyDatasets(family string) ([]Dataset, error) {
	return list(tx, scanDataset, `SELECT `+datasetRow+` FROM datasets WHERE family_id = $1 ORDER BY id`, family)
}

// FamilyFiles lists the files that the datasets of a family wrote, by id.
func (tx Tx) FamilyFiles(family string) ([]*File, error) {
	return list(tx, scanFile, `SELECT `+fileColumns+` FROM files
		WHERE object_key <> '' AND dataset_id IN (SELECT d.id FROM datasets d WHERE d.family_id = $1) ORDER BY id`, family)
}

// ReplaceFile records what a file is after rows were removed from it, and forgets what was computed of it. One that the
// catalog does not have is not added.
func (tx Tx) ReplaceFile(f *File) error {
	bounds, errBounds := json.Marshal(f.Bounds)
	targets, errTargets := json.Marshal(f.Targets)
	stats, errStats := json.Marshal(f.Stats)
	if err := errors.Join(errBounds, errTargets, errStats); err != nil {
		return err
	}
	return errors.Join(
		tx.exec(`DELETE FROM file_digests WHERE file_id = $1`, f.ID),
		tx.exec(`UPDATE files SET object_key = $1, row_count = $2, byte_count = $3, checksum = $4, key_bounds = $5,
			targets = $6, stats = $7 WHERE id = $8`,
			f.Key, f.Rows, f.Bytes, f.Checksum, string(bounds), string(targets), string(stats), f.ID))
}

// RemoveFile has a file that has no row left serve no dataset of its family any more. Its row stays, without an object:
// no other file gets its id.
func (tx Tx) RemoveFile(family string, id int64) error {
	return errors.Join(
		tx.exec(`DELETE FROM entries WHERE dataset_id IN (SELECT d.id FROM datasets d WHERE d.family_id = $1)
			AND file_id = $2`, family, id),
		tx.exec(`DELETE FROM file_digests WHERE file_id = $1`, id),
		tx.exec(`UPDATE files SET object_key = '', row_count = 0, byte_count = 0, checksum = '', key_bounds = 'null',
			targets = 'null', stats = 'null' WHERE id = $1`, id))
}

// ChangeCounts takes records off what one commit of a dataset says that it did.
func (tx Tx) ChangeCounts(dataset string, commit, added, removed, modified int64) error {
	return tx.exec(`UPDATE commits SET records_added = records_added - $1, records_removed = records_removed - $2,
		records_modified = records_modified - $3 WHERE dataset_id = $4 AND id = $5`,
		added, removed, modified, dataset, commit)
}

// ChangeTotals takes records off the states after a dataset's own commits from one to another, and forgets the digests
// of these states.
func (tx Tx) ChangeTotals(dataset string, first, last, records int64) error {
	return errors.Join(
		tx.exec(`UPDATE commits SET records_total = records_total - $1
			WHERE dataset_id = $2 AND id >= $3 AND id <= $4`, records, dataset, first, last),
		tx.exec(`DELETE FROM commit_digests WHERE commit_id IN (
			SELECT id FROM commits WHERE dataset_id = $1 AND id >= $2 AND id <= $3)`, dataset, first, last))
}

// MarkErased records when records of a dataset's own commits from one to another, or of the states after them, were
// erased.
func (tx Tx) MarkErased(dataset string, first, last int64, at time.Time) error {
	return tx.exec(`UPDATE commits SET erased_at = $1 WHERE dataset_id = $2 AND id >= $3 AND id <= $4`,
		micros(at), dataset, first, last)
}

// SetParams replaces the parameters of a commit.
func (tx Tx) SetParams(dataset string, commit int64, params json.RawMessage) error {
	return tx.exec(`UPDATE commits SET params = $1 WHERE dataset_id = $2 AND id = $3`, string(params), dataset, commit)
}

// EntriesOf returns the entries of a dataset that some files have, by file.
func (tx Tx) EntriesOf(dataset string, files []int64) (out []Entry, err error) {
	for some := range slices.Chunk(files, mostParams) {
		marks := make([]string, len(some))
		args := []any{dataset}
		for i, id := range some {
			marks[i], args = fmt.Sprintf("$%d", i+2), append(args, id)
		}
		found, err := list(tx, func(s scanner) (e Entry, err error) { return e, s.Scan(&e.File, &e.Begin, &e.End) },
			`SELECT e.file_id, e.begin_commit, `+endOf+entriesOf+`AND e.file_id IN (`+strings.Join(marks, ", ")+`)
			ORDER BY e.file_id, e.begin_commit`, args...)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// Told is a commit with its parameters.
type Told struct {
	ID, Merge int64 // 0: no merge played it
	Params    json.RawMessage
}

// Telling lists the commits that a dataset made itself whose parameters have one of some names.
func (tx Tx) Telling(dataset string, names []string) (out []Told, err error) {
	has := make([]string, len(names))
	args := []any{dataset}
	for i, name := range names {
		args = append(args, `%"`+name+`"%`)
		has[i] = fmt.Sprintf("params LIKE $%d", len(args))
	}
	return list(tx, func(s scanner) (t Told, err error) {
		var params string
		var merge sql.NullInt64
		err = s.Scan(&t.ID, &merge, &params)
		t.Merge, t.Params = merge.Int64, json.RawMessage(params)
		return t, err
	}, `SELECT id, merge_commit_id, params FROM commits
		WHERE dataset_id = $1 AND (`+strings.Join(has, " OR ")+`) ORDER BY id`, args...)
}

// CountOwn returns how many commits a dataset made itself from one to another.
func (tx Tx) CountOwn(dataset string, first, last int64) (int64, error) {
	return get(tx, scanInt, `SELECT count(*) FROM commits WHERE dataset_id = $1 AND id >= $2 AND id <= $3`,
		dataset, first, last)
}
