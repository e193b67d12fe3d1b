package catalog

import (
	"context"
	"database/sql"
	"errors"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"
)

// errRolledBack is joined to the error of a transaction of which it is known that nothing was committed.
var errRolledBack = errors.New("nothing was committed")

// isRolledBack reports whether a transaction that ended with err is certain to have had no effect: it was refused, or
// there was no room for its last page, without which it is not committed.
func isRolledBack(err error) bool {
	if errors.Is(err, ErrUncertain) {
		return false
	}
	var e sqlite3.Error
	if errors.As(err, &e) {
		return e.Code == sqlite3.ErrFull || e.Code == sqlite3.ErrBusy || e.Code == sqlite3.ErrConstraint
	}
	return errors.Is(err, errRolledBack) || errors.Is(err, sql.ErrTxDone) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// IsDuplicate reports whether err is the violation of a unique constraint, such as that on a dataset's name.
func IsDuplicate(err error) bool {
	var e sqlite3.Error
	if errors.As(err, &e) {
		return e.ExtendedCode == sqlite3.ErrConstraintUnique
	}
	return stateOf(err) == uniqueViolation
}

// IsConstraint reports whether err is the violation of any constraint.
func IsConstraint(err error) bool {
	var e sqlite3.Error
	if errors.As(err, &e) {
		return e.Code == sqlite3.ErrConstraint
	}
	state := stateOf(err)
	return len(state) == 5 && state[:2] == integrityClass
}

// The states of PostgreSQL that the catalog acts upon, and the first two characters of some.
const (
	uniqueViolation = "23505"
	stoodStill      = "25P03" // the session was ended, since it did nothing in a transaction
	readOnly        = "25006" // it is a replica that follows another server, and takes no writes
	lockTimeout     = "55P03" // a lock was waited for too long
	notPrimary      = "55000" // it is in recovery, and has no log of its own yet
	invalidValue    = "22023" // such as the id of a transaction that was not given yet

	integrityClass  = "23"
	connectionClass = "08"
	rollbackClass   = "40" // serialization failures and deadlocks
	resourceClass   = "53"
	operatorClass   = "57" // it is shutting down or starting, or the statement was cancelled
)

// stateOf returns the state with which PostgreSQL refused something; empty: it did not.
func stateOf(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// IsDamaged reports whether err says that the file is not a database, or a corrupt one.
func IsDamaged(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.Code == sqlite3.ErrNotADB || e.Code == sqlite3.ErrCorrupt)
}

// Errno returns the operating system's error for which the catalog could not be read or written; 0 if there is none.
func Errno(err error) syscall.Errno {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return 0
	}
	if e.SystemErrno != 0 {
		return e.SystemErrno
	}
	switch e.Code {
	case sqlite3.ErrFull:
		return syscall.ENOSPC
	case sqlite3.ErrReadonly, sqlite3.ErrCantOpen:
		return syscall.EROFS
	case sqlite3.ErrIoErr:
		return syscall.EIO
	}
	return 0
}
