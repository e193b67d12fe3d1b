package catalog

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// isCut reports whether err is of a connection that is gone, or of a statement that was not answered in time though its
// request goes on.
func isCut(err error) bool {
	var network *net.OpError // and not net.Error, which errors of the disk and of deadlines are as well
	return errors.Is(err, errSilent) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, pgconn.ErrConnClosed) ||
		isUnsent(err) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.As(err, &network)
}

// isUnsent reports whether nothing of a statement was sent, other than because its request has ended.
func isUnsent(err error) bool {
	return pgconn.SafeToRetry(err) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// errSilent is joined to the error of a statement that was not answered in time.
var errSilent = errors.New("the database does not answer")
