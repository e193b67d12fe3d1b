package verify

import (
	"io/fs"
	"syscall"
)

// errCorrupted is the error of a file system whose own structures are damaged.
var errCorrupted = syscall.EUCLEAN

// systemStamp returns the inode and the time of the last change of any kind, which programs can't set.
func systemStamp(info fs.FileInfo) (inode uint64, changed int64) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ino, s.Ctim.Nano()
	}
	return 0, 0
}
