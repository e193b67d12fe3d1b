package catalog

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"
)

// writer is a transaction of PostgreSQL's that writes.
type writer struct {
	transaction
	session *session
	locks   *lockTable
	over    func() // ends the transaction's statements, and the session with them
}

// writingLock is the lock that a transaction holds which writes: they are one after another, over all servers.
const writingLock = "writing"

// waitsFor is how long a transaction waits for those before it. None holds them up for longer: its session ends when it
// stands still.
const waitsFor = 30 * time.Second

// begin begins a transaction that writes, once those before it have ended. If the connection was gone, it is made
// again.
func (p *postgres) begin(ctx context.Context) (*sql.Tx, *writer, func(), error) {
	tx, w, end, err := p.beginOnce(ctx)
	if isStale(err) {
		tx, w, end, err = p.beginOnce(ctx)
	}
	return tx, w, end, err
}

func (p *postgres) beginOnce(ctx context.Context) (*sql.Tx, *writer, func(), error) {
	conn, s, done, err := p.connection(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	w := &writer{session: s, locks: p.locks}
	var within context.Context
	within, w.over = context.WithCancel(context.WithoutCancel(ctx))
	late := time.AfterFunc(statementTime, w.over)
	tx, err := conn.BeginTx(within, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	end := sync.OnceFunc(func() {
		if tx != nil {
			_ = tx.Rollback() // after a commit there is nothing to roll back
		}
		w.over()
		done()
	})
	if err == nil {
		err = w.enter(ctx, within, tx)
	}
	if !late.Stop() {
		err = errors.Join(errSilent, err)
	}
	if err != nil {
		end()
		return nil, nil, nil, err
	}
	return tx, w, end, nil
}

// enter waits for the transactions before this one, and finds out which one it is. The statement that waits is sent
// with the time that the request has left.
func (w *writer) enter(ctx, within context.Context, tx *sql.Tx) error {
	wait := waitsFor
	if until, ok := ctx.Deadline(); ok {
		wait = max(min(wait, time.Until(until)), time.Millisecond)
	}
	if _, err := tx.ExecContext(within, `SELECT set_config('lock_timeout', $1, TRUE)`,
		wait.Round(time.Millisecond).String()); err != nil {
		return err
	}
	if _, err := tx.ExecContext(within, `SELECT pg_advisory_xact_lock(`+keyOf+`)`, localKey(writingLock)); err != nil {
		return err
	}
	return tx.QueryRowContext(within, `SELECT pg_current_xact_id()::text, `+timelineNow).Scan(&w.id, &w.timeline)
}

// commit commits a transaction. If the connection breaks meanwhile, PostgreSQL is asked what came of it.
func (p *postgres) commit(ctx context.Context, tx *sql.Tx, w *writer) error {
	if ctx.Err() != nil {
		return errors.Join(errRolledBack, context.Cause(ctx))
	}
	late := time.AfterFunc(statementTime, w.over)
	defer late.Stop()
	return w.commit(ctx, p.read, tx, p.lost.Load)
}
