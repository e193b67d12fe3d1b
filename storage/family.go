package storage

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/rowback/rowback/storage/catalog"
)

// family hands out what a dataset and its forks share: row ids and field ids. A commit that assigns row ids
// holds the family's lock, from before the first until it stands or not. They are counted in memory and recorded with
// each commit: commits of different datasets of a family run at once.
type family struct {
	lastRowID   atomic.Int64
	lastFieldID atomic.Int64
}

// newFamily returns a family whose last ids were these.
func newFamily(row, field int64) *family {
	f := &family{}
	f.lastRowID.Store(row)
	f.lastFieldID.Store(field)
	return f
}

// nextFieldID hands out a field id. One that a refused commit took is not given again, which costs nothing.
func (f *family) nextFieldID() int { return int(f.lastFieldID.Add(1)) }

// idSource is where a commit takes the ids of rows and columns from.
type idSource struct {
	family       *family
	unlockRowIDs func() // nil: no row ids are being given
	lastRowID    int64  // of the family, when it was locked
}

// lockRowIDs keeps other commits of the family from giving row ids. The rows of one commit get consecutive
// ones.
func (n *idSource) lockRowIDs(ctx context.Context, c *catalog.Catalog, family string) (err error) {
	if n.unlockRowIDs != nil {
		return nil
	}
	n.unlockRowIDs, err = c.Lock(ctx, "family\x00"+family)
	n.lastRowID = n.family.lastRowID.Load()
	return err
}

// firstRowID is the first row id that the commit may give. It holds the lock on them.
func (n *idSource) firstRowID() int64 { return n.family.lastRowID.Load() + 1 }

// gaveRowIDs records that rows got ids, and returns the first. brought is the greatest that came with a record.
func (n *idSource) gaveRowIDs(rows, brought int64) (first int64) {
	last := max(n.firstRowID()-1, brought) + rows
	n.family.lastRowID.Store(last)
	return last - rows + 1
}

// releaseRowIDs lets others give row ids. Where the commit does not stand, they give its ids again: no one has
// seen them.
func (n *idSource) releaseRowIDs(stands bool) {
	if n.unlockRowIDs == nil {
		return
	}
	if !stands {
		n.family.lastRowID.Store(n.lastRowID)
	}
	n.unlockRowIDs()
}

// families are those of a store that have been asked for.
type families struct {
	mu   sync.Mutex
	byID map[string]*family
}

// of returns the ids that the datasets of a family share.
func (f *families) of(tx catalog.Tx, id string) (*family, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.byID[id]; known != nil {
		return known, nil
	}
	row, field, err := tx.Family(id)
	if err != nil {
		return nil, err
	}
	f.byID[id] = newFamily(row, field)
	return f.byID[id], nil
}
