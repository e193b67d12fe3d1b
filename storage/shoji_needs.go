package storage

import (
	"context"

	"rowback/storage/catalog"
)

// Founder is who made a dataset's first commit; of a fork, the first that it does not share with its upstream. It is
// empty where there is none.
func (s *Store) Founder(ctx context.Context, d catalog.Dataset) (user string, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error { user, err = tx.Founder(d.ID, d.ForkCommit); return err })
	return user, err
}
