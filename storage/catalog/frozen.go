package catalog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"

	"github.com/mattn/go-sqlite3"
)

// Frozen is the catalog as it is at one moment, whatever is written since. It must be closed soon: until then the
// journal of what is written grows.
type Frozen struct {
	Tx
	conn *sql.Conn
	in   database
}

// Freeze returns the catalog as it is now.
func (c *Catalog) Freeze(ctx context.Context) (*Frozen, error) {
	conn, err := c.read.Conn(ctx)
	if err != nil {
		return nil, c.told(err)
	}
	tx, err := conn.BeginTx(ctx, c.in.reading())
	if err != nil {
		return nil, errors.Join(c.told(err), conn.Close())
	}
	f := &Frozen{c.tx(ctx, tx, newRanks()), conn, c.in}
	// What a transaction sees is fixed by its first statement.
	if _, err := f.StoreID(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Close ends the look at that moment.
func (f *Frozen) Close() error {
	err := f.sql.Rollback()
	if errors.Is(err, sql.ErrTxDone) { // its context has ended
		err = nil
	}
	return errors.Join(err, f.conn.Close())
}

// CopyTo writes a copy of the catalog, as a file of SQLite without a journal. It leaves out compacted files, which are
// made again.
func (f *Frozen) CopyTo(ctx context.Context, path string) error {
	if err := f.in.copyTo(ctx, f, path); err != nil {
		return fmt.Errorf("copying the catalog: %w", err)
	}
	return tidy(ctx, path)
}

// copyPages copies a database as one connection sees it.
func copyPages(to, from any) error {
	dest, okTo := to.(*sqlite3.SQLiteConn)
	src, okFrom := from.(*sqlite3.SQLiteConn)
	if !okTo || !okFrom {
		return fmt.Errorf("%w: %T", driver.ErrBadConn, from)
	}
	b, err := dest.Backup("main", src, "main")
	if err != nil {
		return err
	}
	_, err = b.Step(-1)
	return errors.Join(err, b.Finish())
}

func tidy(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite3", fileURL(path))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, `PRAGMA journal_mode = DELETE; DELETE FROM compacted; VACUUM`)
	return errors.Join(err, db.Close())
}

func fileURL(path string) string { return "file:" + url.PathEscape(path) }

// CopyDatabase writes a copy of a SQLite database that others may have open, as it is at one moment.
func CopyDatabase(ctx context.Context, from, to string) error {
	db, err := sql.Open("sqlite3", fileURL(from)+"?mode=ro&_busy_timeout=10000")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO $1`, to)
	return errors.Join(err, db.Close())
}

// Described returns the ids of the commits that a dataset made and that have a description of their own: those that a
// merge played are described with it.
func (tx Tx) Described(dataset string) ([]int64, error) {
	return list(tx, scanInt, `SELECT id FROM commits WHERE dataset_id = $1 AND merge_commit_id IS NULL ORDER BY id`,
		dataset)
}
