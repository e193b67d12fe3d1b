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

// SettingsBefore matches the settings of earlier versions that are kept.
const SettingsBefore = "settings.before-*.db"

// RemoveSettings removes the settings of a data directory, which are elsewhere, and those of earlier versions with
// them: they have secrets, and would bring back users who were removed.
func RemoveSettings(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, SettingsBefore))
	for _, suffix := range []string{"-wal", "-shm", ""} {
		paths = append(paths, filepath.Join(dir, SettingsFile+suffix))
	}
	errs := []error{err}
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
