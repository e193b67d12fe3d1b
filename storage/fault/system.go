package fault

import "syscall"

// System returns the error for a refusal by the operating system, whether it was met by the server, DuckDB or the
// catalog. It is not the request's fault, which may succeed later. System returns nil if nobody could act on errno.
func System(errno syscall.Errno) *Error {
	switch errno {
	case syscall.ENOSPC, syscall.EDQUOT:
		return Errorf(Unavailable, "disk_full",
			"The server's disk is full. Nothing was changed; try again when there is room.")
	case syscall.EFBIG:
		return Errorf(Unavailable, "file_size_limit",
			"The server may not write files this large (its file-size limit, ulimit -f). "+
				"Nothing was changed; raise the limit, or send less at a time.")
	case syscall.EROFS, syscall.EACCES, syscall.EPERM:
		return Errorf(Unavailable, "read_only",
			"The server can't write to its data directory: it is read-only, or belongs to someone else. "+
				"Nothing was changed; try again when that is corrected.")
	case syscall.EMFILE, syscall.ENFILE:
		return Errorf(Unavailable, "too_many_files",
			"The server has reached its limit of open files. Send the request again in a moment.")
	case syscall.ENOENT, syscall.ENOTDIR:
		return Errorf(Unavailable, "objects_missing",
			"A part of the server's data directory is missing, or was moved. "+
				"Nothing was changed; put it back, then start the server again.")
	case syscall.EXDEV:
		return Errorf(Unavailable, "several_disks",
			"The parts of the server's data directory (objects, staging, quarantine) are on different file systems. "+
				"Nothing was changed; put them on one, then start the server again.")
	case syscall.EIO:
		return Errorf(Unavailable, "disk_error",
			"The server's disk reports an error. Nothing was changed; the log has the details.")
	}
	return nil
}
