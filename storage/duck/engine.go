//go:build duckdb_arrow

// Package duck is the only door to DuckDB: instances with their limits, statements, and results as Arrow. An Engine is
// one DuckDB instance, for statements written by the server. A statement written by a client runs in a sandbox lent by
// a Pool: a separate instance, in another process, that can read the files it was given and nothing else. Statements of
// the same files may follow one another there (confined.go). A fatal error makes an instance unusable for good; an
// Engine then opens a new one, so that the next statement works.
package duck

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
)

// Limits bound what an instance may use.
type Limits struct {
	Memory   int64  // bytes; 0: DuckDB's default, four fifths of the machine
	Threads  int    // 0: one per core
	TempDir  string // where larger-than-memory work spills; empty: it may not
	Resident int64  // bytes that its process may hold in total, if it has its own; 0: see process
}

// dsn is the data source name of an instance with these limits. No extension is ever downloaded.
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
	last   atomic.Int64 // number of the newest connection
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
	if _, err := db.ExecContext(context.Background(), uncached); err != nil {
		db.Close()
		return fmt.Errorf("starting DuckDB: %w", err)
	}
	e.db = db
	return nil
}

// uncached keeps what an Engine has read out of memory: the system caches files as well, and small ones, which upkeep
// reads once, took 12 kB each for as long as the server ran.
const uncached = "SET GLOBAL enable_external_file_cache = false"

// settings of an instance: the files it reads never change, so it caches their footers. Geometries are binaries to it:
// of its own type there is nothing in Parquet that others read.
const settings = `SET GLOBAL parquet_metadata_cache = true; SET GLOBAL TimeZone = 'UTC';
	SET GLOBAL enable_geoparquet_conversion = false`

// Close stops the instance. Connections must be closed first.
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
	number := func() int64 { return e.last.Add(1) }
	return &Conn{session: &local{sql: conn, fatal: func() { e.replace(db) }, number: number}}, nil
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
