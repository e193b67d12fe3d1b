package catalog

import (
	"encoding/json"
	"errors"
)

// Compacted is a file that holds the rows of others, its sources, each with its place there. It stands in for them in
// any state that has them, and changes no state: it may be lost at any time. Its Targets, Bounds and Stats are empty.
type Compacted struct {
	File
	Family  string
	Sources []int64 // ids of the files, in order, which all have its schema
	Without []int64 // ids of rollback files, in order: rows that they displaced are left out, so all must be live
}

const compactedColumns = `id, family_id, dataset_id, commit_id, kind, object_key, row_count, byte_count, checksum,
	schema_id, sources, without`

func scanCompacted(s scanner) (*Compacted, error) {
	c := &Compacted{}
	var sources, without []byte
	if err := s.Scan(&c.ID, &c.Family, &c.DatasetID, &c.CommitID, &c.Kind, &c.Key, &c.Rows, &c.Bytes, &c.Checksum,
		&c.SchemaID, &sources, &without); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(sources, &c.Sources); err != nil {
		return nil, err
	}
	return c, json.Unmarshal(without, &c.Without)
}

// AddCompacted adds a compacted file's row.
func (tx Tx) AddCompacted(c *Compacted) error {
	sources, err := json.Marshal(c.Sources)
	if err != nil {
		return err
	}
	without, err := json.Marshal(c.Without)
	if err != nil {
		return err
	}
	return errors.Join(tx.nextEra(c.Family), tx.exec(`INSERT INTO compacted (`+compactedColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		c.ID, c.Family, c.DatasetID, c.CommitID, c.Kind, c.Key, c.Rows, c.Bytes, c.Checksum, c.SchemaID,
		string(sources), string(without)))
}

// Compacted returns the compacted files of a fork family, by id.
func (tx Tx) Compacted(family string) ([]*Compacted, error) {
	return list(tx, scanCompacted, `SELECT `+compactedColumns+` FROM compacted WHERE family_id = $1 ORDER BY id`, family)
}

// CompactedAfter returns up to most compacted files with ids greater than id, by id.
func (tx Tx) CompactedAfter(id int64, most int) ([]*Compacted, error) {
	return list(tx, scanCompacted, `SELECT `+compactedColumns+` FROM compacted WHERE id > $1 ORDER BY id LIMIT $2`,
		id, most)
}

// RemoveCompacted removes a compacted file's row. If there is none, it is ErrNotFound.
func (tx Tx) RemoveCompacted(id int64) error {
	err := tx.exec(`UPDATE families SET era = era + 1 WHERE id = (SELECT family_id FROM compacted WHERE id = $1)`, id)
	return errors.Join(err, tx.one(ErrNotFound, `DELETE FROM compacted WHERE id = $1`, id))
}
