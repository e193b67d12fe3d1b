package datadir

import (
	"os"
	"path/filepath"
)

// SettingsFile is the name of the server's settings: what can't be made anew from the objects, such as users. The store
// does not read it.
const SettingsFile = "settings.db"

// Settings returns the path of the settings in a data directory; empty: there are none.
func Settings(dir string) string {
	path := filepath.Join(dir, SettingsFile)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}
