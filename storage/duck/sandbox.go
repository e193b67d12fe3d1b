//go:build duckdb_arrow

package duck

import (
	"context"
	"slices"
	"strings"
)

// Lock confines a sandbox for good: it can read the given files, but no others, nor use the network or extensions, nor
// change a setting. setup runs before that; it creates the views that the client's statement names.
func (c *Conn) Lock(ctx context.Context, files []string, setup ...string) error {
	files = slices.Compact(slices.Sorted(slices.Values(files))) // versions share most of their files
	lock := "SET allowed_paths = " + Texts(files) + "; SET enable_external_access = false; SET lock_configuration = true"
	_, err := c.Exec(ctx, strings.Join(append(setup, lock), ";\n"))
	c.locked = err == nil
	return err
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
