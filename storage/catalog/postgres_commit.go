package catalog

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
)

// CommitPostgres commits a transaction of a database of PostgreSQL. If the connection breaks meanwhile, the database is
// asked on another one what came of it; ErrUncertain is returned only if it can't say, or has become another one. lost
// reports that asking on is of no use; nil: it always is.
func CommitPostgres(ctx context.Context, db *sql.DB, tx *sql.Tx, lost func() bool) error {
	var t transaction
	if err := tx.QueryRowContext(ctx, `SELECT pg_current_xact_id()::text, `+timelineNow).
		Scan(&t.id, &t.timeline); err != nil {
		return errors.Join(errRolledBack, err)
	}
	return t.commit(ctx, db, tx, lost)
}

// commit is CommitPostgres of a transaction that is known.
func (t transaction) commit(ctx context.Context, db *sql.DB, tx *sql.Tx, lost func() bool) error {
	err := tx.Commit()
	if err == nil {
		return nil
	}
	if state := stateOf(err); strings.HasPrefix(state, integrityClass) || strings.HasPrefix(state, rollbackClass) {
		return errors.Join(errRolledBack, err)
	}
	return t.outcome(context.WithoutCancel(ctx), db, lost, err)
}

// transaction is one of PostgreSQL's, by its id, and the timeline of the database, which another database server that
// takes over begins anew: there, the id may be another transaction's.
type transaction struct {
	id       string
	timeline int64
}

// outcomeTime is how long it is tried to find out what came of a transaction.
const outcomeTime = 20 * time.Second

// outcome finds out whether a transaction was committed whose commit failed with an error: nil if it was.
func (t transaction) outcome(ctx context.Context, db *sql.DB, lost func() bool, cause error) error {
	ctx, done := context.WithTimeout(ctx, outcomeTime)
	defer done()
	for {
		var status *string // null: it is too long ago
		var timeline int64
		err := db.QueryRowContext(ctx, `SELECT pg_xact_status($1::text::xid8), `+timelineNow, t.id).
			Scan(&status, &timeline)
		switch {
		case err == nil && timeline != t.timeline:
			return errors.Join(ErrUncertain, ErrFailover, cause)
		case err == nil && status != nil && *status == "committed":
			return nil
		case err == nil && status != nil && *status == "aborted":
			return errors.Join(errRolledBack, cause)
		case err == nil && status == nil, lost != nil && lost():
			return errors.Join(ErrUncertain, cause, err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ErrUncertain, cause, err)
		case <-time.After(waitBetween):
		}
	}
}
