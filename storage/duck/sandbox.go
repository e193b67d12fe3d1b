//go:build duckdb_arrow

package duck

import (
	"context"
	"strings"
)

// Sandbox opens an instance of its own for a statement that a client wrote. Until it is locked, it may be given
// statements of ours only. Closing the connection ends the instance.
func Sandbox(ctx context.Context, limits Limits) (*Conn, error) {
	db, err := limits.open()
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		db.Close()
		return nil, err
	}
	return &Conn{sql: conn, done: db.Close}, nil
}

// Lock lets a sandbox read the given files and nothing else, for good: no other file, no network, no extension, and no
// setting can be changed. setup is ours and runs before: it makes the views that the client's statement names.
func (c *Conn) Lock(ctx context.Context, files []string, setup ...string) error {
	lock := "SET allowed_paths = " + Texts(files) + "; SET enable_external_access = false; SET lock_configuration = true"
	_, err := c.Exec(ctx, strings.Join(append(setup, lock), ";\n"))
	return err
}
