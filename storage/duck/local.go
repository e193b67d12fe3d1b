//go:build duckdb_arrow

package duck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// local is a connection to an instance in this process.
type local struct {
	sql    *sql.Conn
	fatal  func()       // called after an error that makes the instance unusable
	number func() int64 // returns a number that is unique in the instance
	schema string       // the connection's own; empty until it needs one
	reads  bool         // it runs single SELECT statements and nothing else
}

func (l *local) close(done func()) error {
	defer done()
	if l.schema != "" {
		drop := "DROP SCHEMA " + l.schema + " CASCADE"
		_, _ = l.exec(context.Background(), drop) // it fails on a broken instance, which is thrown away
	}
	return l.sql.Close()
}

// ownSchema gives the connection a schema of its own, so that no other connection sees what it creates. Temporary
// objects would not need it, but views of streams can't be temporary.
func (l *local) ownSchema(ctx context.Context) error {
	if l.schema != "" {
		return nil
	}
	name := fmt.Sprintf("connection_%d", l.number())
	if _, err := l.exec(ctx, "CREATE SCHEMA "+name); err != nil {
		return err
	}
	l.schema = name
	_, err := l.exec(ctx, "SET schema = "+Text(name))
	return err
}

func (l *local) exec(ctx context.Context, query string) (int64, error) {
	if l.reads {
		return 0, errReads
	}
	res, err := l.sql.ExecContext(ctx, query)
	if err != nil {
		return 0, l.handled(ctx, query, err)
	}
	return res.RowsAffected()
}

func (l *local) rows(ctx context.Context, query string, each func(Scan) error) error {
	rows, err := l.sql.QueryContext(ctx, query)
	if err != nil {
		return l.handled(ctx, query, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return l.handled(ctx, query, rows.Err())
}

// raw calls do with the connection of the driver, duckdb-go.
func (l *local) raw(do func(*duckdb.Conn) error) error {
	return l.sql.Raw(func(dc any) error {
		conn, ok := dc.(*duckdb.Conn)
		if !ok {
			return fmt.Errorf("not a DuckDB connection: %T", dc)
		}
		return do(conn)
	})
}

// handled returns the error to report for err: that of the context if it has ended, else DuckDB's with its position.
// After a fatal error it also replaces the instance.
func (l *local) handled(ctx context.Context, statement string, err error) error {
	var de *duckdb.Error
	if err == nil {
		return nil
	}
	if ctx.Err() != nil && (errors.As(err, &de) || errors.Is(err, ctx.Err())) {
		return context.Cause(ctx)
	}
	if !errors.As(err, &de) {
		return err
	}
	err = unnested(located(de, statement, err))
	if errors.As(err, &de) && isFatal(de) && l.fatal != nil {
		l.fatal()
	}
	return err
}

// IsFatal reports whether an error makes its instance unusable.
func IsFatal(err error) bool {
	var de *duckdb.Error
	return errors.As(err, &de) && isFatal(de)
}

func isFatal(e *duckdb.Error) bool {
	return e.Type == duckdb.ErrorTypeFatal || e.Type == duckdb.ErrorTypeInternal ||
		strings.Contains(e.Msg, "database has been invalidated")
}
