package verify

import (
	"io/fs"
	"os"
)

// stamp identifies a file and its content by one stat: other files, and other contents, have other stamps.
type stamp struct {
	size, modified, changed int64 // bytes; nanoseconds
	inode                   uint64
}

// stampOf returns what shows whether a file was changed, without reading it.
func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	return stampFrom(info), nil
}

// stampFrom returns the stamp of a file that was looked at already.
func stampFrom(info fs.FileInfo) stamp {
	s := stamp{size: info.Size(), modified: info.ModTime().UnixNano()}
	s.inode, s.changed = systemStamp(info)
	return s
}
