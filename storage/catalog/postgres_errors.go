package catalog

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// cutOff is the error of a database that is away. Only what asked the database can tell: the same errors come from
// bodies that end too early, from other connections and from files.
type cutOff struct{ error }

// Unwrap returns the error.
func (e cutOff) Unwrap() error { return e.error }

// Marked returns an error of the database as one that IsUnavailable knows, if it says that the database is away.
func Marked(err error) error {
	if err == nil || !isCut(err) {
		return err
	}
	return cutOff{err}
}

// isCut reports whether an error of the database is of a connection that is gone or can't be made, or of a statement
// that was not answered in time though its request goes on.
func isCut(err error) bool {
	var network *net.OpError // and not net.Error, which errors of the disk and of deadlines are as well
	var connect *pgconn.ConnectError
	return errors.Is(err, errSilent) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.As(err, &connect) || isUnsent(err) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.As(err, &network)
}

// isStale reports whether an error of the database is of a connection that was there and is gone: another one may do.
func isStale(err error) bool {
	for _, other := range []error{ErrLockLost, ErrStarting, ErrTaken, ErrFailover} {
		if errors.Is(err, other) {
			return false
		}
	}
	if stateOf(err) == lockTimeout {
		return false
	}
	var connect *pgconn.ConnectError
	return !errors.As(err, &connect) && !errors.Is(err, errSilent) && IsUnavailable(Marked(err))
}

// isUnsent reports whether nothing of a statement was sent, other than because its request has ended.
func isUnsent(err error) bool {
	return pgconn.SafeToRetry(err) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// errSilent is joined to the error of a statement that was not answered in time.
var errSilent = errors.New("the database does not answer")
