// Package catalog keeps the rows that say what the stored files mean: datasets, commits, files, the entries that make
// files live, versions and savepoints (design, section 7).
//
// It is an index: it can be rebuilt from the objects alone. Its SQL is plain, so that PostgreSQL can run it too. Every
// change is one transaction, inside which a dataset's head moves by compare-and-swap.
package catalog

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mattn/go-sqlite3" // the embedded database
)

//go:embed migrations/*.sql
var migrations embed.FS

// Forever is the end_commit of an entry that is live.
const Forever = int64(1<<63 - 1)

// ErrMoved is returned when a dataset's head is no longer the commit that the change was based on.
var ErrMoved = errors.New("the head has moved")

// ErrNotFound is returned when no row has the requested id.
var ErrNotFound = errors.New("no such row")

// ErrUncertain is returned when a transaction failed so late that it may have been committed. Opening the catalog again
// settles it, by what reached the disk.
var ErrUncertain = errors.New("it is not known whether the transaction was committed")

// Hook is called before ("commit") and after ("committed") a transaction is committed. Its error is treated as one of
// the database at that point: tests crash the store at both.
type Hook func(op string) error

// settings are those of every connection.
const settings = "_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1&_busy_timeout=10000&_stmt_cache_size=128"

// Catalog is an open catalog. Its methods may be called from many goroutines.
type Catalog struct {
	write *sql.DB // one connection: SQLite has one writer at a time
	read  *sql.DB
	hook  Hook

	locks     *lockTable
	sequences sequences
	ranks     *ranks

	checkpointed  func()       // nil: no one asks
	transactions  atomic.Int64 // since the last checkpoint
	checkpointing sync.Mutex
}

// Open opens the catalog in the file at path, creates it if it is missing, and runs pending migrations.
func Open(ctx context.Context, path string, hook Hook) (*Catalog, error) {
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	write, err := sql.Open("sqlite3", "file:"+url.PathEscape(path)+"?_txlock=immediate&"+settings)
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	if err := migrate(ctx, write); err != nil {
		return nil, errors.Join(fmt.Errorf("bringing the catalog up to date: %w", err), write.Close())
	}
	if _, err := write.ExecContext(ctx, `PRAGMA wal_autocheckpoint = 0`); err != nil { // see Checkpoint
		return nil, errors.Join(err, write.Close())
	}
	read, err := sql.Open("sqlite3", "file:"+url.PathEscape(path)+"?_query_only=1&"+settings)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxIdleConns(8)
	return &Catalog{
		write: write, read: read, hook: hook,
		locks: newLockTable(), sequences: sequences{last: map[string]int64{}}, ranks: newRanks(),
	}, nil
}

// makePrivate restricts the catalog to its owner. SQLite creates its journal files with the same permissions.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Chmod(0o600); err != nil && !errors.Is(err, fs.ErrPermission) {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func migrate(ctx context.Context, db *sql.DB) error {
	p, err := provider(db)
	if err != nil {
		return err
	}
	has, knows, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if has > knows {
		return fmt.Errorf("it is of a newer version of the program (%d; this one knows %d). Use that version, or move the "+
			"catalog away: then it is made anew from the objects", has, knows)
	}
	_, err = p.Up(ctx)
	return err
}

// Close closes the catalog.
func (c *Catalog) Close() error { return errors.Join(c.read.Close(), c.write.Close()) }

// Read runs f in a read-only transaction, which sees one consistent state.
func (c *Catalog) Read(ctx context.Context, f func(Tx) error) error {
	tx, err := c.read.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(Tx{tx, c.ranks}); err != nil {
		return err
	}
	return tx.Commit()
}

// Write runs f in a transaction, which is committed durably if f returns nil and rolled back if it returns an error. If
// the error is ErrUncertain, the transaction may have been committed.
func (c *Catalog) Write(ctx context.Context, f func(Tx) error) error {
	tx, err := c.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(Tx{tx, newRanks()}); err != nil { // what is not committed may never be: it is not kept
		return err
	}
	if err := c.hook("commit"); err != nil {
		return err
	}
	err = tx.Commit()
	if err == nil {
		c.wrote(ctx)
		err = c.hook("committed")
	}
	if err != nil && !isRolledBack(err) {
		err = errors.Join(ErrUncertain, err)
	}
	return err
}

// WriteOver is Write where what is replaced or deleted is overwritten in the file.
func (c *Catalog) WriteOver(ctx context.Context, f func(Tx) error) error {
	if _, err := c.write.ExecContext(ctx, `PRAGMA secure_delete = ON`); err != nil {
		return err
	}
	defer c.write.Exec(`PRAGMA secure_delete = OFF`) //nolint:errcheck // it only takes longer
	return c.Write(ctx, f)
}

// Settle empties the journal that SQLite keeps beside the catalog, which has what was replaced, unless a reader needs
// it: then it is overwritten later.
func (c *Catalog) Settle(ctx context.Context) error {
	return c.checkpoint(ctx,
		`PRAGMA busy_timeout = 500; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout = 10000`)
}

// isRolledBack reports whether a transaction that ended with err is certain to have had no effect: it was refused, or
// there was no room for its last page, without which it is not committed.
func isRolledBack(err error) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return errors.Is(err, sql.ErrTxDone) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	}
	return e.Code == sqlite3.ErrFull || e.Code == sqlite3.ErrBusy || e.Code == sqlite3.ErrConstraint
}

// Try runs f and, if it fails, undoes what f has written. The transaction itself can continue.
func (tx Tx) Try(f func() error) error {
	if err := tx.exec(`SAVEPOINT attempt`); err != nil {
		return err
	}
	err := f()
	if err != nil {
		if err := tx.exec(`ROLLBACK TO SAVEPOINT attempt`); err != nil {
			return err
		}
	}
	return errors.Join(err, tx.exec(`RELEASE SAVEPOINT attempt`))
}

// Tx is a transaction: of Read, which must not change anything, or of Write.
type Tx struct {
	sql   *sql.Tx
	ranks *ranks
}

func (tx Tx) exec(query string, args ...any) error {
	_, err := tx.sql.Exec(query, args...)
	return err
}

// one runs a statement that must change exactly one row; none is its error otherwise.
func (tx Tx) one(none error, query string, args ...any) error {
	res, err := tx.sql.Exec(query, args...)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, none)
	}
	return nil
}

type scanner interface{ Scan(dest ...any) error }

// get reads one row. Without any, it returns ErrNotFound.
func get[T any](tx Tx, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	v, err := scan(tx.sql.QueryRow(query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return v, err
}

// list reads all rows. The result is never nil.
func list[T any](tx Tx, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := tx.sql.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

func scanInt(s scanner) (n int64, err error) { return n, s.Scan(&n) }

// micros is how times are stored: as microseconds since 1970.
func micros(t time.Time) int64 { return t.UnixMicro() }

// moment is the reverse of micros.
func moment(us int64) time.Time { return time.UnixMicro(us).UTC() }

// IsDuplicate reports whether err is the violation of a unique constraint, such as that on a dataset's name.
func IsDuplicate(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.ExtendedCode == sqlite3.ErrConstraintUnique
}

// IsConstraint reports whether err is the violation of any constraint.
func IsConstraint(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code == sqlite3.ErrConstraint
}
