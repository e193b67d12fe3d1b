//go:build duckdb_arrow

// Package duck is the only door to DuckDB: instances with their limits, statements, and results as Arrow.
//
// An Engine is one DuckDB instance for statements that we write. Statements that a client writes run in a Sandbox, an
// instance of its own that reads the files it was given and nothing else. A fatal error makes an instance unusable for
// good; an Engine then opens a new one, so that the next statement works.
package duck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/duckdb/duckdb-go/v2"
)

// Limits bound what an instance may use.
type Limits struct {
	Memory  int64  // bytes; 0: DuckDB's own default, four fifths of the machine
	Threads int    // 0: one a core
	TempDir string // where larger-than-memory work spills; empty: nowhere
}

func (l Limits) dsn() string {
	q := url.Values{"autoinstall_known_extensions": {"false"}, "autoload_known_extensions": {"false"}}
	if l.Memory > 0 {
		q.Set("memory_limit", fmt.Sprintf("%dB", l.Memory))
	}
	if l.Threads > 0 {
		q.Set("threads", fmt.Sprint(l.Threads))
	}
	q.Set("temp_directory", l.TempDir)
	return "?" + q.Encode()
}

// Engine is one DuckDB instance. Its methods may be called from many goroutines.
type Engine struct {
	limits Limits
	mu     sync.Mutex
	db     *sql.DB
}

// Open starts an instance with those limits.
func Open(limits Limits) (*Engine, error) {
	e := &Engine{limits: limits}
	return e, e.start()
}

func (e *Engine) start() error {
	db, err := e.limits.open()
	if err != nil {
		return err
	}
	e.db = db
	return nil
}

// open starts an instance. Its files never change, so their footers are read once.
func (l Limits) open() (*sql.DB, error) {
	connector, err := duckdb.NewConnector(l.dsn(), nil)
	if err != nil {
		return nil, fmt.Errorf("starting DuckDB: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxIdleConns(0) // a connection takes its temporary tables with it
	if _, err := db.Exec("SET GLOBAL parquet_metadata_cache = true; SET GLOBAL TimeZone = 'UTC'"); err != nil {
		db.Close()
		return nil, fmt.Errorf("starting DuckDB: %w", err)
	}
	return db, nil
}

// Close stops the instance. Connections must be closed before.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.db.Close()
}

// Conn opens a connection: temporary tables and views live in it until it is closed. It serves one goroutine.
func (e *Engine) Conn(ctx context.Context) (*Conn, error) {
	e.mu.Lock()
	db := e.db
	e.mu.Unlock()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	c := &Conn{sql: conn}
	c.fatal = func() { e.replace(db) }
	return c, nil
}

// replace opens a new instance in place of one that a fatal error has made unusable.
func (e *Engine) replace(broken *sql.DB) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.db != broken {
		return
	}
	if err := e.start(); err == nil {
		go broken.Close() // waits for its connections
	}
}

// Conn is one connection to an instance.
type Conn struct {
	sql   *sql.Conn
	fatal func()
	done  func() error // what else ends with the connection
}

// OnClose has f called when the connection has been closed.
func (c *Conn) OnClose(f func()) {
	before := c.done
	c.done = func() (err error) {
		defer f()
		if before != nil {
			err = before()
		}
		return err
	}
}

// Close ends the connection and drops its temporary tables and views.
func (c *Conn) Close() error {
	err := c.sql.Close()
	if c.done != nil {
		err = errors.Join(err, c.done())
	}
	return err
}

// Exec runs statements and tells how many rows the last one changed.
func (c *Conn) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := c.sql.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, c.noted(ctx, query, err)
	}
	return res.RowsAffected()
}

// Create runs a CREATE TABLE … AS and tells how many rows the table has.
func (c *Conn) Create(ctx context.Context, query string) (rows int64, err error) {
	return rows, c.Row(ctx, query, &rows)
}

// Row reads the first row of a result into dest. It returns sql.ErrNoRows where there is none.
func (c *Conn) Row(ctx context.Context, query string, dest ...any) error {
	return c.noted(ctx, query, c.sql.QueryRowContext(ctx, query).Scan(dest...))
}

// Scan reads the columns of a row into dest.
type Scan func(dest ...any) error

// Rows calls each for every row of a result.
func (c *Conn) Rows(ctx context.Context, query string, each func(Scan) error) error {
	rows, err := c.sql.QueryContext(ctx, query)
	if err != nil {
		return c.noted(ctx, query, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return c.noted(ctx, query, rows.Err())
}

// noted replaces the instance after a fatal error, and names a context's end as what it is.
func (c *Conn) noted(ctx context.Context, statement string, err error) error {
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
	err = located(de, statement, err)
	if errors.As(err, &de) && isFatal(de) && c.fatal != nil {
		c.fatal()
	}
	return err
}

func isFatal(e *duckdb.Error) bool {
	return e.Type == duckdb.ErrorTypeFatal || e.Type == duckdb.ErrorTypeInternal ||
		strings.Contains(e.Msg, "database has been invalidated")
}
