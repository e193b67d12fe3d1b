package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// postgres is a database of PostgreSQL, in the schema that is first in its search path.
//
// One server at a time has the catalog. It writes through one connection, whose session holds an advisory lock: a
// transaction can be committed only by a session that is there, so a server that is cut off can't write after another
// has taken over. PostgreSQL ends the session of a server that is gone, and with it the lock (keepalive). So there are
// no clocks to agree on, and nothing to renew. A server that connects again has the catalog still if no one took it
// meanwhile: the epoch in the table tenure is its own.
//
// Transactions that write are one after another, as they are in SQLite, and READ COMMITTED: each statement sees all
// that was committed before. A stricter level would refuse transactions that no other one contradicts, and REPEATABLE
// READ would hide from a check what was committed while the transaction waited. Those that read are REPEATABLE READ,
// and see one state.
type postgres struct {
	config *pgx.ConnConfig
	server string
	write  *sql.DB

	existing bool // PostgresOptions.Existing

	epoch    atomic.Int64 // 0: it does not have the catalog yet
	timeline atomic.Int64 // of the database, when it took it
	session  atomic.Pointer[session]
	lost     atomic.Bool // another server has it
}

// session is one of PostgreSQL's: the start distinguishes it from a later one with the same process id.
type session struct {
	pid   uint32
	start string
}

// PostgresOptions are how a catalog in PostgreSQL is taken.
type PostgresOptions struct {
	Server string // this one, for people: what another one is told that finds the catalog taken
	Hook   Hook

	// Waiting is called when another server has the catalog, with an error that says which, or the database is away;
	// then Open waits. nil: it fails with that error.
	Waiting func(err error)

	Existing bool // fail with ErrNoCatalog where there is none, in place of making one
}

// ErrNoCatalog is returned of a database without a catalog, where one must be there.
var ErrNoCatalog = errors.New("there is no catalog in the database")

// ErrTaken is returned when another server has the catalog.
var ErrTaken = errors.New("another server has the catalog")

// ErrLost is returned once another server has taken over the catalog. Only opening it again helps.
var ErrLost = errors.New("another server has taken over the catalog")

// ErrFailover is returned when the database has become another one since the catalog was opened: a replica, which may
// lack the last transactions. Opening the catalog again settles which.
var ErrFailover = errors.New("another database server has taken over, which may lack the last transactions")

// parameters of every session. keepalive ends that of a server that is gone without a word within some ten seconds.
var parameters = map[string]string{
	"application_name": "rowback", "client_encoding": "UTF8", "tcp_keepalives_idle": "4", "tcp_keepalives_interval": "2",
	"tcp_keepalives_count": "3", "client_connection_check_interval": "2s",
}

const connectTime = 5 * time.Second

// lockClass is the first half of the advisory lock's key; the other is of the schema.
const lockClass = 0x726f7762

// OpenPostgres opens the catalog in a PostgreSQL database, of which the role in the URL may create tables, and runs
// pending migrations. It waits for another server that has it, or fails with ErrTaken.
func OpenPostgres(ctx context.Context, url string, o PostgresOptions) (*Catalog, error) {
	config, err := PostgresConfig(url)
	if err != nil {
		return nil, err
	}
	p := &postgres{config: config, server: o.Server, existing: o.Existing}
	p.write = stdlib.OpenDB(*config, stdlib.OptionAfterConnect(p.connected))
	p.write.SetMaxOpenConns(1)
	if err := p.take(ctx, o.Waiting); err != nil {
		return nil, errors.Join(err, p.write.Close())
	}
	read := stdlib.OpenDB(*config)
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(8)
	return newCatalog(p.write, read, p, o.Hook), nil
}

// PostgresConfig returns how to connect to a database. What the URL says of a session's parameters is left as it is.
func PostgresConfig(url string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("the address of the catalog is not one of a PostgreSQL database: %w", err)
	}
	for name, value := range parameters {
		if _, given := config.RuntimeParams[name]; !given {
			config.RuntimeParams[name] = value
		}
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTime
	}
	config.DialFunc = dialer(config.ConnectTimeout).DialContext
	return config, nil
}

// readers is how many connections read at once. PostgreSQL itself allows some hundred, of all servers.
const readers = 24

// take waits for the catalog if another server has it, brings it up to date and makes it this server's.
func (p *postgres) take(ctx context.Context, waiting func(error)) error {
	said := ""
	for {
		err := p.explain(p.write.PingContext(ctx))
		if err == nil {
			break
		}
		// One that is to take over waits for the database as well: what ended the other server may have ended both.
		if waiting == nil || !IsUnavailable(err) {
			return err
		}
		if err.Error() != said {
			said = err.Error()
			waiting(err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(waitBetween):
		}
	}
	if err := p.exists(ctx); err != nil {
		return err
	}
	if err := migrate(ctx, p, p.write); err != nil {
		return fmt.Errorf("bringing the catalog up to date: %w", p.explain(err))
	}
	var epoch, timeline int64
	err := p.write.QueryRowContext(ctx, `UPDATE tenure SET epoch = epoch + 1, server = $1, since = $2
		RETURNING epoch, `+timelineNow, p.server, micros(time.Now())).Scan(&epoch, &timeline)
	if err != nil {
		return p.explain(err)
	}
	p.timeline.Store(timeline)
	p.epoch.Store(epoch)
	return nil
}

const waitBetween = 300 * time.Millisecond

// timelineNow is the database's timeline, which a replica that takes over begins anew.
const timelineNow = `('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint`

// exists refuses a database without a catalog, where none is to be made.
func (p *postgres) exists(ctx context.Context) (err error) {
	if !p.existing {
		return nil
	}
	var there bool
	err = p.write.QueryRowContext(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL`).Scan(&there)
	if err == nil && !there {
		err = fmt.Errorf("%w: %s", ErrNoCatalog, p.where())
	}
	return err
}

// explain adds what to do to an error of opening the catalog.
func (p *postgres) explain(err error) error {
	if errors.Is(err, ErrTaken) {
		return err
	}
	if err = Marked(err); IsUnavailable(err) {
		return fmt.Errorf("PostgreSQL can't be reached for the catalog (%s): %w", p.where(), err)
	}
	return err
}

// where is the database without its password.
func (p *postgres) where() string {
	return fmt.Sprintf("host %s, port %d, database %s", p.config.Host, p.config.Port, p.config.Database)
}

// connected claims the catalog for a new connection. The driver forgets one that is refused here and does not close it:
// its session would stay, perhaps with the lock.
func (p *postgres) connected(ctx context.Context, conn *pgx.Conn) error {
	err := p.claim(ctx, conn)
	if err != nil {
		_ = conn.Close(ctx) // the refusal is what counts
	}
	return err
}

// claim takes the lock for a new connection, and makes sure that the catalog is still this server's.
func (p *postgres) claim(ctx context.Context, conn *pgx.Conn) error {
	if p.lost.Load() {
		return ErrLost
	}
	// What is answered must be durable, whatever the database's default is.
	if _, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', FALSE)
		WHERE current_setting('synchronous_commit') = 'off'`); err != nil {
		return err
	}
	if err := p.lock(ctx, conn); err != nil {
		if errors.Is(err, ErrTaken) && p.epoch.Load() != 0 && p.hasLost(ctx, conn) {
			return p.lose(ErrLost)
		}
		return err
	}
	if p.epoch.Load() != 0 {
		if p.hasLost(ctx, conn) {
			return p.lose(ErrLost)
		}
		var timeline int64
		if err := conn.QueryRow(ctx, `SELECT `+timelineNow).Scan(&timeline); err != nil {
			return err
		}
		if timeline != p.timeline.Load() {
			return p.lose(ErrFailover)
		}
	}
	s := session{pid: conn.PgConn().PID()}
	if err := conn.QueryRow(ctx, `SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()`).
		Scan(&s.start); err != nil {
		return err
	}
	p.session.Store(&s)
	return nil
}

// lose notes that the catalog is not this server's any more. The next connection is refused as well.
func (p *postgres) lose(why error) error {
	p.lost.Store(true)
	return why
}

// hasLost reports whether another server has taken over.
func (p *postgres) hasLost(ctx context.Context, conn *pgx.Conn) bool {
	var epoch int64
	err := conn.QueryRow(ctx, `SELECT epoch FROM tenure`).Scan(&epoch)
	return err == nil && epoch != p.epoch.Load()
}

// lock takes the advisory lock. A session of this server's that is still there after its connection was cut is ended.
func (p *postgres) lock(ctx context.Context, conn *pgx.Conn) error {
	for try := range 2 {
		var got *bool // null: no schema in the search path exists
		if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, hashtext(current_schema()))`, lockClass).
			Scan(&got); err != nil {
			return err
		}
		if got == nil {
			return errors.New("the database has no schema for the catalog's tables: name one with search_path in the URL")
		}
		if *got {
			return nil
		}
		before := p.session.Load()
		if try > 0 || before == nil {
			break
		}
		// pg_terminate_backend waits until it has ended, for some milliseconds at most.
		if _, err := conn.Exec(ctx, `SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity
			WHERE pid = $1 AND backend_start::text = $2`, int64(before.pid), before.start); err != nil {
			return err
		}
	}
	return p.taken(ctx, conn)
}

// taken says which server has the catalog.
func (p *postgres) taken(ctx context.Context, conn *pgx.Conn) error {
	var has bool
	var server string
	var since int64
	err := conn.QueryRow(ctx, `SELECT to_regclass('tenure') IS NOT NULL`).Scan(&has)
	if err == nil && has {
		err = conn.QueryRow(ctx, `SELECT server, since FROM tenure`).Scan(&server, &since)
	}
	if err != nil || server == "" {
		return errors.Join(ErrTaken, err)
	}
	return fmt.Errorf("%w: %s, since %s", ErrTaken, server, moment(since).Format(time.RFC3339))
}

func (*postgres) dialect() goose.Dialect { return goose.DialectPostgres }

func (*postgres) files() (fs.FS, error) {
	files, err := fs.Sub(migrations, "migrations")
	return Translated(files, translate), err
}

func (*postgres) isRemote() bool { return true }

// leave gives up the lock. Closing the session does as well, but PostgreSQL notices that a little later, and a server
// that starts in between would be refused.
func (p *postgres) leave() {
	if p.lost.Load() {
		return
	}
	ctx, done := context.WithTimeout(context.Background(), leaveTime)
	defer done()
	_, _ = p.write.ExecContext(ctx, `SELECT pg_advisory_unlock_all()`) // without it, the session's end does
}

// leaveTime is how long giving up the lock may take.
const leaveTime = 2 * time.Second

func (*postgres) reading() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

// commit commits a transaction. If the connection breaks meanwhile, PostgreSQL is asked what came of it.
func (p *postgres) commit(ctx context.Context, cancel func(), tx *sql.Tx) error {
	late := time.AfterFunc(statementTime, cancel)
	defer late.Stop()
	// Connecting again makes sure that the catalog is still this server's.
	return CommitPostgres(ctx, p.write, tx, p.lost.Load)
}

func (*postgres) over(_ context.Context, do func() error) error { return do() }

func (*postgres) settle(context.Context, bool) error { return nil }

// damage has nothing to find: PostgreSQL checks its references itself, and its pages with its own tools.
func (*postgres) damage(Tx) (string, error) { return "", nil }

func (p *postgres) bytes(ctx context.Context) (n int64, err error) {
	return n, Marked(p.write.QueryRowContext(ctx, `SELECT COALESCE(SUM(pg_total_relation_size(c.oid)), 0)::bigint
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND n.nspname = current_schema()`).Scan(&n))
}

// holds connects, which makes sure that the catalog is this server's.
func (p *postgres) holds(ctx context.Context) error {
	if p.lost.Load() {
		return ErrLost
	}
	return Marked(p.write.PingContext(ctx))
}

// CopyPostgres writes a copy of a catalog in PostgreSQL as a file of SQLite, whichever server has it. One without
// tables is a catalog without rows.
func CopyPostgres(ctx context.Context, url, path string) error {
	config, err := PostgresConfig(url)
	if err != nil {
		return err
	}
	read := stdlib.OpenDB(*config)
	defer read.Close()
	p := &postgres{config: config, write: read}
	c := newCatalog(read, read, p, nil)
	var has bool
	if err := read.QueryRowContext(ctx, `SELECT to_regclass('tenure') IS NOT NULL`).Scan(&has); err != nil || !has {
		return p.explain(err)
	}
	frozen, err := c.Freeze(ctx)
	if err != nil {
		return p.explain(err)
	}
	return errors.Join(frozen.CopyTo(ctx, path), frozen.Close())
}

// Epoch is the tenure in which this server has the catalog, as the table tenure counts them: it changes when another
// server takes over. 0: the catalog is in the data directory, and no other server can.
func (c *Catalog) Epoch() int64 {
	if p, ok := c.in.(*postgres); ok {
		return p.epoch.Load()
	}
	return 0
}

// IsLost reports whether err says that the catalog is not this server's any more: it has to be opened again.
func IsLost(err error) bool { return errors.Is(err, ErrLost) || errors.Is(err, ErrFailover) }

// IsUnavailable reports whether err says that the catalog's database can't be reached at the moment, is starting or
// stopping, or has no room; or that it is not this server's any more.
func IsUnavailable(err error) bool {
	if IsLost(err) || errors.Is(err, ErrTaken) {
		return true
	}
	if state := stateOf(err); state != "" {
		switch state {
		case stoodStill, readOnly, notPrimary:
			return true
		}
		switch state[:2] {
		case connectionClass, rollbackClass, resourceClass, operatorClass:
			return true
		}
		return false
	}
	var cut cutOff
	return errors.As(err, &cut)
}
