package catalog

import (
	"database/sql"
	"slices"
	"time"
)

// FamilyIDs lists the fork families that have datasets.
func (tx Tx) FamilyIDs() ([]string, error) {
	return list(tx, func(s scanner) (id string, err error) { return id, s.Scan(&id) },
		`SELECT DISTINCT family_id FROM datasets ORDER BY family_id`)
}

// Range says that the history of a dataset has the commits of an ancestor after one and until another.
type Range struct {
	Ancestor     string
	After, Until int64
}

// Lineage lists what a dataset's history consists of, its own the last.
func (tx Tx) Lineage(dataset string) ([]Range, error) {
	return list(tx, func(s scanner) (r Range, err error) { return r, s.Scan(&r.Ancestor, &r.After, &r.Until) },
		`SELECT ancestor_id, after_commit, until_commit FROM lineage WHERE dataset_id = $1 ORDER BY until_commit`, dataset)
}

// Step is a commit as one step of a dataset's history.
type Step struct {
	ID, Previous int64
	Merge        int64 // the merge that played it; else 0
	CreatedAt    time.Time
	IsVacuumed   bool
}

func scanStep(s scanner) (p Step, err error) {
	var created int64
	var merge sql.NullInt64
	err = s.Scan(&p.ID, &p.Previous, &merge, &created, &p.IsVacuumed)
	p.Merge, p.CreatedAt = merge.Int64, moment(created)
	return p, err
}

// Steps lists up to limit commits of a dataset, those that merges played too, newest first, with ids below before.
func (tx Tx) Steps(dataset string, before int64, limit int) ([]Step, error) {
	return list(tx, scanStep, `SELECT c.id, c.previous, CASE WHEN c.merge_commit_id <= l.until_commit
		THEN c.merge_commit_id END, c.created_at, c.vacuumed_at IS NOT NULL`+commitsBelow+newestFirst+` LIMIT $3`,
		dataset, before, limit)
}

// Unvacuumed lists the commits that a dataset made itself, with ids above after, whose states can be read, in order.
func (tx Tx) Unvacuumed(dataset string, after int64) ([]int64, error) {
	return list(tx, scanInt, `SELECT id FROM commits WHERE dataset_id = $1 AND id > $2 AND vacuumed_at IS NULL
		ORDER BY id`, dataset, after)
}

// Vacuum records that the states after commits that a dataset made can't be read any more. What was computed of them is
// dropped.
func (tx Tx) Vacuum(dataset string, commits []int64, at time.Time) error {
	for some := range slices.Chunk(commits, mostParams) {
		in, args := idsIn(some)
		if err := tx.exec(`DELETE FROM commit_digests WHERE commit_id IN (`+in+`)`, args...); err != nil {
			return err
		}
		for _, id := range some {
			if err := tx.exec(`UPDATE commits SET vacuumed_at = $1 WHERE dataset_id = $2 AND id = $3`,
				micros(at), dataset, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// VacuumDataset records that a deleted dataset can't be brought back any more. One that the catalog does not have yet
// is left out.
func (tx Tx) VacuumDataset(id string, at time.Time) error {
	return tx.exec(`UPDATE datasets SET vacuumed_at = $1 WHERE id = $2`, micros(at), id)
}

// LastVacuumed returns the newest commit of a dataset, up to one, whose state can't be read any more. Without any it is
// ErrNotFound.
func (tx Tx) LastVacuumed(dataset string, until int64) (Commit, error) {
	return get(tx, scanCommit, `SELECT `+commitColumns+commitsOf+`AND c.id <= $2 AND c.vacuumed_at IS NOT NULL`+
		newestFirst+` LIMIT 1`, dataset, until)
}

// NextStep returns the first commit of a dataset after one.
func (tx Tx) NextStep(dataset string, after int64) (int64, error) {
	return get(tx, scanInt, `SELECT c.id`+commitsAbove+oldestFirst+` LIMIT 1`, dataset, after)
}

// IsNeeded reports whether other datasets need what a dataset made: its commits, as a part of their history, or its
// files.
func (tx Tx) IsNeeded(dataset string) (needed bool, err error) {
	return needed, tx.row(`SELECT EXISTS (SELECT 1 FROM lineage WHERE ancestor_id = $1 AND dataset_id <> $1)
		OR EXISTS (SELECT 1 FROM files WHERE dataset_id = $1 AND object_key <> '')`, []any{dataset}, &needed)
}

// LastOf returns the last commit and the last file that a dataset made; 0: none.
func (tx Tx) LastOf(dataset string) (commit, file int64, err error) {
	return commit, file, tx.row(`SELECT (SELECT COALESCE(MAX(id), 0) FROM commits WHERE dataset_id = $1),
		(SELECT COALESCE(MAX(id), 0) FROM files WHERE dataset_id = $1)`, []any{dataset}, &commit, &file)
}

// RemoveDataset removes all that the catalog has of a dataset that no other one needs, but that it was there.
func (tx Tx) RemoveDataset(id string) error {
	for _, table := range []string{
		"versions", "savepoints", "tags", "proposals", "discussions", "backups", "undone", "entries", "compacted", "files",
		"commits", "provenance",
	} {
		if err := tx.exec(`DELETE FROM `+table+` WHERE dataset_id = $1`, id); err != nil {
			return err
		}
	}
	if err := tx.exec(`DELETE FROM lineage WHERE dataset_id = $1 AND ancestor_id <> $1`, id); err != nil {
		return err
	}
	return tx.exec(`UPDATE datasets SET head = 0, upstream_id = NULL, fork_commit = 0 WHERE id = $1`, id)
}
