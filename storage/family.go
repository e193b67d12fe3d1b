package storage

import (
	"context"
	"sync"
	"sync/atomic"

	"rowback/storage/catalog"
)

// family hands out what a dataset and its forks share: row numbers and field ids. A commit that assigns row numbers
// holds the family's lock, from before the first until it stands or not. They are counted in memory and recorded with
// each commit: commits of different datasets of a family run at once.
type family struct {
	lastRow   atomic.Int64
	lastField atomic.Int64
}

// newFamily returns a family whose last numbers were these.
func newFamily(row, field int64) *family {
	f := &family{}
	f.lastRow.Store(row)
	f.lastField.Store(field)
	return f
}

// nextField hands out a field id. One that a refused commit took is not given again, which costs nothing.
func (f *family) nextField() int { return int(f.lastField.Add(1)) }

// numbering is the numbers that a commit gives to rows and columns.
type numbering struct {
	family     *family
	unlockRows func() // nil: no row numbers are being given
	lastRow    int64  // of the family, when it was locked
}

// lockRows has no other commit of the family give row numbers from here on. The rows of one commit get consecutive
// ones.
func (n *numbering) lockRows(ctx context.Context, c *catalog.Catalog, family string) (err error) {
	if n.unlockRows != nil {
		return nil
	}
	n.unlockRows, err = c.Lock(ctx, "family\x00"+family)
	n.lastRow = n.family.lastRow.Load()
	return err
}

// firstRow is the first row number that the commit may give. It holds the lock on them.
func (n *numbering) firstRow() int64 { return n.family.lastRow.Load() + 1 }

// gaveRows records that rows got numbers, and returns the first. brought is the greatest that came with a record.
func (n *numbering) gaveRows(rows, brought int64) (first int64) {
	last := max(n.firstRow()-1, brought) + rows
	n.family.lastRow.Store(last)
	return last - rows + 1
}

// releaseRows lets others give row numbers. Where the commit does not stand, they give its numbers again: no one has
// seen them.
func (n *numbering) releaseRows(stands bool) {
	if n.unlockRows == nil {
		return
	}
	if !stands {
		n.family.lastRow.Store(n.lastRow)
	}
	n.unlockRows()
}

// families are those of a store that have been asked for.
type families struct {
	mu   sync.Mutex
	byID map[string]*family
}

// of returns the numbers that the datasets of a family share.
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
