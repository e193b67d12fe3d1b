package blob

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Permissions of all that is stored: only its owner has access.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

// tighten removes the permissions of others from a store created by an earlier version. The root comes last, as the
// mark that all is done. Directories of another owner are left alone.
func tighten(root string) error {
	info, err := os.Stat(root)
	if err != nil || info.Mode().Perm()&^dirMode == 0 {
		return err
	}
	err = filepath.WalkDir(filepath.Join(root, objectsDir), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			return chmod(path, dirMode)
		}
		return chmod(path, fileMode)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return chmod(root, dirMode)
}

// chmod sets a file's mode. On a file of another user it does nothing: it is readable, or the next step says so.
func chmod(path string, mode fs.FileMode) error {
	if err := os.Chmod(path, mode); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}
