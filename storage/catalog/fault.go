package catalog

import (
	"errors"
	"syscall"

	"github.com/mattn/go-sqlite3"
)

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
