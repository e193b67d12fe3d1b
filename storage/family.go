package storage

import (
	"sync"
	"sync/atomic"

	"rowback/storage/catalog"
)

// family hands out what a dataset and its forks share: row numbers and field ids. A commit that assigns row numbers
// holds the family's lock, from before the first until it stands or not.
type family struct {
	lastRow   atomic.Int64
	lastField atomic.Int64
}

func newFamily(row, field int64) *family {
	f := &family{}
	f.lastRow.Store(row)
	f.lastField.Store(field)
	return f
}

func (f *family) nextField() int { return int(f.lastField.Add(1)) }

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
