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
	conn    *sql.Conn
	locks   *lockTable
	queue   []unsent // what is to be sent, in its order
	over    func()   // ends the transaction's statements, and the session with them
}

// writingLock is the lock that a transaction holds which writes: they are one after another, over all servers.
const writingLock = "writing"

// waitsFor is how long a transaction waits for those before it. None holds them up for longer: its session ends when it
// stands still.
const waitsFor = 30 * time.Second

// begin begins a transaction that writes. Its first statement waits until those before it have ended. If the connection
// was gone, it is made again.
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
	w := &writer{transaction: transaction{run: s.run}, session: s, conn: conn, locks: p.locks}
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
	if !late.Stop() {
		err = errors.Join(errSilent, err)
	}
	if err != nil {
		end()
		return nil, nil, nil, err
	}
	w.enter(ctx)
	return tx, w, end, nil
}

// enter has the transaction wait for those before it, and find out which one it is, before its first statement. That
// waits for the time that the request has left.
func (w *writer) enter(ctx context.Context) {
	wait := waitsFor
	if until, ok := ctx.Deadline(); ok {
		wait = max(min(wait, time.Until(until)), time.Millisecond)
	}
	w.queue = []unsent{{
		query: enter, args: []any{localKey(writingLock), wait.Round(time.Millisecond).String()},
		dest: []any{&w.id, &w.timeline},
	}}
}

// Each part needs the one before it, so that they are done in this order.
var enter = `WITH limited AS MATERIALIZED (SELECT set_config('lock_timeout', $2, TRUE)),
	entered AS MATERIALIZED (SELECT pg_advisory_xact_lock(` + keyOf + `) FROM limited)
	SELECT pg_current_xact_id()::text, ` + timelineNow + ` FROM entered`

// commit commits a transaction. If the connection breaks meanwhile, PostgreSQL is asked what came of it.
func (p *postgres) commit(ctx context.Context, tx *sql.Tx, w *writer) error {
	if ctx.Err() != nil {
		return errors.Join(errRolledBack, context.Cause(ctx))
	}
	late := time.AfterFunc(statementTime, w.over)
	defer late.Stop()
	to := w.session.drawnTo.Load()
	err := w.commit(ctx, p.read, tx, p.lost.Load)
	if err == nil {
		w.session.kept(to)
	}
	return err
}
