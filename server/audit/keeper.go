package audit

import (
	"context"
	"database/sql"
	"errors"

	"github.com/rowback/rowback/server/settings"
)

// KeptIn returns the keeper of the head in the settings' database.
func KeptIn(db *settings.DB) Keeper { return keeper{db} }

type keeper struct{ db *settings.DB }

// Load returns the head that was kept.
func (k keeper) Load(ctx context.Context) (h Head, err error) {
	err = k.db.QueryRowContext(ctx, `SELECT number, hash FROM audit_head`).Scan(&h.Number, &h.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return h, err
}

// Save keeps the head. It never goes back.
func (k keeper) Save(ctx context.Context, h Head) error {
	return k.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO audit_head (id, number, hash) VALUES (1, ?, ?)
			ON CONFLICT (id) DO UPDATE SET number = excluded.number, hash = excluded.hash
			WHERE excluded.number > audit_head.number`, h.Number, h.Hash)
		return err
	})
}
