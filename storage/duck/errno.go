//go:build duckdb_arrow

package duck

import (
	"errors"
	"strings"
	"syscall"

	"github.com/duckdb/duckdb-go/v2"
)

// errnos maps the texts in DuckDB's IO errors, which have no error number, to the operating system's errors.
var errnos = map[string]syscall.Errno{
	"No space left on device":   syscall.ENOSPC,
	"Disk quota exceeded":       syscall.EDQUOT,
	"File too large":            syscall.EFBIG,
	"Read-only file system":     syscall.EROFS,
	"Permission denied":         syscall.EACCES,
	"Operation not permitted":   syscall.EPERM,
	"Too many open files":       syscall.EMFILE,
	"Input/output error":        syscall.EIO,
	"No such file or directory": syscall.ENOENT,
}

// Errno returns the operating system's error for which DuckDB could not read or write a file; 0 if it names none.
func Errno(err error) syscall.Errno {
	var de *duckdb.Error
	if !errors.As(err, &de) || de.Type != duckdb.ErrorTypeIO {
		return 0
	}
	for text, errno := range errnos {
		if strings.Contains(de.Msg, text) {
			return errno
		}
	}
	return 0
}
