//go:build duckdb_arrow

package duck

import (
	"context"
	"slices"
	"strings"
)

// Scope is what a sandbox is confined to.
type Scope struct {
	Files   []string // that it can read
	Setup   []string // the server's SQL that creates the views that the client's statement names
	Session string   // the server's SQL that says where names are looked up
	Keep    bool     // it runs single SELECT statements, and the instance may then serve another client in this scope
}

// Lock confines a sandbox for good: it can read the given files, but no others, nor use the network or extensions, nor
// change a setting. A process that is confined to the same scope already may take the place of the one that is lent.
func (c *Conn) Lock(ctx context.Context, s Scope) error {
	s.Files = slices.Compact(slices.Sorted(slices.Values(s.Files))) // versions share most of their files
	text := strings.Join(append(slices.Clone(s.Setup), s.Session, lockTo(s.Files)), ";\n")
	key := ""
	if s.Keep {
		key = text
	}
	l, isLent := c.session.(*lent)
	if isLent {
		if err := l.exchange(ctx, key); err != nil {
			return err
		}
	}
	// Not those of its views alone: the client's statement may name files itself, as the conditions of gates do.
	files := slices.Compact(slices.Sorted(slices.Values(append(scanned(text), s.Files...))))
	err := c.guardedFiles(ctx, files, func() (err error) {
		if isLent && s.Keep {
			return l.confine(ctx, s, key)
		}
		_, err = c.session.exec(ctx, text)
		return err
	})
	c.locked = err == nil
	return err
}

// Renew makes a sandbox that is not locked one in which anything can be created. Take may have lent one that is
// confined to the scope of an earlier statement.
func (c *Conn) Renew(ctx context.Context) error {
	if l, ok := c.session.(*lent); ok {
		return l.exchange(ctx, "")
	}
	return nil
}

// lockTo returns the SQL that confines an instance to files.
func lockTo(files []string) string {
	return "SET allowed_paths = " + Texts(files) + "; SET enable_external_access = false; SET lock_configuration = true"
}

// process returns how much memory a process may reserve, in bytes. If Resident is set, what it holds is limited as
// well; with many columns that is a sixth of what it reserves.
func (l Limits) process() int64 {
	if l.Resident > 0 {
		return 2*l.Resident + besideMemory
	}
	if l.Memory <= 0 {
		return 1 << 62
	}
	// DuckDB's allocator keeps address space that it has given back: for long values as much again.
	return 2*l.Memory + besideMemory
}

// besideMemory is what a sandbox's process needs besides DuckDB's memory, in bytes: the program, its threads, and
// batches in transit.
const besideMemory = 512 << 20
