package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// session is one of PostgreSQL's: that of the connection which writes. The start distinguishes it from a later one with
// the same process id.
type session struct {
	pid   uint32
	start string
	run   string // of the database (runNow)

	once  sync.Once
	ended chan struct{} // closed once it is known that it has ended, and its locks with it

	drawnTo, keptTo atomic.Int64 // where PostgreSQL's log has what was drawn in it (keep)
	keeping         sync.Mutex
}

func (s *session) end() { s.once.Do(func() { close(s.ended) }) }

// signEvery is how often a server gives a sign of life on its session, and silence after how long without one
// PostgreSQL ends the session: what stands still, or can't be reached, holds its locks for that long at most. That is
// much longer than a busy machine keeps a process waiting, and short enough for those who wait for the locks.
const (
	signEvery = 2 * time.Second
	silence   = "10s"
)

// writing is how the connection is made that writes.
func writing(config *pgx.ConnConfig) *pgx.ConnConfig {
	config = config.Copy()
	for _, name := range []string{"idle_session_timeout", "idle_in_transaction_session_timeout"} {
		if _, given := config.RuntimeParams[name]; !given {
			config.RuntimeParams[name] = silence
		}
	}
	return config
}

// giveSigns has the server give signs of life until it leaves.
func (p *postgres) giveSigns() {
	ctx, cancel := context.WithCancel(context.Background())
	p.quiet = cancel
	p.ends.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(signEvery):
			}
			// An error shows in whoever writes next. The session is known to have ended then.
			_ = p.do(ctx, func(ctx context.Context, conn *sql.Conn, _ *session) error {
				_, err := conn.ExecContext(ctx, `SELECT 1`)
				return err
			})
		}
	})
}

// do runs statements on the connection that writes, once no one else uses it. A request that ends meanwhile does not
// end the statements: the driver would close the connection, and the locks of all others would be lost. They are run
// once more where the connection was gone.
func (p *postgres) do(ctx context.Context, f func(context.Context, *sql.Conn, *session) error) error {
	err := p.doOnce(ctx, f)
	if isStale(err) {
		err = p.doOnce(ctx, f)
	}
	return err
}

func (p *postgres) doOnce(ctx context.Context, f func(context.Context, *sql.Conn, *session) error) error {
	conn, s, done, err := p.connection(ctx)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTime)
	defer cancel()
	return f(ctx, conn, s)
}

// connection waits for the connection that writes, and makes it again if need be. done gives it back.
func (p *postgres) connection(ctx context.Context) (conn *sql.Conn, s *session, done func(), err error) {
	select {
	case p.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, nil, context.Cause(ctx)
	}
	connecting, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*connectTime)
	defer cancel()
	if conn, err = p.write.Conn(connecting); err != nil {
		if s := p.session.Load(); s != nil {
			s.end()
		}
		<-p.busy
		return nil, nil, nil, err
	}
	s = p.session.Load()
	return conn, s, func() {
		if isClosed(conn) {
			s.end()
		}
		_ = conn.Close() // one that was closed by the driver is not used again
		<-p.busy
	}, nil
}

// isClosed reports whether the driver has closed a connection.
func isClosed(conn *sql.Conn) (closed bool) {
	err := conn.Raw(func(c any) error {
		if made, ok := c.(*stdlib.Conn); ok {
			closed = made.Conn().IsClosed()
		}
		return nil
	})
	return closed || err != nil && !errors.Is(err, sql.ErrConnDone)
}

// connected prepares a new connection. The driver forgets one that is refused here and does not close it: its session
// would stay, perhaps with locks.
func (p *postgres) connected(ctx context.Context, conn *pgx.Conn) error {
	err := p.claim(ctx, conn)
	if err != nil {
		_ = conn.Close(ctx) // the refusal is what counts
	}
	return err
}

// claim makes a new connection the one that writes, and its session the one that holds the server's locks.
func (p *postgres) claim(ctx context.Context, conn *pgx.Conn) error {
	if p.lost.Load() {
		return ErrFailover
	}
	before := p.session.Load()
	if before != nil {
		before.end()
		// It may be there still, without its connection. pg_terminate_backend waits until it has ended, for some
		// milliseconds at most.
		if _, err := conn.Exec(ctx, `SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity
			WHERE pid = $1 AND backend_start::text = $2`, int64(before.pid), before.start); err != nil {
			return err
		}
	}
	if err := syncs(ctx, conn); err != nil {
		return err
	}
	if err := p.isSame(ctx, conn); err != nil {
		return err
	}
	if err := p.join(ctx, conn); err != nil {
		return err
	}
	s := &session{pid: conn.PgConn().PID(), ended: make(chan struct{})}
	if err := conn.QueryRow(ctx, `SELECT backend_start::text, `+runNow+` FROM pg_stat_activity
		WHERE pid = pg_backend_pid()`).Scan(&s.start, &s.run); err != nil {
		return err
	}
	p.session.Store(s)
	return nil
}

// reads makes sure that a new connection for readers is to the database that it was.
func (p *postgres) reads(ctx context.Context, conn *pgx.Conn) error {
	if p.lost.Load() {
		return ErrFailover
	}
	err := p.isSame(ctx, conn)
	if err == nil {
		err = syncs(ctx, conn) // promises, and what is drawn, are kept on these connections
	}
	if err != nil {
		_ = conn.Close(ctx) // the refusal is what counts
	}
	return err
}

// syncs has a session wait for the disk: what is answered must be durable, whatever the database's default is.
func syncs(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', FALSE)
		WHERE current_setting('synchronous_commit') = 'off'`)
	return err
}

// isSame makes sure that the database is the one that it was.
func (p *postgres) isSame(ctx context.Context, conn *pgx.Conn) error {
	var timeline int64
	if err := conn.QueryRow(ctx, `SELECT `+timelineNow).Scan(&timeline); err != nil {
		return err
	}
	if !p.timeline.CompareAndSwap(0, timeline) && p.timeline.Load() != timeline {
		p.lost.Store(true) // the next connection is refused as well
		return ErrFailover
	}
	return nil
}

// join takes the locks that a server has as long as it is there: its own once it has a number, and that of all servers.
func (p *postgres) join(ctx context.Context, conn *pgx.Conn) error {
	if p.id != 0 {
		if _, err := conn.Exec(ctx, `SELECT pg_try_advisory_lock(`+keyOf+`)`, serverLock(p.id)); err != nil {
			return err
		}
	}
	take := `pg_try_advisory_lock_shared`
	if p.alone {
		take = `pg_try_advisory_lock`
	}
	var got *bool // null: no schema in the search path exists
	if err := conn.QueryRow(ctx, `SELECT `+take+`($1, hashtext(current_schema()))`, lockClass).Scan(&got); err != nil {
		return err
	}
	switch {
	case got == nil:
		return errors.New("the database has no schema for the catalog's tables: name one with search_path in the URL")
	case !*got:
		return p.taken(ctx)
	}
	return nil
}

// taken says who has the catalog, as far as that is known.
func (p *postgres) taken(ctx context.Context) error {
	if isThere(ctx, p.read, "servers") != nil {
		return ErrTaken
	}
	alive, err := p.servers(ctx)
	if err != nil || len(alive) == 0 {
		return errors.Join(ErrTaken, err)
	}
	var names []string
	for _, s := range alive {
		names = append(names, fmt.Sprintf("%s, since %s", s.Name, s.Since.Format(time.RFC3339)))
	}
	return fmt.Errorf("%w: %s", ErrTaken, strings.Join(names, "; "))
}

// leave gives up the locks. Closing the session does as well, but PostgreSQL notices that a little later, and what
// waits for them would wait longer.
func (p *postgres) leave() {
	p.quiet()
	p.ends.Wait()
	if p.session.Load() == nil || p.lost.Load() {
		return
	}
	ctx, done := context.WithTimeout(context.Background(), leaveTime)
	defer done()
	// Without it, the session's end does.
	_ = p.do(ctx, func(ctx context.Context, conn *sql.Conn, _ *session) error {
		_, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock_all()`)
		return err
	})
}

// leaveTime is how long giving up the locks may wait.
const leaveTime = 2 * time.Second

// keyOf is the key of the lock of a name, of the catalog in this schema. Two names may have one key: then those who
// want one of them also wait for the other.
const keyOf = `hashtextextended(current_schema() || ' ' || $1::text, 0)`

// keyAs is keyOf of another parameter.
func keyAs(parameter string) string { return strings.ReplaceAll(keyOf, "$1", parameter) }

// localKey distinguishes names in PostgreSQL's texts, which have no zeros.
func localKey(name string) string {
	h := fnv.New128a()
	h.Write([]byte(name))
	return fmt.Sprintf("%x", h.Sum(nil))
}

func serverLock(id int64) string { return localKey(fmt.Sprintf("server\x00%d", id)) }
