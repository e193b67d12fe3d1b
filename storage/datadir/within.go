package datadir

import (
	"os"
	"path/filepath"
)

// IsWithin reports whether a path, which may not exist yet, is that of a directory or below it.
func IsWithin(path, dir string) bool {
	of, err := os.Stat(dir)
	if dir == "" || err != nil {
		return false
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return false
	}
	for ; ; path = filepath.Dir(path) {
		if found, err := os.Stat(path); err == nil && os.SameFile(found, of) {
			return true
		}
		if path == filepath.Dir(path) {
			return false
		}
	}
}
