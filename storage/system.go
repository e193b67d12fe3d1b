package storage

import (
	"errors"
	"syscall"

	"rowback/storage/catalog"
	"rowback/storage/duck"
)

// What the system refuses to whoever writes here, DuckDB and the catalog included, is no fault of the request.

// systemFault returns what a client is told where the system refused something; nil where it did not.
func systemFault(err error) *Error {
	e := tellErrno(errnoOf(err))
	if e != nil {
		e.Cause = err
	}
	return e
}

func tellErrno(errno syscall.Errno) *Error {
	switch errno {
	case syscall.ENOSPC, syscall.EDQUOT:
		return failf(Unavailable, "disk_full",
			"The server's disk is full. Nothing was changed; try again when there is room.")
	case syscall.EFBIG:
		return failf(Unavailable, "file_size_limit",
			"The server may not write files this large (its file-size limit, ulimit -f). "+
				"Nothing was changed; raise the limit, or send less at a time.")
	case syscall.EROFS, syscall.EACCES, syscall.EPERM:
		return failf(Unavailable, "read_only",
			"The server can't write to its data directory: it is read-only, or belongs to someone else. "+
				"Nothing was changed; try again when that is mended.")
	case syscall.EMFILE, syscall.ENFILE:
		return failf(Unavailable, "too_many_files",
			"The server has as many files open as it may. Send the request again in a moment.")
	case syscall.ENOENT, syscall.ENOTDIR:
		return failf(Unavailable, "objects_missing",
			"A folder of the server's data directory is missing, or was moved. Nothing was changed; put it back, then start the server again.")
	case syscall.EXDEV:
		return failf(Unavailable, "several_disks",
			"The folders of the server's data directory (objects, staging, quarantine) are on different file systems. "+
				"Nothing was changed; put them on one, then start the server again.")
	case syscall.EIO:
		return failf(Unavailable, "disk_error",
			"The server's disk reports an error. Nothing was changed; the log has the details.")
	}
	return nil
}

// errnoOf finds the system's reason for an error: 0 where it has none.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	if errno = catalog.Errno(err); errno != 0 {
		return errno
	}
	return duck.Errno(err)
}

// hasFolder refuses to write beside a dataset's files where they are not: their disk is away, and would hide that when it
// is back.
func (s *Store) hasFolder(dataset string) error {
	if s.blobs.Has(dataset) {
		return nil
	}
	return tellErrno(syscall.ENOENT)
}
