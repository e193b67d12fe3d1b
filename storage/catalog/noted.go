package catalog

import "context"

// Noted is what of a dataset's directories the catalog has recorded.
type Noted struct {
	Stamps string // all of what they had when they had these
	Last   int64  // the commits up to this one
}

// Noted returns what is noted, by dataset.
func (tx Tx) Noted() (map[string]Noted, error) {
	type row struct {
		id string
		Noted
	}
	rows, err := list(tx, func(s scanner) (r row, err error) { return r, s.Scan(&r.id, &r.Stamps, &r.Last) },
		`SELECT dataset_id, stamps, last_commit FROM noted`)
	out := make(map[string]Noted, len(rows))
	for _, r := range rows {
		out[r.id] = r.Noted
	}
	return out, err
}

// Note notes what of a dataset's directories is recorded, with all of its commits.
func (tx Tx) Note(dataset, stamps string) error {
	return tx.exec(`INSERT INTO noted (dataset_id, stamps, last_commit)
		VALUES ($1, $2, (SELECT COALESCE(MAX(id), 0) FROM commits WHERE dataset_id = $1))
		ON CONFLICT (dataset_id) DO UPDATE SET stamps = excluded.stamps, last_commit = excluded.last_commit`, dataset, stamps)
}

// CommitIDsAfter lists the ids of the commits that a dataset made itself after one, in ascending order.
func (tx Tx) CommitIDsAfter(dataset string, after int64) ([]int64, error) {
	return list(tx, scanInt, `SELECT id FROM commits WHERE dataset_id = $1 AND id > $2 ORDER BY id`, dataset, after)
}

// betweenCheckpoints is after how many transactions the journal that SQLite keeps is written to the catalog's own file:
// about a thousand pages. The driver would do so at a moment that is not known, and then it is not known whether the
// file is the one that was written.
const betweenCheckpoints = 100

// OnCheckpoint has f called whenever the catalog's own file was written: until the next time it stays as it is then.
func (c *Catalog) OnCheckpoint(f func()) { c.checkpointed = f }

// Checkpoint writes the journal to the catalog's own file, as far as no reader needs it.
func (c *Catalog) Checkpoint(ctx context.Context) error {
	return c.checkpoint(ctx, false)
}

func (c *Catalog) checkpoint(ctx context.Context, truncate bool) error {
	c.checkpointing.Lock()
	defer c.checkpointing.Unlock()
	c.transactions.Store(0)
	err := c.in.settle(ctx, truncate)
	if err == nil && c.checkpointed != nil {
		c.checkpointed()
	}
	return err
}

// wrote counts a transaction.
func (c *Catalog) wrote(ctx context.Context) {
	if c.transactions.Add(1) >= betweenCheckpoints {
		_ = c.Checkpoint(context.WithoutCancel(ctx)) // the journal grows until the next time
	}
}
