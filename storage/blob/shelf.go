package blob

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Shelf has files beside the objects that others read by their addresses, as they read the objects. All of them can be
// made again: none is durable, and neither a start nor a check nor a backup looks at them.
type Shelf interface {
	// Address returns the URI of an object, ShelfAddress that of what has a name on the shelf.
	Address(key string) string
	ShelfAddress(name string) string
	// Shelved returns when what has a name was put there, and its size; ok is false where there is nothing of that name.
	Shelved(ctx context.Context, name string) (at time.Time, size int64, ok bool, err error)
	// Shelve puts a scratch file on the shelf, whole, in place of one of that name.
	Shelve(ctx context.Context, name, scratch string) error
	// ClearShelf removes what is on the shelf in a directory, or in all of them if that is empty, and is old by its name
	// and when it was put there.
	ClearShelf(ctx context.Context, dir string, isOld func(name string, at time.Time) bool) error
}

const shelfDir = "published"

// Address implements Shelf. Engines take the path as it is: nothing in it is escaped.
func (d *Dir) Address(key string) string { return "file://" + filepath.ToSlash(d.place(key)) }

// ShelfAddress implements Shelf.
func (d *Dir) ShelfAddress(name string) string { return "file://" + filepath.ToSlash(d.shelf(name)) }

func (d *Dir) shelf(name string) string {
	return filepath.Join(d.root, shelfDir, filepath.FromSlash(name))
}

// Shelved implements Shelf.
func (d *Dir) Shelved(_ context.Context, name string) (at time.Time, size int64, ok bool, err error) {
	info, err := os.Stat(d.shelf(name))
	if errors.Is(err, fs.ErrNotExist) {
		return at, 0, false, nil
	}
	if err != nil {
		return at, 0, false, err
	}
	return info.ModTime(), info.Size(), true, nil
}

// Shelve implements Shelf.
func (d *Dir) Shelve(_ context.Context, name, scratch string) error {
	if err := d.room(); err != nil {
		return err
	}
	err := os.Rename(scratch, d.shelf(name))
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(d.shelf(name)), dirMode); err != nil {
			return err
		}
		err = os.Rename(scratch, d.shelf(name))
	}
	return err
}

// ClearShelf implements Shelf.
func (d *Dir) ClearShelf(_ context.Context, dir string, isOld func(name string, at time.Time) bool) error {
	root, err := os.OpenRoot(d.shelf(""))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // it was read
	return fs.WalkDir(root.FS(), cmp.Or(dir, "."), func(name string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil && isOld(name, info.ModTime()) {
			err = root.Remove(name)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

// Address implements Shelf.
func (r *Remote) Address(key string) string { return r.bucket.Address(named(key)) }

// ShelfAddress implements Shelf.
func (r *Remote) ShelfAddress(name string) string { return r.bucket.Address(shelfDir + "/" + name) }

// Shelved implements Shelf.
func (r *Remote) Shelved(ctx context.Context, name string) (at time.Time, size int64, ok bool, err error) {
	for o, err := range r.bucket.List(ctx, shelfDir+"/"+name, true) {
		if err != nil || o.Key != shelfDir+"/"+name {
			return at, 0, false, err
		}
		return o.Changed, o.Size, true, nil
	}
	return at, 0, false, nil
}

// Shelve implements Shelf.
func (r *Remote) Shelve(ctx context.Context, name, scratch string) error {
	defer r.RemoveScratch(scratch)
	return r.bucket.Replace(ctx, shelfDir+"/"+name, scratch)
}

// ClearShelf implements Shelf.
func (r *Remote) ClearShelf(ctx context.Context, dir string, isOld func(name string, at time.Time) bool) error {
	prefix := shelfDir + "/"
	if dir != "" {
		prefix += dir + "/"
	}
	var old []string
	for o, err := range r.bucket.List(ctx, prefix, false) {
		if err != nil {
			return err
		}
		if isOld(strings.TrimPrefix(o.Key, shelfDir+"/"), o.Changed) {
			old = append(old, o.Key)
		}
	}
	return r.bucket.Remove(ctx, old...)
}
