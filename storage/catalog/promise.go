package catalog

import (
	"context"
)

// Promise is an object that is about to be put by a transaction that is under way, which forgets it. Transactions that
// write are one after another: one that finds a promise has found one that was not kept.
type Promise struct {
	Key    string
	Sum    string // of the object
	Former string // the object before, as the one who promises encodes it
	IsNew  bool   // there was none

	// IsOlder is set where the database has become another one since: it may lack the transaction that forgot it.
	IsOlder bool
}

// Promise notes a promise on a connection of its own, durably, in a catalog that several servers share.
func (c *Catalog) Promise(ctx context.Context, p Promise) error {
	ctx, done := context.WithTimeout(ctx, statementTime)
	defer done()
	_, err := c.read.ExecContext(ctx, `INSERT INTO promised (object_key, sum, former, is_new, timeline)
		SELECT $1::text, $2::text, $3::text, $4::boolean, `+timelineNow+`
		ON CONFLICT (object_key, sum) DO UPDATE SET former = excluded.former, is_new = excluded.is_new`,
		p.Key, p.Sum, p.Former, p.IsNew)
	return c.told(err)
}

// Promised lists the promises that were not kept.
func (tx Tx) Promised() ([]Promise, error) {
	return list(tx, func(s scanner) (p Promise, err error) {
		var timeline int64
		err = s.Scan(&p.Key, &p.Sum, &p.Former, &p.IsNew, &timeline)
		p.IsOlder = tx.writer != nil && timeline != tx.writer.timeline
		return p, err
	}, `SELECT object_key, sum, former, is_new, timeline FROM promised ORDER BY object_key`)
}

// ForgetPromises forgets what was promised of an object: it is kept, or recanted.
func (tx Tx) ForgetPromises(key string) error {
	return tx.exec(`DELETE FROM promised WHERE object_key = $1`, key)
}
