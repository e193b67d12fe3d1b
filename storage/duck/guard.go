//go:build duckdb_arrow

package duck

import (
	"context"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Guard is asked about the files that statements read: every read of stored files is a statement that names them.
type Guard interface {
	// Check is called before a statement that reads the files runs. An error is the statement's.
	Check(ctx context.Context, paths []string) error
	// Seen is called after Check, and returns what reports whether one of the files has been changed since.
	Seen(paths []string) (changed func() error)
	// Blame is called with the error of a statement that reads the files, and returns what to tell instead.
	Blame(ctx context.Context, paths []string, err error) error
}

// Guard has g asked about the files that the connection's statements read.
func (c *Conn) Guard(g Guard) { c.guard = g }

// guarded runs a statement. Once a sandbox is locked, its statements are clients', and read what the views name that
// were made before.
func (c *Conn) guarded(ctx context.Context, query string, run func() error) error {
	if c.guard == nil {
		return run()
	}
	if !c.locked {
		if paths := scanned(query); len(paths) > 0 {
			c.reads = append(c.reads, paths...)
			if err := c.guard.Check(ctx, paths); err != nil {
				return err
			}
			c.changed = append(c.changed, c.guard.Seen(paths))
		}
	}
	return c.unchanged(ctx, c.blame(ctx, run()))
}

// unchanged is err, or the error of a file that was changed while a statement read it: between the look at it and its
// opening, or while it was open.
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

func (c *Conn) blame(ctx context.Context, err error) error {
	if err == nil || c.guard == nil || len(c.reads) == 0 || ctx.Err() != nil {
		return err
	}
	return c.guard.Blame(ctx, c.reads, err)
}

// guardedSource is a result whose errors are looked at.
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

// scanStart begins a list of files in a statement of ours. In a text that a client wrote, every quote is doubled.
const scanStart = "read_parquet(['"

// scanned returns the files that a statement of ours reads, in the order of the text: the lists that Texts wrote.
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

// cutText cuts a quoted text, behind its first quote, off what follows it.
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
