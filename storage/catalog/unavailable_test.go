package catalog

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"
)

// Only what the database or the way to it is to blame for may pass by itself. What the disk, the request or SQLite is
// to blame for is not asked again.
func TestWhichErrorsAreOfACutConnection(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		{fmt.Errorf("writing: %w", io.ErrUnexpectedEOF), true},
		{pgconn.ErrConnClosed, true},
		{&pgconn.PgError{Code: "57P01"}, true}, // it is shutting down
		{&pgconn.PgError{Code: "53300"}, true}, // too many connections
		{&pgconn.PgError{Code: "40001"}, true},
		{&pgconn.PgError{Code: "25006"}, true}, // a replica, which takes no writes
		{&pgconn.PgError{Code: "55000"}, true}, // the same, asked for its own log
		{errors.Join(errSilent, context.DeadlineExceeded), true},
		{ErrLockLost, true},
		{&pgconn.PgError{Code: uniqueViolation}, false},
		{&pgconn.PgError{Code: "42601"}, false},
		{context.DeadlineExceeded, false},
		{context.Canceled, false},
		{syscall.EIO, false},
		{&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, false},
		{sqlite3.Error{Code: sqlite3.ErrIoErr, SystemErrno: syscall.EIO}, false},
		{ErrMoved, false},
		{nil, false},
	} {
		if got := IsUnavailable(Marked(c.err)); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

// A body that ends too early, or another connection that is cut, says nothing of the database.
func TestErrorsOfOthersAreNotTheDatabases(t *testing.T) {
	cut := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	for _, err := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, driver.ErrBadConn, cut} {
		if IsUnavailable(fmt.Errorf("reading: %w", err)) {
			t.Errorf("%v is taken for one of the database", err)
		}
	}
}
