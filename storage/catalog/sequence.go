package catalog

import (
	"context"
	"sync"
)

// Names of the sequences that Draw draws from.
const (
	CommitIDs = "commit"
	FileIDs   = "file"

	CompactedIDs = "compacted"
)

// Draw reserves n numbers of a sequence that were not drawn before, and returns the first; with 0, the one that would
// be the next. A commit draws its id under the lock on its dataset's head, whose name is given, so that within a
// dataset ids are in the order of commits. Where several servers may have the catalog, it fails once that lock is lost.
// Advance records what was drawn, in the commit's transaction: of numbers that are drawn and not recorded, some may
// never be used, and where one process alone has the catalog they are drawn again after a restart.
func (c *Catalog) Draw(ctx context.Context, under, sequence string, n int64) (first int64, err error) {
	if c.IsShared() {
		return c.in.draw(ctx, under, sequence, n)
	}
	c.sequences.mu.Lock()
	defer c.sequences.mu.Unlock()
	last, known := c.sequences.last[sequence]
	if !known {
		err := c.Read(ctx, func(tx Tx) (err error) { last, err = tx.Last(sequence); return err })
		if err != nil {
			return 0, err
		}
	}
	c.sequences.last[sequence] = last + n
	return last + 1, nil
}

// Keep waits until the numbers that were drawn under a lock so far will not be drawn again, whatever becomes of the
// database. Until then, nothing may be published that has them. If the database has ended since, and may draw them
// again, the error is ErrLockLost.
func (c *Catalog) Keep(ctx context.Context, under string) error { return c.in.keep(ctx, under) }

// sequences are the last numbers that this process has drawn. No other process has the catalog open.
type sequences struct {
	mu   sync.Mutex
	last map[string]int64
}

// Last returns the last number recorded as drawn from a sequence; 0: none.
func (tx Tx) Last(sequence string) (int64, error) {
	return get(tx, scanInt, `SELECT COALESCE(MAX(last), 0) FROM sequences WHERE name = $1`, sequence)
}

// Advance records that numbers up to last were drawn from a sequence. It never lowers the record.
func (tx Tx) Advance(sequence string, last int64) error {
	return tx.later(`INSERT INTO sequences (name, last) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET last = excluded.last WHERE sequences.last < excluded.last`, sequence, last)
}

// AdvanceIDs is Advance of the numbers of a commit and its files.
func (tx Tx) AdvanceIDs(commit, file int64) error {
	return tx.later(`INSERT INTO sequences (name, last) VALUES ('`+CommitIDs+`', $1), ('`+FileIDs+`', $2)
		ON CONFLICT (name) DO UPDATE SET last = excluded.last WHERE sequences.last < excluded.last`, commit, file)
}

// DrawFields reserves n field ids of a family, and returns the first, where several servers may have the catalog.
func (c *Catalog) DrawFields(ctx context.Context, family string, n int64) (first int64, err error) {
	return c.in.drawFields(ctx, family, n)
}

// FamilyLock is the name of the lock that is held while row ids of a family are given.
func FamilyLock(family string) string { return "family\x00" + family }
