package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mattn/go-sqlite3"
)

// StoreID returns the id of the store whose objects the catalog indexes; empty: none has been recorded.
func (tx Tx) StoreID() (string, error) {
	id, err := get(tx, func(s scanner) (id string, err error) { return id, s.Scan(&id) }, `SELECT id FROM store`)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return id, err
}

// SetStoreID records the store whose objects the catalog indexes. It does not replace an id recorded earlier.
func (tx Tx) SetStoreID(id string) error {
	return tx.exec(`INSERT INTO store (id) SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM store)`, id)
}

// IsDamaged reports whether err says that the file is not a database, or a corrupt one.
func IsDamaged(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.Code == sqlite3.ErrNotADB || e.Code == sqlite3.ErrCorrupt)
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
		scanText := func(s scanner) (text string, err error) { return text, s.Scan(&text) }
		what, err = get(tx, scanText, `PRAGMA integrity_check(1)`)
		if err != nil || what != "ok" {
			what = strings.Join(strings.Fields(what), " ")
			return err
		}
		what = ""
		broken, err := list(tx, func(s scanner) (string, error) {
			var t, parent string
			var row, key any
			err := s.Scan(&t, &row, &parent, &key)
			return t, err
		}, `PRAGMA foreign_key_check`)
		if err != nil {
			return err
		}
		if len(broken) > 0 {
			what = fmt.Sprintf("%d rows refer to rows that do not exist", len(broken))
			return nil
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
