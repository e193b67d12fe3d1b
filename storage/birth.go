package storage

import (
	"errors"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// birth is a dataset as it was before its first commit; a fork starts with its upstream's state. It is dataset.json, or
// part of the commit that the dataset is made with.
type birth struct {
	Dataset    catalog.Dataset    `json:"dataset"`
	Schema     schema.Schema      `json:"schema"`
	Properties catalog.Properties `json:"properties"`
	Used       *usedIDs           `json:"used,omitempty"` // of a dataset that was removed; nil: it was not
	answers
}

// usedIDs are the last ids that a dataset has given.
type usedIDs struct {
	Commit int64 `json:"commit"`
	File   int64 `json:"file"`
}

// add records the dataset, a fork with what it inherits, and the answer to the request, if it was made by a request of
// its own. A nil birth does nothing.
func (b *birth) add(tx catalog.Tx) error {
	if b == nil {
		return nil
	}
	err := nameTaken(addDataset(tx, b.Dataset, b.Schema, b.Properties), b.Dataset.Name)
	if err == nil && b.Dataset.IsFork() {
		err = inherit(tx, b.Dataset)
	}
	if err != nil {
		return err
	}
	return b.record(tx)
}

// state is the dataset's state at commit 0, without records.
func (b *birth) state() snapshot.State {
	return snapshot.State{Dataset: b.Dataset, Schema: b.Schema, Properties: b.Properties}
}

// inherit makes sure that the commit at which a fork was made is there, and records what of the inherited history was
// undone by then.
func inherit(tx catalog.Tx, fork catalog.Dataset) error {
	// A fork of the empty state has no commit to inherit up to.
	if fork.ForkCommit != 0 {
		if _, err := tx.Commit(fork.UpstreamID, fork.ForkCommit); err != nil {
			return err
		}
	}
	// A rollback that came after the fork commit undoes nothing here, so what is undone is found anew.
	undone, err := standingRollbacks(tx, fork.ID)
	for commit, rollback := range undone {
		err = errors.Join(err, tx.SetRollback(fork.ID, commit, rollback))
	}
	return err
}

// addDataset records a dataset of a family of its own. Its columns have taken the first field ids. The documents come
// first, since its row refers to them.
func addDataset(tx catalog.Tx, d catalog.Dataset, start schema.Schema, p catalog.Properties) error {
	if _, err := tx.AddDocument(start); err != nil {
		return err
	}
	if _, err := tx.AddDocument(p); err != nil {
		return err
	}
	if err := tx.AddFamily(d.FamilyID); err != nil {
		return err
	}
	if err := tx.AdvanceFamily(d.FamilyID, 0, int64(len(start.Columns))); err != nil {
		return err
	}
	return tx.AddDataset(d)
}
