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
	if err := tx.QueryRowContext(ctx, `SELECT pg_current_xact_id()::text, `+timelineNow+`, `+runNow).
		Scan(&t.id, &t.timeline, &t.run); err != nil {
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

// transaction is one of PostgreSQL's, by its id. Another transaction may have that on another timeline of the database,
// which another database server that takes over begins, and in another run, which a crash begins: ids that were not on
// PostgreSQL's disk then are given again.
type transaction struct {
	id       string
	timeline int64
	run      string
}

// runNow is the run of the database: since when it has counted its statistics. It keeps them when it is stopped, and
// begins anew after a crash, be it of one of its processes. So it does where someone asks for that, which is taken for
// a crash.
const runNow = `(SELECT COALESCE(extract(epoch FROM stats_reset)::text, '') FROM pg_stat_bgwriter)`

// outcomeTime is how long it is tried to find out what came of a transaction.
const outcomeTime = 20 * time.Second

// outcome finds out whether a transaction was committed whose commit failed with an error: nil if it was.
func (t transaction) outcome(ctx context.Context, db *sql.DB, lost func() bool, cause error) error {
	ctx, done := context.WithTimeout(ctx, outcomeTime)
	defer done()
	for {
		err := t.ended(ctx, db)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, errOpen):
			return errors.Join(err, cause)
		case lost != nil && lost():
			return errors.Join(ErrUncertain, cause, err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ErrUncertain, cause, err)
		case <-time.After(waitBetween):
		}
	}
}

// errOpen is the error of a transaction that may still be committed, or of which nothing could be found out.
var errOpen = errors.New("the transaction may be under way")

// ended asks the database what came of the transaction, and returns nil if it was committed.
func (t transaction) ended(ctx context.Context, db *sql.DB) error {
	var status *string // null: it is too long ago
	err := db.QueryRowContext(ctx, `SELECT pg_xact_status($1::text::xid8)`, t.id).Scan(&status)
	isFree := stateOf(err) == invalidValue // no transaction has the id: this one was lost in a crash
	if err != nil && !isFree {
		return errors.Join(errOpen, err)
	}
	// After the status, so that a crash in between shows.
	var now transaction
	if err := db.QueryRowContext(ctx, `SELECT `+timelineNow+`, `+runNow).Scan(&now.timeline, &now.run); err != nil {
		return errors.Join(errOpen, err)
	}
	switch {
	case now.timeline != t.timeline:
		return errors.Join(ErrUncertain, ErrFailover)
	case isFree, status != nil && *status == "aborted":
		return errRolledBack
	case status == nil:
		return ErrUncertain
	case *status != "committed":
		return errOpen
	case now.run != t.run:
		return errors.Join(ErrUncertain, ErrCrashed)
	}
	return nil
}
