//go:build duckdb_arrow

package duck

import (
	"context"
	"strings"
)

// Sandbox opens an instance of its own for a statement that a client wrote. It reads the given files and nothing else:
// no other file, no network, no extension, no setting can be changed. setup is ours and runs before the lock: it makes
// the views that the client's statement names. Closing the connection ends the instance.
func Sandbox(ctx context.Context, limits Limits, files []string, setup ...string) (*Conn, error) {
	db, err := limits.open()
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		db.Close()
		return nil, err
	}
	c := &Conn{sql: conn, done: db.Close}
	lock := "SET allowed_paths = " + Texts(files) + "; SET enable_external_access = false; SET lock_configuration = true"
	if _, err := c.Exec(ctx, strings.Join(append(setup, lock), ";\n")); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}
