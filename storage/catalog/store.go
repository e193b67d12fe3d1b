package catalog

import (
	"context"
	"errors"
)

// StoreID returns the id of the store whose objects the catalog indexes; empty: none has been recorded.
func (tx Tx) StoreID() (string, error) {
	id, err := get(tx, scanText, `SELECT id FROM store`)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return id, err
}

func scanText(s scanner) (text string, err error) { return text, s.Scan(&text) }

// SetStoreID records the store whose objects the catalog indexes. It does not replace an id recorded earlier.
func (tx Tx) SetStoreID(id string) error {
	return tx.exec(`INSERT INTO store (id) SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM store)`, id)
}

// StoreDirectory returns what store.json in the bucket calls the servers that have this catalog; empty: none has
// recorded it.
func (tx Tx) StoreDirectory() (string, error) {
	name, err := get(tx, scanText, `SELECT directory FROM store`)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return name, err
}

// SetStoreDirectory records what store.json of a store in the bucket calls the servers that have this catalog.
func (tx Tx) SetStoreDirectory(store, name string) error {
	return errors.Join(tx.SetStoreID(store), tx.exec(`UPDATE store SET directory = $1`, name))
}

// agreements are statements that count contradictions between rows. A file whose pages are from different times, such
// as an older copy under a newer write-ahead log, may be a valid database with wrong content.
var agreements = map[string]string{
	"the heads are not the newest commits": `SELECT count(*) FROM datasets d
		WHERE head <> COALESCE((SELECT MAX(id) FROM commits c WHERE c.dataset_id = d.id), fork_commit)`,
	"the commits do not follow one another": `SELECT count(*) FROM (
		SELECT previous, LAG(id, 1, after_commit) OVER (PARTITION BY c.dataset_id ORDER BY id) AS before
		FROM commits c JOIN lineage l ON l.dataset_id = c.dataset_id AND l.ancestor_id = c.dataset_id) chain
		WHERE previous <> before`,
	"there are commits with ids past the recorded sequence": `SELECT count(*) FROM commits
		WHERE id > (SELECT last FROM sequences WHERE name = 'commit')`,
}

// Damage describes what is wrong with the catalog, without regard to the objects; empty: nothing.
func (c *Catalog) Damage(ctx context.Context) (what string, err error) {
	err = c.Read(ctx, func(tx Tx) error {
		if what, err = c.in.damage(tx); err != nil || what != "" {
			return err
		}
		for contradiction, query := range agreements {
			n, err := get(tx, scanInt, query)
			if err != nil {
				return err
			}
			if n > 0 {
				what = contradiction
			}
		}
		return nil
	})
	if IsDamaged(err) {
		return err.Error(), nil
	}
	return what, err
}
