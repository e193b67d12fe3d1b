package catalog

import (
	"context"
	"database/sql"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// database is what differs between the databases that a catalog may be in.
type database interface {
	// dialect and files are how goose speaks to it, and the migrations.
	dialect() goose.Dialect
	files() (fs.FS, error)

	// beside reports why a program that knows the tables up to a version can't work with those of a later one.
	// mayUpgrade does why its migrations can't be run after a version, and upgraded is called after they were.
	beside(ctx context.Context, db *sql.DB, has, knows int64) error
	mayUpgrade(ctx context.Context, has int64) error
	upgraded(ctx context.Context, db *sql.DB) error

	// isRemote reports whether it may be cut off, and other processes may have it open: then every statement has a time
	// limit.
	isRemote() bool

	// isFirst reports whether no other process had it open when this one opened it; started lets others open it.
	isFirst() bool
	started(ctx context.Context) error

	// servers lists the processes that have it open; nil: this one alone can.
	servers(ctx context.Context) ([]Server, error)

	// grip takes the part of a lock that excludes other processes, with the numbers of a commit if draws, tryGrip does
	// where no one else has it (nil), and release gives it back. letOthers lets those go first that wait for it. isLocked
	// reports whether any process has it. A database that only one process opens has no grips.
	grip(ctx context.Context, name string, draws bool) (*grip, drawn, error)
	tryGrip(ctx context.Context, name string) (*grip, error)
	release(name string, g *grip)
	letOthers(ctx context.Context, name string) error
	isLocked(ctx context.Context, name string) (bool, error)

	// draw is Draw, keep is Keep, and drawFields DrawFields, where other processes draw as well.
	draw(ctx context.Context, under, sequence string, n int64) (first int64, err error)
	keep(ctx context.Context, under string) error
	drawFields(ctx context.Context, family string, n int64) (first int64, err error)

	// leave gives up what other processes may have, before the connections are closed.
	leave()

	// reading is how a transaction begins that sees one consistent state.
	reading() *sql.TxOptions

	// begin begins a transaction that writes. What it runs comes after all that those before it did. end rolls it back, if
	// it was not committed, and gives back what it holds.
	begin(ctx context.Context) (tx *sql.Tx, w *writer, end func(), err error)

	// commit commits a transaction. isRolledBack reports of its error whether it is certain that nothing was committed.
	commit(ctx context.Context, tx *sql.Tx, w *writer) error

	// over runs do so that what it replaces or deletes is overwritten, as far as the database can do that.
	over(ctx context.Context, do func() error) error

	// settle has what was written before moved to where it stays. With truncate, nothing remains in the journal.
	settle(ctx context.Context, truncate bool) error

	// damage describes what is wrong with the stored rows, whatever they mean; empty: nothing.
	damage(tx Tx) (what string, err error)

	// copyTo writes what a frozen catalog has as a SQLite database, which no one has open.
	copyTo(ctx context.Context, f *Frozen, path string) error

	// holds reports why the catalog can't be written to, or is not this process's.
	holds(ctx context.Context) error

	// bytes is how much it takes; 0: see the file.
	bytes(ctx context.Context) (int64, error)
}

// WriteOver is Write where what is replaced or deleted is overwritten in the file. PostgreSQL has no such thing: there,
// its vacuum removes what no transaction needs, and its log and its backups have it for as long as they are kept.
func (c *Catalog) WriteOver(ctx context.Context, f func(Tx) error) error {
	return c.in.over(ctx, func() error { return c.Write(ctx, f) })
}

// Settle empties the journal that SQLite keeps beside the catalog, which has what was replaced, unless a reader needs
// it: then it is overwritten later.
func (c *Catalog) Settle(ctx context.Context) error { return c.checkpoint(ctx, true) }

// IsShared reports whether other processes may have the catalog open as well: then what this one knows of it from
// before may be out of date.
func (c *Catalog) IsShared() bool { return c.in.isRemote() }

// IsFirst reports whether no other process had the catalog open when this one opened it.
func (c *Catalog) IsFirst() bool { return c.in.isFirst() }

// Started lets other servers open the catalog, once it is up to date (PostgresOptions.Starting).
func (c *Catalog) Started(ctx context.Context) error { return c.in.started(ctx) }

// Holds reports why nothing can be recorded, of a catalog that is in a database of its own.
func (c *Catalog) Holds(ctx context.Context) error { return c.in.holds(ctx) }

// Bytes returns how much a catalog takes that is not in a file of the data directory; 0: it is in one.
func (c *Catalog) Bytes(ctx context.Context) (int64, error) { return c.in.bytes(ctx) }
