package verify

import (
	"io/fs"
	"os"
)

// stamp is what one stat tells of a file: another file, or another content, has another one.
type stamp struct {
	size, modified, changed int64 // bytes; nanoseconds
	inode                   uint64
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	return stampFrom(info), nil
}

func stampFrom(info fs.FileInfo) stamp {
	s := stamp{size: info.Size(), modified: info.ModTime().UnixNano()}
	s.inode, s.changed = systemStamp(info)
	return s
}
