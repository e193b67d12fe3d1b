//go:build duckdb_arrow

package duck

import (
	"context"
	"slices"
	"strings"
)

// Lock lets a sandbox read the given files and nothing else, for good: no other file, no network, no extension, and no
// setting can be changed. setup is ours and runs before: it makes the views that the client's statement names.
func (c *Conn) Lock(ctx context.Context, files []string, setup ...string) error {
	files = slices.Compact(slices.Sorted(slices.Values(files))) // versions share most of theirs
	lock := "SET allowed_paths = " + Texts(files) + "; SET enable_external_access = false; SET lock_configuration = true"
	_, err := c.Exec(ctx, strings.Join(append(setup, lock), ";\n"))
	c.locked = err == nil
	return err
}

// process is how much memory a process may reserve in all, bytes. What is held is bound as well where Resident is set, and
// with many columns it is a sixth of what is reserved.
func (l Limits) process() int64 {
	if l.Resident > 0 {
		return 2*l.Resident + besideMemory
	}
	if l.Memory <= 0 {
		return 1 << 62
	}
	return l.Memory + l.Memory/2 + besideMemory
}

// besideMemory is what a sandbox's process takes beside DuckDB's memory, bytes: the program, its threads, and batches on
// their way.
const besideMemory = 512 << 20
