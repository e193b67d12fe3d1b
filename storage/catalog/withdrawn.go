package catalog

import (
	"context"
	"errors"
	"time"
)

// Disown decides about a commit that was published and could not be recorded: it reports that the commit stands, since
// a start recorded it meanwhile, or has it never stand. If that fails, it is open.
func (c *Catalog) Disown(ctx context.Context, dataset string, commit int64) (stands bool, err error) {
	if !c.IsShared() { // no start is under way
		return false, nil
	}
	err = c.Write(ctx, func(tx Tx) error {
		_, err := tx.Commit(dataset, commit)
		if err == nil {
			stands = true
			return nil
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		return tx.Withdraw(commit, time.Now())
	})
	return stands && err == nil, err
}

// Withdraw notes that a commit which was published never stands.
func (tx Tx) Withdraw(commit int64, at time.Time) error {
	return tx.exec(`INSERT INTO withdrawn (commit_id, withdrawn_at) VALUES ($1, $2) ON CONFLICT (commit_id) DO NOTHING`,
		commit, micros(at))
}

// Withdrawn lists the commits that were published and never stand, by id.
func (tx Tx) Withdrawn() ([]int64, error) {
	return list(tx, scanInt, `SELECT commit_id FROM withdrawn ORDER BY commit_id`)
}
