package datadir

import (
	"errors"
	"io/fs"
	"os"
)

// Scratch makes a directory for what is needed while a store is copied, and returns what removes it.
func Scratch() (dir string, remove func() error, err error) {
	dir, err = os.MkdirTemp("", "rowback-copy-")
	return dir, func() error { return os.RemoveAll(dir) }, err
}

// Make makes a data directory that only its owner may read, if it is not there. What is in it stays.
func Make(dir string) error {
	if err := os.Mkdir(dir, 0o700); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// OpenSettings opens a copy of the settings.
func OpenSettings(path string) (*os.File, error) { return os.Open(path) }

// WriteSettings writes a copy of settings, for its owner alone.
func WriteSettings(path string, text []byte) error { return os.WriteFile(path, text, 0o600) }
