package catalog

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"
)

// A lock of a catalog that several servers have is held twice: by someone in this process, who came first in its queue
// (lockTable), and by the session that writes, as an advisory lock of PostgreSQL's. The session's part is a grip.
//
// A server that finds the lock taken asks again every few milliseconds, and holds another lock meanwhile, shared with
// others who wait (wanted). Whoever gives the lock back looks at that one: if others wait, the next of its own lets
// them go first. Where no one else waits, and not for longer than a moment, the grip is handed on within the process.
//
// A grip ends with its session. Who holds it may not know that yet: before a transaction does what the lock is for, it
// makes sure that the session which is to commit it is the one that holds the lock (Tx.holds).

// grip is the part of a lock that a session has.
type grip struct {
	session *session
	since   time.Time
}

// hasEnded reports whether the session is known to have ended.
func (g *grip) hasEnded() bool {
	select {
	case <-g.session.ended:
		return true
	default:
		return false
	}
}

// The times of locks that several servers want: how long a server may hand one on to its own, how often it is asked for
// at first and later, and how long others are let go first.
const (
	tenureTime  = 50 * time.Millisecond
	askedFirst  = 2 * time.Millisecond
	askedLater  = 50 * time.Millisecond
	othersFirst = 15 * time.Millisecond
)

// grip waits until the session has the lock of a name, and draws the numbers of a commit with it, if draws.
func (p *postgres) grip(ctx context.Context, name string, draws bool) (*grip, drawn, error) {
	key := localKey(name)
	var asked *session // that says that the lock is wanted
	defer func() {
		if asked != nil {
			p.inBackground(asked, `SELECT pg_advisory_unlock_shared(`+keyOf+`)`, wantedKey(key))
		}
	}()
	for between := askedFirst; ; between = min(2*between, askedLater) {
		g, numbers, err := p.tryKey(ctx, key, draws)
		if g != nil || err != nil {
			return g, numbers, err
		}
		if asked == nil {
			err := p.do(ctx, func(ctx context.Context, conn *sql.Conn, s *session) error {
				asked = s
				_, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock_shared(`+keyOf+`)`, wantedKey(key))
				return err
			})
			if err != nil {
				return nil, nil, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(between/2 + rand.N(between)): // #nosec G404 -- so that servers do not ask in step
		}
	}
}

// wantedKey is the key of the lock that those share who wait for another.
func wantedKey(key string) string { return "wanted " + key }

// tryGrip takes the lock of a name if it is free; nil: it is not.
func (p *postgres) tryGrip(ctx context.Context, name string) (*grip, error) {
	g, _, err := p.tryKey(ctx, localKey(name), false)
	return g, err
}

func (p *postgres) tryKey(ctx context.Context, key string, draws bool) (g *grip, numbers drawn, err error) {
	err = p.do(ctx, func(ctx context.Context, conn *sql.Conn, s *session) (err error) {
		var got bool
		if draws {
			got, numbers, err = p.lockAndDraw(ctx, conn, s, key)
		} else {
			err = conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock(`+keyOf+`)`, key).Scan(&got)
		}
		if got {
			g = &grip{s, time.Now()}
		}
		return err
	})
	return g, numbers, err
}

// release gives back the lock of a name.
func (p *postgres) release(name string, g *grip) {
	if g.hasEnded() {
		return
	}
	p.inBackground(g.session, `SELECT pg_advisory_unlock(`+keyOf+`)`, localKey(name))
}

// inBackground runs a statement that gives back what a session has. If it fails, the session has ended, and all is
// given back.
func (p *postgres) inBackground(of *session, statement, key string) {
	p.ends.Go(func() {
		// However long others use the connection: a lock that is not given back is held as long as the session is there.
		_ = p.do(context.Background(), func(ctx context.Context, conn *sql.Conn, s *session) error {
			if s != of {
				return nil
			}
			_, err := conn.ExecContext(ctx, statement, key)
			return err
		})
	})
}

// letOthers waits for a moment if other servers wait for the lock of a name.
func (p *postgres) letOthers(ctx context.Context, name string) error {
	var free bool
	key := localKey(name)
	err := p.do(ctx, func(ctx context.Context, conn *sql.Conn, _ *session) error {
		return conn.QueryRowContext(ctx, `SELECT pg_try_advisory_xact_lock(`+keyOf+`)`, wantedKey(key)).Scan(&free)
	})
	if err != nil || free {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(othersFirst):
		return nil
	}
}

// isLocked reports whether any server has the lock of a name.
func (p *postgres) isLocked(ctx context.Context, name string) (bool, error) {
	held, err := p.heldKeys(ctx)
	if err != nil {
		return false, err
	}
	var key int64
	err = p.read.QueryRowContext(ctx, `SELECT `+keyOf, localKey(name)).Scan(&key)
	return held[key] != 0, err
}

// holds makes sure that if this server has the lock of a name, the session that is to commit the transaction holds it.
// With again, it takes the lock once more if it was lost and is free: for what no one else can have changed in between
// without the transaction finding out, which is told that the lock was taken again.
func (tx Tx) holds(name string, again bool) (retaken bool, err error) {
	if tx.writer == nil {
		return false, nil
	}
	g := tx.writer.locks.gripOf(name)
	if g == nil || g.session == tx.writer.session {
		return false, nil
	}
	if !again {
		return false, ErrLockLost
	}
	var got bool
	if err := tx.row(`SELECT pg_try_advisory_lock(`+keyOf+`)`, []any{localKey(name)}, &got); err != nil {
		return false, err
	}
	if !got {
		return false, ErrLockLost
	}
	tx.writer.locks.setGrip(name, &grip{tx.writer.session, time.Now()})
	return true, nil
}

// Holds makes sure that the lock of a name, if this server has it, was not lost since it was taken, and that the
// transaction's session is there: before what can't be rolled back is done in the transaction.
func (tx Tx) Holds(name string) error {
	if tx.writer == nil {
		return nil
	}
	_, err := tx.holds(name, false)
	return errors.Join(err, tx.exec(`SELECT 1`))
}

// errNotHeld is joined to the error of a draw under a lock that was lost.
var errNotHeld = errors.New("nothing was drawn")
