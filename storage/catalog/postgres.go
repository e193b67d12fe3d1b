package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// postgres is a database of PostgreSQL, in the schema that is first in its search path.
//
// Several servers may have the catalog. Each writes through one connection, whose session holds the locks of the
// server (postgres_lock.go): a transaction can be committed only by a session that is there, and once a session has
// ended, so have its locks. PostgreSQL ends the session of a server that gives no sign for some seconds
// (postgres_session.go). So there are no clocks to agree on, and nothing to renew in tables.
//
// Transactions that write are one after another, over all servers, as they are in SQLite: each begins by waiting for
// one lock (begin). They are READ COMMITTED: each statement sees all that was committed before. So what a transaction
// has checked stays true until it is committed, nothing has to be tried again, and no transaction waits for another
// that waits for it. A stricter level would refuse transactions that no other one contradicts, and REPEATABLE READ
// would hide from a check what was committed while the transaction waited. Those that only read are REPEATABLE READ,
// and see one state.
type postgres struct {
	config *pgx.ConnConfig
	server string
	alone  bool // PostgresOptions.Alone
	write  *sql.DB
	read   *sql.DB
	busy   chan struct{} // has an element while the connection of write is in use

	existing bool // PostgresOptions.Existing
	plays    *program

	id       int64        // of this server, in the table servers
	first    bool         // no other server was there when it was opened
	timeline atomic.Int64 // of the database, when it was opened; 0: it is not yet
	session  atomic.Pointer[session]
	lost     atomic.Bool // the database has become another one

	locks *lockTable
	quiet context.CancelFunc // ends the signs of life
	ends  sync.WaitGroup     // what goes on in the background
}

// PostgresOptions are how a catalog in PostgreSQL is opened.
type PostgresOptions struct {
	Server string // this one, for people
	Hook   Hook

	// Waiting is called when the catalog can't be opened at the moment, with an error that says why: another server is
	// starting, or has it for itself, or the database is away. Then Open waits. nil: it fails with that error, except
	// where another server is starting.
	Waiting func(err error)

	Existing bool // fail with ErrNoCatalog where there is none, in place of making one
	Alone    bool // have it alone: fail with ErrTaken where another server is there, and keep others out
	Starting bool // keep other servers waiting until Started is called

	plays *program // for tests; nil: this one
}

// program is one of another version, for tests.
type program struct {
	files fs.FS // its migrations
	needs int64
}

// ErrNoCatalog is returned of a database without a catalog, where one must be there.
var ErrNoCatalog = errors.New("there is no catalog in the database")

// ErrTaken is returned when another server has the catalog, and one of the two is to have it alone.
var ErrTaken = errors.New("another server has the catalog")

// ErrStarting is returned when another server brings the catalog up to date.
var ErrStarting = errors.New("another server is starting with the catalog")

// ErrLockLost is returned when a lock was lost since it was taken, with the connection that held it. Another server may
// have it.
var ErrLockLost = errors.New("the lock was lost with the connection to the database")

// ErrFailover is returned when the database has become another one since the catalog was opened: a replica, which may
// lack the last transactions. Opening the catalog again settles which.
var ErrFailover = errors.New("another database server has taken over, which may lack the last transactions")

// parameters of every session. keepalive ends that of a server that is gone without a word within some ten seconds.
var parameters = map[string]string{
	"application_name": "rowback", "client_encoding": "UTF8", "tcp_keepalives_idle": "4", "tcp_keepalives_interval": "2",
	"tcp_keepalives_count": "3", "client_connection_check_interval": "2s",
}

const connectTime = 5 * time.Second

// lockClass is the first half of the key of the lock that all servers share; the other is of the schema. Programs that
// write alone take it for themselves, those before several servers could write among them.
const lockClass = 0x726f7762

// OpenPostgres opens the catalog in a PostgreSQL database, of which the role in the URL may create tables, and runs
// pending migrations.
func OpenPostgres(ctx context.Context, url string, o PostgresOptions) (*Catalog, error) {
	config, err := PostgresConfig(url)
	if err != nil {
		return nil, err
	}
	p := &postgres{
		config: config, server: o.Server, alone: o.Alone, existing: o.Existing, plays: o.plays, busy: make(chan struct{}, 1),
		locks: newLockTable(), quiet: func() {},
	}
	p.write = stdlib.OpenDB(*writing(config), stdlib.OptionAfterConnect(p.connected))
	p.write.SetMaxOpenConns(1)
	p.read = stdlib.OpenDB(*config, stdlib.OptionAfterConnect(p.reads))
	most := Readers(url)
	p.read.SetMaxOpenConns(most)
	p.read.SetMaxIdleConns(max(most/3, 1))
	if err := p.take(ctx, o); err != nil {
		p.leave()
		return nil, errors.Join(err, p.write.Close(), p.read.Close())
	}
	c := newCatalog(p.write, p.read, p, o.Hook)
	c.server, c.locks = p.id, p.locks
	return c, nil
}

// PostgresConfig returns how to connect to a database. What the URL says of a session's parameters is left as it is.
func PostgresConfig(url string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(url)
	if err == nil && Readers(url) < 1 {
		err = fmt.Errorf("%s must be a whole number from 1", poolSize)
	}
	if err != nil {
		return nil, fmt.Errorf("the address of the catalog is not one of a PostgreSQL database: %w", err)
	}
	delete(config.RuntimeParams, poolSize) // which is ours
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

// readers is how many connections read at once, where the URL does not say. PostgreSQL itself allows some hundred, of all
// servers.
const readers = 24

// poolSize is the parameter of the URL that says how many connections read at once, under the name that pgxpool has for
// it.
const poolSize = "pool_max_conns"

// Readers is how many connections of a server read its catalog at once at most; one more writes. 0: what the URL says of
// it is not a number.
func Readers(url string) int {
	config, err := pgx.ParseConfig(url)
	if err != nil || config.RuntimeParams[poolSize] == "" {
		return readers
	}
	n, _ := strconv.Atoi(config.RuntimeParams[poolSize]) // else 0
	return max(n, 0)
}

// take waits until the catalog can be opened, brings it up to date and makes this server one of those that have it.
func (p *postgres) take(ctx context.Context, o PostgresOptions) error {
	reach := func(ctx context.Context) error { return p.explain(p.write.PingContext(ctx)) }
	if err := waitFor(ctx, o.Waiting, reach); err != nil {
		return err
	}
	p.giveSigns()
	// The start of another server is waited for in any case: it ends.
	waiting := o.Waiting
	if waiting == nil {
		waiting = func(error) {}
	}
	if err := waitFor(ctx, waiting, p.beginOpening); err != nil {
		return err
	}
	if err := p.exists(ctx); err != nil {
		return err
	}
	if err := migrate(ctx, p, p.write); err != nil {
		return fmt.Errorf("bringing the catalog up to date: %w", p.explain(err))
	}
	if err := p.enroll(ctx); err != nil {
		return p.explain(err)
	}
	if o.Starting {
		return nil
	}
	return p.started(ctx)
}

// waitFor does something until it does not fail any more because of another server or a database that is away.
func waitFor(ctx context.Context, waiting func(error), do func(context.Context) error) error {
	said := ""
	for {
		err := do(ctx)
		// One that is to take over waits for the database as well: what ended the other server may have ended both.
		if err == nil || waiting == nil || !IsUnavailable(err) {
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

func (*postgres) dialect() goose.Dialect { return goose.DialectPostgres }

func (p *postgres) files() (fs.FS, error) {
	files, err := fs.Sub(migrations, "migrations")
	if p.plays != nil {
		files = p.plays.files
	}
	return Translated(files, translate), err
}

func (*postgres) isRemote() bool { return true }

func (*postgres) reading() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
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

// holds connects, if need be, and asks the database for a sign.
func (p *postgres) holds(ctx context.Context) error {
	if p.lost.Load() {
		return ErrFailover
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
	switch err := isThere(ctx, read, "commits"); {
	case errors.Is(err, ErrNoCatalog):
		return nil
	case err != nil:
		return p.explain(err)
	}
	frozen, err := c.Freeze(ctx)
	if err != nil {
		return p.explain(err)
	}
	return errors.Join(frozen.CopyTo(ctx, path), frozen.Close())
}

// IsLost reports whether err says that the catalog can't be used any more until it is opened again.
func IsLost(err error) bool { return errors.Is(err, ErrFailover) }

// IsUnavailable reports whether err says that the catalog's database can't be reached at the moment, is starting or
// stopping, or has no room; or that another server is in the way.
func IsUnavailable(err error) bool {
	if IsLost(err) || errors.Is(err, ErrTaken) || errors.Is(err, ErrStarting) || errors.Is(err, ErrLockLost) {
		return true
	}
	if state := stateOf(err); state != "" {
		switch state {
		case stoodStill, readOnly, notPrimary, lockTimeout:
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
