package storage

import (
	"sync"

	"github.com/rowback/rowback/storage/catalog"
)

// What is kept in memory of files is dropped when rows are removed from them. A transaction that began before sees the
// former files, and must not put them back: what it read is kept only if it saw the newest removal (era).

// suspend drops what is kept of files, and has nothing kept that a transaction read which did not see a removal. It
// returns the removal that had to be seen before.
func (h *History) suspend(removal int64) (before int64) {
	h.seen.begin(removal)
	h.past.begin(removal)
	h.blocks.Clear() // of former files, whose categories and bounds they have
	return h.heads.begin(removal)
}

// resume takes suspend back, unless a newer removal was seen since.
func (h *History) resume(removal, before int64) {
	if h.heads.eraNow() != removal {
		return
	}
	h.seen.begin(before)
	h.past.begin(before)
	h.heads.begin(before)
}

// eras are the newest eras of families that were seen.
type eras struct {
	mu       sync.Mutex
	byFamily map[string]int64
}

// isNew reports whether an era of a family is seen for the first time.
func (e *eras) isNew(family string, era int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.byFamily == nil {
		e.byFamily = map[string]int64{}
	}
	if e.byFamily[family] >= era {
		return false
	}
	e.byFamily[family] = era
	return true
}

// follow drops what is kept of files if another server removed rows since, as a transaction sees.
func (h *History) follow(tx catalog.Tx, d catalog.Dataset) error {
	if !h.catalog.IsShared() || !h.eras.isNew(d.FamilyID, d.Era) {
		return nil
	}
	newest, err := eraOf(tx)
	if known := h.heads.eraNow(); err == nil && newest > known {
		h.suspend(newest)
		h.behind(known)
	}
	return err
}

// eraNow is the newest removal that is known.
func (c *headCache) eraNow() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.era
}

func (c *headCache) begin(era int64) (before int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, c.era = c.era, era
	clear(c.byID)
	return before
}

func (c *fileCache) begin(era int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.era = era
	clear(c.byID)
}

// thisEra is for what was made under the lock of its dataset, which keeps it from losing rows.
const thisEra = -1

// eraOf returns the newest removal that a transaction sees.
func eraOf(tx catalog.Tx) (int64, error) { return tx.LastRemoval("") }

// stillThere makes sure that no rows were removed from files since they were read.
func stillThere(tx catalog.Tx, files []*catalog.File) error {
	for _, f := range files {
		now, err := tx.File(f.ID)
		if err != nil {
			return err
		}
		if now.Key != f.Key {
			return errGone
		}
	}
	return nil
}

// familyEra is the newest removal of a family, as it was when something began to be read of it.
type familyEra struct {
	family string
	last   int64
}

func familyEraOf(tx catalog.Tx, family string) (familyEra, error) {
	last, err := tx.LastRemoval(family)
	return familyEra{family, last}, err
}

// goesOn makes sure that no rows were removed since: what was read may have them, or a part of them.
func (e familyEra) goesOn(tx catalog.Tx) error {
	last, err := tx.LastRemoval(e.family)
	if err == nil && last != e.last {
		err = errGone
	}
	return err
}

// replacedKeys are the keys of files that were replaced since the start.
type replacedKeys struct {
	mu   sync.Mutex
	keys map[string]bool
}

func (r *replacedKeys) add(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil {
		r.keys = map[string]bool{}
	}
	r.keys[key] = true
}

func (r *replacedKeys) has(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys[key]
}

// hasAny reports whether one of some keys is that of a file that was replaced.
func (r *replacedKeys) hasAny(keys []string) bool {
	for _, key := range keys {
		if r.has(key) {
			return true
		}
	}
	return false
}
