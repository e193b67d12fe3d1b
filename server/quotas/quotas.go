// Package quotas keeps what each project may store, in the settings' database. The store enforces it.
package quotas

import (
	"context"
	"database/sql"
	"errors"

	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/storage"
)

// Quotas are the quotas of a store's projects.
type Quotas struct {
	db    *settings.DB
	store *storage.Quotas
}

// Open has the store enforce the quotas that are kept.
func Open(ctx context.Context, db *settings.DB, store *storage.Quotas) (*Quotas, error) {
	q := &Quotas{db, store}
	if db.IsShared() { // another server may change them
		store.Ask = q.ask
		return q, nil
	}
	return q, q.load(ctx)
}

// ask reads the quota of a project.
func (q *Quotas) ask(ctx context.Context, project int64) (one storage.Quota, err error) {
	err = q.db.QueryRowContext(ctx, `SELECT max_bytes, max_records FROM quotas WHERE project_id = ?`, project).
		Scan(&one.Bytes, &one.Records)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return one, err
}

// load reads all quotas.
func (q *Quotas) load(ctx context.Context) error {
	rows, err := q.db.QueryContext(ctx, `SELECT project_id, max_bytes, max_records FROM quotas`)
	if err != nil {
		return err
	}
	defer rows.Close()
	all := map[int64]storage.Quota{}
	for rows.Next() {
		var project int64
		var one storage.Quota
		if err := rows.Scan(&project, &one.Bytes, &one.Records); err != nil {
			return err
		}
		all[project] = one
	}
	if err := rows.Err(); err != nil {
		return err
	}
	q.store.Set(all)
	return nil
}

// Put sets the quota of a project, for commits that are recorded from now on. The zero value removes it.
func (q *Quotas) Put(ctx context.Context, project int64, one storage.Quota) error {
	err := q.db.Write(ctx, func(tx *sql.Tx) error {
		if one == (storage.Quota{}) {
			_, err := tx.ExecContext(ctx, `DELETE FROM quotas WHERE project_id = ?`, project)
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO quotas (project_id, max_bytes, max_records) VALUES (?, ?, ?)
			ON CONFLICT (project_id) DO UPDATE SET max_bytes = excluded.max_bytes, max_records = excluded.max_records`,
			project, one.Bytes, one.Records)
		return err
	})
	if err != nil || q.db.IsShared() {
		return err
	}
	return q.load(ctx)
}
