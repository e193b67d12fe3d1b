package settings

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

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
			return fmt.Errorf("%s belongs to another store (%s; this one is %s). Put this store's own back, such as that of "+
				"a backup", File, of, store)
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
