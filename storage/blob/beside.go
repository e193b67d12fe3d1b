package blob

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Files beside the objects, such as the catalog, by their names in the root.

// CopyBeside copies a file beside the objects to a path from Scratch, if there is room.
func (d *Dir) CopyBeside(name, scratch string) error {
	if err := d.room(); err != nil {
		return err
	}
	if err := d.hook("write", d.relative(scratch)); err != nil {
		return err
	}
	return copyFile(filepath.Join(d.root, name), scratch)
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// ReplaceBeside puts a file at a path from Scratch in the place of one beside the objects, in one durable step, and
// keeps that one under another name.
func (d *Dir) ReplaceBeside(scratch, name, kept string) error {
	if err := d.sync(d.relative(scratch)); err != nil {
		return err
	}
	if err := d.keepBeside(name, kept); err != nil {
		return err
	}
	if err := d.rename(d.relative(scratch), name); err != nil {
		return err
	}
	return d.sync(".")
}

// keepBeside gives a file beside the objects a second name. Where the file system has no links, it is copied.
func (d *Dir) keepBeside(name, kept string) error {
	if err := d.RemoveBeside(kept); err != nil {
		return err
	}
	if err := d.hook("link", kept); err != nil {
		return err
	}
	from, to := filepath.Join(d.root, name), filepath.Join(d.root, kept)
	if os.Link(from, to) == nil {
		return nil
	}
	if err := copyFile(from, to); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return d.sync(kept)
}

// ListBeside lists the files beside the objects whose names match a pattern of filepath.Match, sorted.
func (d *Dir) ListBeside(pattern string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(d.root, pattern))
	for i, p := range paths {
		paths[i] = filepath.Base(p)
	}
	slices.Sort(paths)
	return paths, err
}

// RemoveBeside removes files beside the objects, if they exist.
func (d *Dir) RemoveBeside(names ...string) error {
	for _, name := range names {
		if err := d.hook("remove", name); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(d.root, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// SizeBeside returns the size of a file beside the objects, bytes; 0 if it does not exist.
func (d *Dir) SizeBeside(name string) int64 {
	info, err := os.Stat(filepath.Join(d.root, name))
	if err != nil {
		return 0
	}
	return info.Size()
}

// Staged returns how many files are under staging, and their bytes. Files come and go meanwhile.
func (d *Dir) Staged() (files, bytes int64) {
	_ = filepath.WalkDir(d.scratch, func(_ string, e fs.DirEntry, err error) error { // what went meanwhile does not count
		if err != nil || e.IsDir() {
			return nil //nolint:nilerr // as above
		}
		if info, err := e.Info(); err == nil {
			files, bytes = files+1, bytes+info.Size()
		}
		return nil
	})
	return files, bytes
}
