package blob

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeRoot creates the directory of a store and its missing parents, durably.
func MakeRoot(root string, hook Hook) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	return unopened(root, hook).makeRoot(".")
}

// unopened returns a directory for durable writes that is not opened as a store.
func unopened(root string, hook Hook) *Dir {
	if hook == nil {
		hook = func(string, string) error { return nil }
	}
	return &Dir{root: root, hook: hook}
}

// makeRoot makes a directory of the root and those above it, each a step of its own for the hook.
func (d *Dir) makeRoot(rel string) error {
	path := filepath.Join(d.root, rel)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Join(rel, "..")
	if err := d.makeRoot(above); err != nil {
		return err
	}
	if err := d.hook("create", rel); err != nil {
		return err
	}
	if err := os.Mkdir(path, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.sync(above)
}
