package storage

import (
	"rowback/storage/catalog"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// birth is a dataset as it was before its first commit; a fork starts with its upstream's state. It is dataset.json, or
// part of the commit that the dataset is made with.
type birth struct {
	Dataset    catalog.Dataset    `json:"dataset"`
	Schema     schema.Schema      `json:"schema"`
	Properties catalog.Properties `json:"properties"`
	answers
}

// add records the dataset.
func (b *birth) add(tx catalog.Tx) error {
	return nameTaken(addDataset(tx, b.Dataset, b.Schema, b.Properties), b.Dataset.Name)
}

func (b *birth) state() snapshot.State {
	return snapshot.State{Dataset: b.Dataset, Schema: b.Schema, Properties: b.Properties}
}

// with returns it with the answers that are kept beside it.
func (b birth) with(a answers) birth {
	b.answers = a
	return b
}

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
