//go:build duckdb_arrow

package duck

import (
	"context"
	"database/sql"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
)

// Conn is one connection to an instance, in this process or in a sandbox's. It serves one goroutine.
type Conn struct {
	session
	done func()

	guard Guard    // nil: none
	reads []string // files that its statements have read

	changed []func() error // each reports whether those have changed since
	release []func()       // each lets go of those
	locked  bool           // by Lock: its statements are clients'
}

// session is implemented by connections to an instance in this process (local) and in another one (process).
type session interface {
	exec(ctx context.Context, query string) (int64, error)
	rows(ctx context.Context, query string, each func(Scan) error) error
	stream(ctx context.Context, most int64, query string, params []Param) (source, error)
	parameters(ctx context.Context, query string) (*arrow.Schema, error)
	few(ctx context.Context, b *Bound, query string) ([]byte, error)
	writeArrow(ctx context.Context, w io.Writer, b *Bound, query string, params []Param) error
	// close ends the session, and calls done once its resources are free.
	close(done func()) error
}

// OnClose registers f to be called once the connection is closed and its resources are free, which may be after Close
// returns.
func (c *Conn) OnClose(f func()) { c.done = f }

// Close ends the connection and drops its temporary tables and views.
func (c *Conn) Close() error {
	return c.session.close(func() {
		for _, release := range c.release {
			release()
		}
		if c.done != nil {
			c.done()
		}
	})
}

// Exec runs statements and returns how many rows the last one changed.
func (c *Conn) Exec(ctx context.Context, query string) (n int64, err error) {
	err = c.guarded(ctx, query, func() error {
		n, err = c.session.exec(ctx, query)
		return err
	})
	return n, err
}

// Create runs a CREATE TABLE … AS statement and returns the number of rows of the table.
func (c *Conn) Create(ctx context.Context, query string) (rows int64, err error) {
	return rows, c.Row(ctx, query, &rows)
}

// Scan reads the columns of a row into dest.
type Scan func(dest ...any) error

// Rows calls each for every row of a result that is known to be small.
func (c *Conn) Rows(ctx context.Context, query string, each func(Scan) error) error {
	return c.guarded(ctx, query, func() error { return c.session.rows(ctx, query, each) })
}

// Row reads the first row of a result into dest. It returns sql.ErrNoRows if there is none.
func (c *Conn) Row(ctx context.Context, query string, dest ...any) error {
	found := false
	err := c.Rows(ctx, query, func(scan Scan) error {
		if found {
			return nil
		}
		found = true
		return scan(dest...)
	})
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}

// Stream runs one statement and returns its result as Arrow, without holding all of it in memory. Ending ctx interrupts
// it.
func (c *Conn) Stream(ctx context.Context, query string, params ...Param) (*Reader, error) {
	return c.StreamIn(ctx, batchBytes, query, params...)
}

// StreamIn is Stream with batches that end with the chunk of DuckDB's that reaches most bytes.
func (c *Conn) StreamIn(ctx context.Context, most int64, query string, params ...Param) (*Reader, error) {
	var s source
	err := c.guarded(ctx, query, func() (err error) {
		s, err = c.session.stream(ctx, min(most, batchBytes), query, params)
		return err
	})
	if err != nil && s != nil {
		s.Close() // a file was changed in the meantime
	}
	if err != nil {
		return nil, err
	}
	return &Reader{&guardedSource{s, ctx, c}}, nil
}

// Batch runs one statement and returns its result, known to be small, as one batch, which the caller releases.
func (c *Conn) Batch(ctx context.Context, query string, params ...Param) (arrow.RecordBatch, error) {
	r, err := c.Stream(ctx, query, params...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.All()
}
