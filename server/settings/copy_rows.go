package settings

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
)

// tables are all tables, each after those that it refers to.
var tables = []string{
	"belongs", "users", "roles", "tokens", "token_projects", "projects", "closed", "identities", "sessions", "webhooks",
	"webhook_deliveries", "webhook_marks", "webhook_versions", "webhook_alerts", "webhook_proposals",
	"webhook_proposals_since", "webhook_discussions", "webhook_discussions_since", "audit_heads", "quotas",
	"failed_logins", "request_rates", "vault_entries",
}

// Replace makes the settings those of another database, in one transaction: what was here is gone then. Settings of
// another store are not replaced. The other database must not be written to meanwhile.
func (d *DB) Replace(ctx context.Context, from *DB) error {
	read, err := from.BeginTx(ctx, &sql.TxOptions{ReadOnly: from.shared != nil, Isolation: from.isolation()})
	if err != nil {
		return told(err)
	}
	defer read.Rollback() //nolint:errcheck // there is nothing to commit
	return d.Write(ctx, func(tx *sql.Tx) error {
		if err := sameStore(ctx, tx, read); err != nil {
			return err
		}
		if err := clearAll(ctx, tx); err != nil {
			return err
		}
		for _, table := range tables {
			if err := copyTable(ctx, tx, read, table); err != nil {
				return fmt.Errorf("copying the table %s: %w", table, err)
			}
		}
		if d.shared == nil {
			return nil
		}
		// What is queued from now on has higher numbers.
		_, err := tx.ExecContext(ctx, `SELECT setval(pg_get_serial_sequence('webhook_deliveries', 'id'),
			(SELECT coalesce(max(id), 0) + 1 FROM webhook_deliveries), FALSE)`)
		return err
	})
}

// CopyTo writes a copy of the settings as the database of a directory that has none.
func (d *DB) CopyTo(ctx context.Context, dir string) error {
	to, err := Open(ctx, dir)
	if err != nil {
		return err
	}
	return errors.Join(to.Replace(ctx, d), to.Close())
}

// CopyFile writes a copy of the settings as one file, which is not there yet.
func (d *DB) CopyFile(ctx context.Context, path string) error {
	dir, err := os.MkdirTemp("", "rowback-settings-")
	if err != nil {
		return err
	}
	err = d.CopyTo(ctx, dir)
	if err == nil {
		err = catalog.CopyDatabase(ctx, filepath.Join(dir, File), path)
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// HasAny reports whether anyone has told the server anything: users, projects, webhooks or quotas.
func (d *DB) HasAny(ctx context.Context) (has bool, err error) {
	err = d.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM closed)
		OR EXISTS (SELECT 1 FROM projects) OR EXISTS (SELECT 1 FROM webhooks) OR EXISTS (SELECT 1 FROM quotas)`).Scan(&has)
	return has, told(err)
}

// Clear removes all settings: they are elsewhere now.
func (d *DB) Clear(ctx context.Context) error {
	return d.Write(ctx, func(tx *sql.Tx) error { return clearAll(ctx, tx) })
}

func clearAll(ctx context.Context, tx *sql.Tx) error {
	for _, table := range slices.Backward(tables) {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table); err != nil { // #nosec G202 -- a name of tables
			return err
		}
	}
	return nil
}

// isolation is that of a transaction that reads one state.
func (d *DB) isolation() sql.IsolationLevel {
	if d.shared == nil {
		return sql.LevelDefault
	}
	return sql.LevelRepeatableRead
}

// sameStore refuses to replace the settings of another store.
func sameStore(ctx context.Context, to, from *sql.Tx) error {
	var of [2]string
	for i, tx := range []*sql.Tx{to, from} {
		err := tx.QueryRowContext(ctx, `SELECT store_id FROM belongs`).Scan(&of[i])
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	if of[0] != "" && of[0] != of[1] {
		return fmt.Errorf("there are settings of another store (%s; these are of %s): name this store's own catalog",
			of[0], of[1])
	}
	return nil
}

// copyTable copies the rows of a table, all columns of which both databases have by the same names.
func copyTable(ctx context.Context, to, from *sql.Tx, table string) error {
	read, err := from.QueryContext(ctx, `SELECT * FROM `+table) // #nosec G202 -- a name of tables
	if err != nil {
		return err
	}
	defer read.Close()
	columns, err := read.Columns()
	if err != nil {
		return err
	}
	flags, err := flagsOf(ctx, to, table, columns)
	if err != nil {
		return err
	}
	insert, err := to.PrepareContext(ctx, `INSERT INTO `+table+` (`+strings.Join(columns, ", ")+ // #nosec G202 -- names
		`) VALUES (?`+strings.Repeat(", ?", len(columns)-1)+`)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	values, places := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	for read.Next() {
		if err := read.Scan(places...); err != nil {
			return err
		}
		for i, isFlag := range flags {
			if n, ok := values[i].(int64); ok && isFlag {
				values[i] = n != 0
			}
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return read.Err()
}

// flagsOf reports which columns of a table mean yes or no in its database: in SQLite, some of them are numbers.
func flagsOf(ctx context.Context, to *sql.Tx, table string, columns []string) ([]bool, error) {
	none, err := to.QueryContext(ctx, `SELECT `+strings.Join(columns, ", ")+` FROM `+table+` WHERE FALSE`) // #nosec G202
	if err != nil {
		return nil, err
	}
	defer none.Close()
	types, err := none.ColumnTypes()
	if err != nil {
		return nil, err
	}
	flags := make([]bool, len(types))
	for i, t := range types {
		flags[i] = strings.HasPrefix(t.DatabaseTypeName(), "BOOL")
	}
	return flags, none.Err()
}
