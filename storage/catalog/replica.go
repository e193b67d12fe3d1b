package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// copyTo copies row by row: what is read elsewhere, such as a backup, is a catalog in SQLite.
func (p *postgres) copyTo(ctx context.Context, f *Frozen, path string) error {
	c, err := Open(ctx, path, func(string) error { return nil })
	if err != nil {
		return err
	}
	return errors.Join(c.fill(ctx, f.Tx), c.Close())
}

// fill fills a new catalog in SQLite with the rows of another.
func (c *Catalog) fill(ctx context.Context, from Tx) error {
	conn, err := c.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// Rows may come before those that they refer to.
	if _, err := conn.ExecContext(ctx, `PRAGMA foreign_keys = OFF`); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	to := Tx{sql: tx, ranks: newRanks()}
	tables, err := list(to, scanText, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'goose%'
		AND name NOT LIKE 'sqlite%'`)
	if err != nil {
		return err
	}
	// What the migrations put there, and what triggers keep: all of it comes from the other catalog.
	slices.SortFunc(tables, func(a, b string) int { return strings.Compare(order(a), order(b)) })
	for _, table := range tables {
		if err := to.copyTable(ctx, from, table); err != nil {
			return fmt.Errorf("copying the table %s: %w", table, err)
		}
	}
	return tx.Commit()
}

// order has usage come after files, whose triggers count it.
func order(table string) string {
	if table == "usage" {
		return "~"
	}
	return table
}

func (tx Tx) copyTable(ctx context.Context, from Tx, table string) error {
	if err := tx.exec(`DELETE FROM ` + table); err != nil {
		return err
	}
	columns, err := list(tx, scanText, `SELECT name FROM pragma_table_info($1) ORDER BY cid`, table)
	if err != nil {
		return err
	}
	names := strings.Join(columns, ", ")
	rows, err := from.sql.QueryContext(ctx, `SELECT `+names+` FROM `+table) // #nosec G202 -- names of the migrations
	if err != nil {
		return err
	}
	defer rows.Close()
	marks := make([]string, len(columns))
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", i+1)
	}
	// #nosec G202 -- names of the migrations
	insert, err := tx.sql.PrepareContext(ctx, `INSERT INTO `+table+` (`+names+`) VALUES (`+strings.Join(marks, ", ")+`)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	return copyRows(ctx, rows, insert, len(columns))
}

func copyRows(ctx context.Context, rows *sql.Rows, insert *sql.Stmt, columns int) error {
	values, places := make([]any, columns), make([]any, columns)
	for i := range values {
		places[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return err
		}
		for i, v := range values {
			if text, ok := v.(string); ok {
				values[i] = Unescape(text)
			}
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return rows.Err()
}
