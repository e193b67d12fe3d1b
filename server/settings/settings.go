// Package settings keeps what a server is told and what can't be rebuilt from the objects of its store: users, tokens,
// projects, webhooks, schedules. It is one SQLite database, DATA/settings.db, apart from the catalog, which is an index
// of the objects and may be lost; or tables beside the catalog's in PostgreSQL.
//
// The tables are in migrations, in one sequence; the SQL of each is in the package that owns it, and is what both
// databases understand, with ? and ?N for parameters (translate.go). Every change is one transaction, durable when it
// returns. Transactions that write are one after another, whichever server they are of.
package settings

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"

	"github.com/rowback/rowback/storage/catalog"
)

//go:embed migrations/*.sql
var migrations embed.FS

// File is the database's name in the data directory.
const File = "settings.db"

// DB is an open database. Its methods may be called from many goroutines.
type DB struct {
	*sql.DB // for reading; it refuses to write
	writes  *sql.DB
	shared  *shared // nil: it is a file that this process alone has open
}

// Open opens the database of a data directory, creates it if it is missing, and runs pending migrations.
func Open(ctx context.Context, dir string) (*DB, error) {
	path := filepath.Join(dir, File)
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	options := "_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1&_busy_timeout=10000&_stmt_cache_size=64"
	writes, err := sql.Open("sqlite3", "file:"+url.PathEscape(path)+"?_txlock=immediate&"+options)
	if err != nil {
		return nil, err
	}
	writes.SetMaxOpenConns(1)
	if err := migrate(ctx, writes, dir); err != nil {
		return nil, errors.Join(explain(err), writes.Close())
	}
	reads, err := sql.Open("sqlite3", "file:"+url.PathEscape(path)+"?_query_only=1&"+options)
	if err != nil {
		return nil, errors.Join(err, writes.Close())
	}
	reads.SetMaxIdleConns(4)
	return &DB{DB: reads, writes: writes}, nil
}

// ErrDamaged is returned for a file that is not a database, or a damaged one.
var ErrDamaged = errors.New(File + " is damaged. Put a copy of it back, such as that of a backup: rowback restore lays " +
	"one out in another directory")

// explain says what prevents a database from being opened.
func explain(err error) error {
	var e sqlite3.Error
	if errors.As(err, &e) && (e.Code == sqlite3.ErrNotADB || e.Code == sqlite3.ErrCorrupt) {
		return fmt.Errorf("%w (%w)", ErrDamaged, err)
	}
	return fmt.Errorf("bringing %s up to date: %w", File, err)
}

// makePrivate restricts the database to its owner. SQLite creates its journal files with the same permissions.
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

// migrate runs pending migrations of a file, of which a copy stays beside it. Each is one transaction.
func migrate(ctx context.Context, db *sql.DB, dir string) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	if err := keepBefore(ctx, db, files, dir); err != nil {
		return fmt.Errorf("keeping a copy: %w", err)
	}
	return upgrade(ctx, goose.DialectSQLite3, db, files, nil)
}

// keepBefore copies a database of an earlier version to settings.before-<version>.db, for its owner alone.
func keepBefore(ctx context.Context, db *sql.DB, files fs.FS, dir string) error {
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	has, knows, err := p.GetVersions(ctx)
	if err != nil || has == 0 || has >= knows {
		return err
	}
	kept := filepath.Join(dir, fmt.Sprintf("settings.before-%05d.db", has))
	part := kept + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := makePrivate(part); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?1", part); err != nil {
		return err
	}
	if err := os.Rename(part, kept); err != nil {
		return err
	}
	return forgetBefore(dir)
}

// keptBefore is how many databases of earlier versions stay: as many as catalogs do.
const keptBefore = 2

// forgetBefore removes the databases of earlier versions but for the newest.
func forgetBefore(dir string) error {
	all, err := filepath.Glob(filepath.Join(dir, "settings.before-*.db"))
	for len(all) > keptBefore && err == nil { // they are sorted by version
		err, all = os.Remove(all[0]), all[1:]
	}
	return err
}

// upgrade runs pending migrations. Of a database of a newer program, beside says whether this one can work with it;
// nil: it can't.
func upgrade(
	ctx context.Context, dialect goose.Dialect, db *sql.DB, files fs.FS, beside func(knows int64) (bool, error),
	options ...goose.ProviderOption,
) error {
	p, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return err
	}
	has, knows, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if has > knows && beside != nil {
		works, err := beside(knows)
		if works || err != nil {
			return err
		}
	}
	if has > knows {
		return fmt.Errorf("it is of a newer version of the program (%d; this one knows %d). Use that version", has, knows)
	}
	_, err = p.Up(ctx)
	return err
}

// Write runs f in a transaction, which is committed durably if f returns nil and rolled back if it returns an error.
func (d *DB) Write(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.writes.BeginTx(ctx, nil)
	if err != nil {
		return told(err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if d.shared == nil {
		if err := f(tx); err != nil {
			return err
		}
		return tx.Commit()
	}
	if err := d.shared.enter(ctx, tx); err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return err
	}
	return d.shared.commit(ctx, d.writes, tx)
}

// IsConstraint reports whether err is the violation of a constraint: what was to be added is there already, or what it
// refers to is not.
func IsConstraint(err error) bool { return catalog.IsConstraint(err) }

// IsShared reports whether the settings are in a database that other servers can reach.
func (d *DB) IsShared() bool { return d.shared != nil }

// Close closes the database.
func (d *DB) Close() error { return errors.Join(d.DB.Close(), d.writes.Close()) }
