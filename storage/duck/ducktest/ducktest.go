// Package ducktest opens DuckDB for the tests of packages that are given a connection.
package ducktest

import (
	"testing"

	"github.com/rowback/rowback/storage/duck"
)

// Conn opens a connection to an instance of its own, in this process, with one thread and little memory. Both are
// closed when the test ends.
func Conn(t testing.TB) *duck.Conn {
	t.Helper()
	return ConnOf(t, duck.Limits{Threads: 1, Memory: 1e9, TempDir: t.TempDir()})
}

// ConnOf is Conn for an instance with other limits.
func ConnOf(t testing.TB, l duck.Limits) *duck.Conn {
	t.Helper()
	engine, err := duck.Open(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	conn, err := engine.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
