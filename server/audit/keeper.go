package audit

import (
	"context"
	"database/sql"
	"errors"

	"github.com/rowback/rowback/server/settings"
)

// KeptIn returns the keeper of the head in the settings' database. directory is the id of the data directory that has
// the log; empty where it has none.
func KeptIn(db *settings.DB, directory string) Keeper { return keeper{db, directory} }

type keeper struct {
	db        *settings.DB
	directory string
}

// Load returns the head that was kept. Where no directory was named when it was, it is that of the only one.
func (k keeper) Load(ctx context.Context) (h Head, err error) {
	err = k.db.QueryRowContext(ctx, `SELECT number, hash FROM audit_heads WHERE directory = ?1 OR
		directory = '' AND NOT EXISTS (SELECT 1 FROM audit_heads WHERE directory = ?1)`, k.directory).Scan(&h.Number, &h.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return h, err
}

// Save keeps the head. It never goes back.
func (k keeper) Save(ctx context.Context, h Head) error {
	return k.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO audit_heads (directory, number, hash) VALUES (?, ?, ?)
			ON CONFLICT (directory) DO UPDATE SET number = excluded.number, hash = excluded.hash
			WHERE excluded.number > audit_heads.number`, k.directory, h.Number, h.Hash)
		if err == nil && k.directory != "" {
			_, err = tx.ExecContext(ctx, `DELETE FROM audit_heads WHERE directory = ''`)
		}
		return err
	})
}
