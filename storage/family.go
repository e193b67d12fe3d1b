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
	recorded    lastIDs // when they were read

	// reserve takes field ids where several servers may; nil: this one alone does, and counts them.
	reserve  func(ctx context.Context, n int64) (first int64, err error)
	mu       sync.Mutex
	reserved int64 // the last of those that were reserved; 0: none were
	took     int64 // how many were reserved last
}

// newFamily returns a family whose last ids were these.
func newFamily(row, field int64) *family {
	f := &family{recorded: lastIDs{row: row, field: field}}
	f.lastRowID.Store(row)
	f.lastFieldID.Store(field)
	return f
}

// nextFieldID hands out a field id. One that a refused commit took is not given again, which costs nothing. Where they
// have to be reserved, more are each time.
func (f *family) nextFieldID(ctx context.Context) (int, error) {
	if f.reserve == nil {
		return int(f.lastFieldID.Add(1)), nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if last := f.lastFieldID.Load(); f.reserved == 0 || last >= f.reserved {
		n := min(max(2*f.took, 1), 256)
		first, err := f.reserve(ctx, n)
		if err != nil {
			return 0, err
		}
		f.took, f.reserved = n, first+n-1
		f.lastFieldID.Store(first - 1)
	}
	return int(f.lastFieldID.Add(1)), nil
}

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
	if n.unlockRowIDs, err = c.Lock(ctx, catalog.FamilyLock(family)); err != nil {
		return err
	}
	if n.family.reserve != nil { // another server may have given some since
		err = c.Read(ctx, func(tx catalog.Tx) error {
			row, _, err := tx.Family(family)
			n.family.lastRowID.Store(row)
			return err
		})
	}
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
	*journal
	mu   sync.Mutex
	byID map[string]*family
}

// of returns the ids that the datasets of a family share.
func (f *families) of(tx catalog.Tx, id string) (*family, error) {
	if f.catalog.IsShared() { // what was known of it may be out of date
		row, field, err := tx.Family(id)
		shared := newFamily(row, field)
		shared.reserve = func(ctx context.Context, n int64) (int64, error) { return f.catalog.DrawFields(ctx, id, n) }
		return shared, err
	}
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
