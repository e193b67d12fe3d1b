package settings

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// IsOf refuses settings that are not a store's. Those of none, such as tables without rows, are fs.ErrNotExist.
func (d *DB) IsOf(ctx context.Context, store string) error {
	var of string
	err := d.QueryRowContext(ctx, `SELECT store_id FROM belongs`).Scan(&of)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("there are none of any store: %w", fs.ErrNotExist)
	case err == nil && of != store:
		return d.foreign(of, store)
	}
	return told(err)
}

// foreign refuses the settings of another store.
func (d *DB) foreign(of, store string) error {
	if d.shared != nil {
		return fmt.Errorf("the settings in PostgreSQL belong to another store (%s; this one is %s). Name this store's own "+
			"database", of, store)
	}
	return fmt.Errorf("%s belongs to another store (%s; this one is %s). Put this store's own back, such as that of a "+
		"backup", File, of, store)
}

// Belong makes settings those of a store, and refuses those of another one. Where the store was restored from a backup
// since they were used last, or never, restored changes what must not go on in a copy.
func (d *DB) Belong(ctx context.Context, store string, at time.Time, restored func(tx *sql.Tx) error) error {
	var stamp int64 // 0: it was never restored
	if !at.IsZero() {
		stamp = at.UnixMicro()
	}
	return d.Write(ctx, func(tx *sql.Tx) error {
		var of string
		var last int64
		err := tx.QueryRowContext(ctx, `SELECT store_id, restored_at FROM belongs`).Scan(&of, &last)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			_, err = tx.ExecContext(ctx, `INSERT INTO belongs (store_id) VALUES (?)`, store)
		case err == nil && of != store:
			return d.foreign(of, store)
		}
		if err != nil || last == stamp {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE belongs SET restored_at = ?`, stamp); err != nil {
			return err
		}
		return restored(tx)
	})
}
