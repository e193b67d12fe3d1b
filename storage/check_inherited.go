package storage

import (
	"errors"

	"github.com/rowback/rowback/storage/catalog"
)

// What a dataset has inherited is checked with the dataset that made it, once, however many forks have it.

// begin finds what the dataset has inherited: the history up to a commit, which it returns.
func (c *checker) begin(tx catalog.Tx) (last catalog.Commit, err error) {
	if c.dataset.ForkCommit == 0 {
		return last, nil
	}
	maker, err := tx.Maker(c.dataset.ID, c.dataset.ForkCommit)
	if errors.Is(err, catalog.ErrNotFound) || err == nil && (maker == c.dataset.ID || !c.checked[maker]) {
		return last, nil // a fork of an older program, which has copies, or one whose upstream is not there
	}
	if err == nil {
		last, err = tx.Commit(c.dataset.ID, c.dataset.ForkCommit)
	}
	c.inherited = last.ID
	return last, err
}

// checkInherited checks which inherited commits are undone: that is the dataset's own.
func (c *checker) checkInherited(tx catalog.Tx, undone map[int64]int64) error {
	recorded, err := tx.Undone(c.dataset.ID, c.inherited)
	for id, by := range recorded {
		if undone[id] != by {
			c.found(id, "it says that commit %d undoes it; the log says commit %d", by, undone[id])
		}
	}
	for id, by := range undone {
		if id <= c.inherited && recorded[id] == 0 {
			c.found(id, "it says that nothing undoes it; the log says commit %d", by)
		}
	}
	return err
}
