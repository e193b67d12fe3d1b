package blob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Quarantine moves the objects below the directory key, or the object with that key, into quarantine under the given
// name, in one rename. It returns the name used, which has a number appended if the given one is taken.
func (d *Dir) Quarantine(key, name string) (string, error) {
	return d.setAside(filepath.Join(objectsDir, filepath.FromSlash(key)), name)
}

// QuarantineFile is Quarantine for a file beside the objects, such as the catalog. If there is none, it does nothing.
func (d *Dir) QuarantineFile(path, name string) (string, error) {
	if _, err := os.Lstat(filepath.Join(d.root, path)); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return d.setAside(path, name)
}

// setAside moves something to quarantine under a name that is free there, which it returns.
func (d *Dir) setAside(from, name string) (string, error) {
	free := name
	for n := 2; ; n++ {
		if _, err := os.Lstat(filepath.Join(d.root, quarantineDir, free)); errors.Is(err, fs.ErrNotExist) {
			break
		}
		free = fmt.Sprintf("%s-%d", name, n)
	}
	to := filepath.Join(quarantineDir, free)
	if err := d.rename(from, to); err != nil {
		return "", err
	}
	return free, d.syncAll([]string{filepath.Dir(from), quarantineDir})
}

// Quarantined lists what is in quarantine, by name.
func (d *Dir) Quarantined() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(d.root, quarantineDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// ReadQuarantined reads a file in quarantine.
func (d *Dir) ReadQuarantined(name string) ([]byte, error) {
	path := filepath.Join(d.root, quarantineDir, filepath.FromSlash(name))
	if err := isFile(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// Strip removes the files of a directory in quarantine except one.
func (d *Dir) Strip(name, keep string) error {
	dir := filepath.Join(d.root, quarantineDir, name)
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != keep {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// Unfinished is appended to the name of a file until WriteFile has finished it.
const Unfinished = ".new"

// WriteFile writes a file beside the objects, durably and atomically.
func WriteFile(root, name string, data []byte, hook Hook) error {
	return writeFile(unopened(root, hook), name, data)
}

func writeFile(d *Dir, name string, data []byte) error {
	if err := d.hook("write", name+Unfinished); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.root, name+Unfinished), data, fileMode); err != nil {
		return err
	}
	if err := d.sync(name + Unfinished); err != nil {
		return err
	}
	if err := d.rename(name+Unfinished, name); err != nil {
		return err
	}
	return d.sync(filepath.Dir(name))
}
