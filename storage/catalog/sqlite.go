package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/mattn/go-sqlite3" // the embedded database
	"github.com/pressly/goose/v3"
)

// settings are those of every connection to SQLite.
const settings = "_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1&_busy_timeout=10000&_stmt_cache_size=128"

// sqlite is the embedded database: a file beside the objects.
type sqlite struct{ write *sql.DB }

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
	in := sqlite{write}
	if err := migrate(ctx, in, write); err != nil {
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
	return newCatalog(write, read, in, hook), nil
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

func (sqlite) dialect() goose.Dialect { return goose.DialectSQLite3 }

func (sqlite) files() (fs.FS, error) { return fs.Sub(migrations, "migrations") }

func (sqlite) isRemote() bool { return false }

func (sqlite) isFirst() bool { return true }

func (sqlite) started(context.Context) error { return nil }

func (sqlite) servers(context.Context) ([]Server, error) { return nil, nil }

func (sqlite) grip(context.Context, string, bool) (*grip, drawn, error) { return nil, nil, nil }

func (sqlite) tryGrip(context.Context, string) (*grip, error) { return nil, nil }

func (sqlite) release(string, *grip) {}

func (sqlite) letOthers(context.Context, string) error { return nil }

func (sqlite) isLocked(context.Context, string) (bool, error) { return false, nil }

func (sqlite) draw(context.Context, string, string, int64) (int64, error) {
	return 0, errors.New("no other process draws")
}

func (sqlite) keep(context.Context, string) error { return nil }

func (sqlite) drawFields(context.Context, string, int64) (int64, error) {
	return 0, errors.New("no other process draws")
}

func (sqlite) leave() {}

func (s sqlite) begin(ctx context.Context) (*sql.Tx, *writer, func(), error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	return tx, nil, func() { _ = tx.Rollback() }, nil // after a commit there is nothing to roll back
}

func (sqlite) reading() *sql.TxOptions { return nil }

func (sqlite) commit(_ context.Context, tx *sql.Tx, _ *writer) error { return tx.Commit() }

func (s sqlite) over(ctx context.Context, do func() error) error {
	if _, err := s.write.ExecContext(ctx, `PRAGMA secure_delete = ON`); err != nil {
		return err
	}
	defer s.write.Exec(`PRAGMA secure_delete = OFF`) //nolint:errcheck // it only takes longer
	return do()
}

func (s sqlite) settle(ctx context.Context, truncate bool) error {
	statement := `PRAGMA wal_checkpoint(PASSIVE)`
	if truncate {
		statement = `PRAGMA busy_timeout = 500; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout = 10000`
	}
	_, err := s.write.ExecContext(ctx, statement)
	return err
}

func (sqlite) damage(tx Tx) (what string, err error) {
	what, err = get(tx, scanText, `PRAGMA integrity_check(1)`)
	if err != nil || what != "ok" {
		return strings.Join(strings.Fields(what), " "), err
	}
	broken, err := list(tx, func(s scanner) (string, error) {
		var t, parent string
		var row, key any
		err := s.Scan(&t, &row, &parent, &key)
		return t, err
	}, `PRAGMA foreign_key_check`)
	if err != nil || len(broken) == 0 {
		return "", err
	}
	return fmt.Sprintf("%d rows refer to rows that do not exist", len(broken)), nil
}

func (sqlite) holds(context.Context) error { return nil }

func (sqlite) bytes(context.Context) (int64, error) { return 0, nil }

// copyTo leaves out pages that are not used.
func (sqlite) copyTo(ctx context.Context, f *Frozen, path string) error {
	return f.conn.Raw(func(from any) error {
		to, err := (&sqlite3.SQLiteDriver{}).Open(fileURL(path))
		if err != nil {
			return err
		}
		return errors.Join(copyPages(to, from), to.Close())
	})
}

// beside refuses: no other program has the file, and none has to work with one of a newer program.
func (sqlite) beside(_ context.Context, _ *sql.DB, has, knows int64) error {
	return errNewer(has, knows, ", or move the catalog away: then it is made anew from the objects")
}

func (sqlite) mayUpgrade(context.Context, int64) error { return nil }

func (sqlite) upgraded(context.Context, *sql.DB) error { return nil }
