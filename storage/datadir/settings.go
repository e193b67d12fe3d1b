package datadir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// SettingsFile is the name of the server's settings: what can't be made anew from the objects, such as users. The store
// does not read it.
const SettingsFile = "settings.db"

// RemoveSettings removes the settings of a data directory, which are elsewhere.
func RemoveSettings(dir string) error {
	var errs []error
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Remove(filepath.Join(dir, SettingsFile+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Settings returns the path of the settings in a data directory; empty: there are none.
func Settings(dir string) string {
	path := filepath.Join(dir, SettingsFile)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}
