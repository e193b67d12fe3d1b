//go:build duckdb_arrow

package duck

import (
	"context"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Guard checks the files that statements read. Every statement that reads stored files names them.
type Guard interface {
	// Hold is called before Check. The files stay where they are until release, which is called once the connection is
	// closed.
	Hold(paths []string) (release func())
	// Check is called before a statement that reads the files. If it returns an error, the statement fails with it.
	Check(ctx context.Context, paths []string) error
	// Seen is called after Check. The function it returns returns an error if one of the files has changed since.
	Seen(paths []string) (changed func() error)
	// Blame is called with the error of a statement that reads the files, and returns the error to report instead.
	Blame(ctx context.Context, paths []string, err error) error
}

// Guard makes g check the files that the connection's statements read.
func (c *Conn) Guard(g Guard) { c.guard = g }

// guarded runs a statement under the guard. The statements of a locked sandbox are clients' and are not searched for
// files: they can only read those that it was confined to, which were checked before.
func (c *Conn) guarded(ctx context.Context, query string, run func() error) error {
	if c.guard == nil || c.locked {
		return c.guardedFiles(ctx, nil, run)
	}
	return c.guardedFiles(ctx, scanned(query), run)
}

// guardedFiles runs a statement that reads files under the guard, or lets later ones read them.
func (c *Conn) guardedFiles(ctx context.Context, paths []string, run func() error) error {
	if c.guard == nil {
		return run()
	}
	if len(paths) > 0 {
		c.reads = append(c.reads, paths...)
		c.release = append(c.release, c.guard.Hold(paths))
		if err := c.guard.Check(ctx, paths); err != nil {
			return err
		}
		c.changed = append(c.changed, c.guard.Seen(paths))
	}
	return c.unchanged(ctx, c.blame(ctx, run()))
}

// unchanged returns err, or the error for a file that changed while a statement read it: after it was checked and
// before it was opened, or while it was open.
func (c *Conn) unchanged(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	for _, changed := range c.changed {
		if now := changed(); now != nil {
			return now
		}
	}
	return err
}

// blame returns the error to report for err, which may be the fault of a file.
func (c *Conn) blame(ctx context.Context, err error) error {
	if err == nil || c.guard == nil || len(c.reads) == 0 || ctx.Err() != nil {
		return err
	}
	return c.guard.Blame(ctx, c.reads, err)
}

// guardedSource is a result whose errors go through the guard.
type guardedSource struct {
	source
	ctx  context.Context
	conn *Conn
}

func (s *guardedSource) Next() (arrow.RecordBatch, error) {
	b, err := s.source.Next()
	if b == nil {
		err = s.conn.unchanged(s.ctx, s.conn.blame(s.ctx, err))
	}
	return b, err
}

// scanStart begins a list of files in a statement of the server's. In a literal with a client's text every quote is
// doubled, so that the path after it is empty, and names no file.
const scanStart = "read_parquet(['"

// scanned returns the files that a statement of the server's reads, in the order of the text, from the lists that Texts
// wrote.
func scanned(query string) (paths []string) {
	for {
		at := strings.Index(query, scanStart)
		if at < 0 {
			return paths
		}
		query = query[at+len(scanStart)-1:]
		for strings.HasPrefix(query, "'") {
			var path string
			path, query = cutText(query[1:])
			paths = append(paths, path)
			query = strings.TrimPrefix(query, ", ")
		}
	}
}

// cutText splits a query that starts inside a quoted text into that text, unquoted, and the rest.
func cutText(query string) (text, rest string) {
	for {
		end := strings.IndexByte(query, '\'')
		switch {
		case end < 0:
			return text + query, ""
		case !strings.HasPrefix(query[end+1:], "'"):
			return text + query[:end], query[end+1:]
		}
		text, query = text+query[:end+1], query[end+2:]
	}
}
