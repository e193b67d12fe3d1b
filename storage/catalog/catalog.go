// Package catalog keeps the rows that say what the stored files mean: datasets, commits, files, the entries that make
// files live, versions and savepoints (design, section 7).
//
// It is an index: it can be rebuilt from the objects alone. It is in SQLite, in a file beside the objects, or in
// PostgreSQL. Both run the same SQL on the same tables; what differs is behind one interface, database. Every change is
// one transaction, inside which a dataset's head moves by compare-and-swap.
package catalog

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"sync"
	"sync/atomic"
	"time"
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

// ErrCrashed is joined to ErrUncertain where the transaction has ended, since the database crashed or it was committed:
// what it wrote tells which.
var ErrCrashed = errors.New("the database crashed meanwhile")

// Hook is called before ("commit") and after ("committed") a transaction is committed. Its error is treated as one of
// the database at that point: tests crash the store at both.
type Hook func(op string) error

// Catalog is an open catalog. Its methods may be called from many goroutines.
type Catalog struct {
	write *sql.DB // one connection: there is one writer at a time
	read  *sql.DB
	in    database
	hook  Hook

	server    int64 // Server
	locks     *lockTable
	sequences sequences
	ranks     *ranks

	checkpointed  func()       // nil: no one asks
	transactions  atomic.Int64 // since the last checkpoint
	checkpointing sync.Mutex
}

// newCatalog is a catalog in a database that is open.
func newCatalog(write, read *sql.DB, in database, hook Hook) *Catalog {
	return &Catalog{
		write: write, read: read, in: in, hook: hook, server: time.Now().UnixMicro(),
		locks: newLockTable(), sequences: sequences{last: map[string]int64{}}, ranks: newRanks(),
	}
}

func migrate(ctx context.Context, in database, db *sql.DB) error {
	p, err := provider(in, db)
	if err != nil {
		return err
	}
	has, knows, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	switch {
	case has > knows:
		return in.beside(ctx, db, has, knows)
	case has == knows:
		return nil
	}
	if err := in.mayUpgrade(ctx, has); err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return err
	}
	return in.upgraded(ctx, db)
}

// Close closes the catalog.
func (c *Catalog) Close() error {
	c.in.leave()
	return errors.Join(c.read.Close(), c.write.Close())
}

// Read runs f in a read-only transaction, which sees one consistent state.
func (c *Catalog) Read(ctx context.Context, f func(Tx) error) error {
	if c.in.isRemote() {
		return c.readRemote(ctx, &reader{db: c.read}, f)
	}
	tx, err := c.read.BeginTx(ctx, c.in.reading())
	if err != nil {
		return err
	}
	defer tx.Rollback() // there is nothing to commit
	return f(c.tx(ctx, tx, c.ranks))
}

// Look is Read of what one statement reads, which needs no transaction for that: f may run no other.
func (c *Catalog) Look(ctx context.Context, f func(Tx) error) error {
	if c.in.isRemote() {
		return c.readRemote(ctx, &reader{db: c.read, once: true}, f)
	}
	return c.Read(ctx, f)
}

func (c *Catalog) readRemote(ctx context.Context, r *reader, f func(Tx) error) error {
	if err := context.Cause(ctx); err != nil { // it begins with its first statement
		return err
	}
	defer r.end()
	return f(Tx{reader: r, ranks: c.ranks, over: ctx})
}

// Write runs f in a transaction, which is committed durably if f returns nil and rolled back if it returns an error. If
// the error is ErrUncertain, the transaction may have been committed.
func (c *Catalog) Write(ctx context.Context, f func(Tx) error) error {
	raw, w, end, err := c.in.begin(ctx)
	if err != nil {
		return c.told(err)
	}
	defer end()
	tx := c.tx(ctx, raw, newRanks()) // what is not committed may never be: it is not kept
	tx.writer = w
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.send(); err != nil {
		return err
	}
	if err := c.hook("commit"); err != nil {
		return err
	}
	err = c.told(c.in.commit(ctx, raw, w))
	if err == nil {
		end()
		c.wrote(ctx)
		err = c.hook("committed")
	}
	if err != nil && !isRolledBack(err) {
		err = errors.Join(ErrUncertain, err)
	}
	return err
}

// Try runs f and, if it fails, undoes what f has written. The transaction itself can continue.
func (tx Tx) Try(f func() error) error {
	if err := tx.exec(`SAVEPOINT attempt`); err != nil {
		return err
	}
	err := f()
	if err == nil {
		err = tx.send()
	}
	if err != nil {
		tx.writer.forget()
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
	over  context.Context // of a database at the end of a network: when it is given up; else nil

	reader *reader // of one of Read where several servers may write, in place of sql; else nil
	writer *writer // of a transaction that writes where several servers may; else nil
}

// tx is a transaction of the catalog's database.
func (c *Catalog) tx(ctx context.Context, raw *sql.Tx, ranks *ranks) Tx {
	tx := Tx{sql: raw, ranks: ranks}
	if c.in.isRemote() {
		tx.over = ctx
	}
	return tx
}

// statementTime is how long one statement may take where the database may be cut off.
const statementTime = time.Minute

// statement is the context of one statement.
func (tx Tx) statement() (context.Context, context.CancelFunc) {
	switch {
	case tx.over == nil:
		return context.Background(), func() {}
	case tx.writer != nil && tx.over.Err() == nil: // the driver would end the session with a statement that is given up
		return context.WithTimeout(context.WithoutCancel(tx.over), statementTime)
	}
	return context.WithTimeout(tx.over, statementTime)
}

// told marks the error of a statement that failed because the database is away. One that was not answered in time did,
// unless its request has ended.
func (tx Tx) told(err error) error {
	if tx.over == nil {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) && tx.over.Err() == nil {
		err = errors.Join(errSilent, err)
	}
	return Marked(err)
}

// told marks the error of a transaction that failed because the database is away.
func (c *Catalog) told(err error) error {
	if c.in.isRemote() {
		return Marked(err)
	}
	return err
}

func (tx Tx) exec(query string, args ...any) error {
	if tx.writer != nil {
		tx.add(nil, query, args)
		return tx.send()
	}
	ctx, done := tx.statement()
	defer done()
	if tx.reader != nil {
		return tx.told(tx.reader.each(ctx, query, tx.texts(args), func(scanner) error { return nil }))
	}
	_, err := tx.sql.ExecContext(ctx, query, tx.texts(args)...)
	return tx.told(err)
}

// row reads one row, which there must be.
func (tx Tx) row(query string, args []any, dest ...any) error {
	_, err := get(tx, func(s scanner) (none struct{}, err error) { return none, s.Scan(dest...) }, query, args...)
	if errors.Is(err, ErrNotFound) {
		err = sql.ErrNoRows
	}
	return err
}

// one runs a statement that must change exactly one row; none is its error otherwise.
func (tx Tx) one(none error, query string, args ...any) error {
	if tx.writer != nil {
		tx.add(none, query, args)
		return tx.send()
	}
	ctx, done := tx.statement()
	defer done()
	res, err := tx.sql.ExecContext(ctx, query, tx.texts(args)...)
	if err != nil {
		return tx.told(err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, none)
	}
	return nil
}

type scanner interface{ Scan(dest ...any) error }

// get reads one row. Without any, it returns ErrNotFound.
func get[T any](tx Tx, scan func(scanner) (T, error), query string, args ...any) (v T, err error) {
	if err := tx.send(); err != nil {
		return v, err
	}
	ctx, done := tx.statement()
	defer done()
	if tx.reader == nil {
		v, err = scan(tx.read(tx.sql.QueryRowContext(ctx, query, tx.texts(args)...)))
	} else {
		err = sql.ErrNoRows
		failed := tx.reader.each(ctx, query, tx.texts(args), func(s scanner) error {
			if errors.Is(err, sql.ErrNoRows) { // the first
				v, err = scan(tx.read(s))
			}
			return nil
		})
		err = cmp.Or(failed, err)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return v, tx.told(err)
}

// list reads all rows. The result is never nil.
func list[T any](tx Tx, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	out := []T{}
	err := tx.each(func(s scanner) error {
		v, err := scan(tx.read(s))
		out = append(out, v)
		return err
	}, query, args...)
	if err != nil {
		return nil, tx.told(err)
	}
	return out, nil
}

// each calls f with each row.
func (tx Tx) each(f func(scanner) error, query string, args ...any) error {
	if err := tx.send(); err != nil {
		return err
	}
	ctx, done := tx.statement()
	defer done()
	if tx.reader != nil {
		return tx.reader.each(ctx, query, tx.texts(args), f)
	}
	rows, err := tx.sql.QueryContext(ctx, query, tx.texts(args)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func scanInt(s scanner) (n int64, err error) { return n, s.Scan(&n) }

// micros is how times are stored: as microseconds since 1970.
func micros(t time.Time) int64 { return t.UnixMicro() }

// moment is the reverse of micros.
func moment(us int64) time.Time { return time.UnixMicro(us).UTC() }
