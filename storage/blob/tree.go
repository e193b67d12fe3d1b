package blob

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
)

// Tree is a directory that is not an open store, in which files are written durably: where backups are kept, or where a
// store is laid out. Others may have written to it, so nothing in it leads out of it: not by .., and not by a symbolic
// link. Names are slash-separated and relative to it.
type Tree struct {
	root *os.Root
	hook Hook
	next atomic.Int64
}

// treeStaging is where files are until they are complete. Whoever writes to a tree empties it first (Clear).
const treeStaging = "staging"

// OpenTree opens a directory.
func OpenTree(dir string, hook Hook) (*Tree, error) {
	if hook == nil {
		hook = func(string, string) error { return nil }
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Tree{root: root, hook: hook}, nil
}

// MakeTree creates a directory if it is missing, durably, and opens it.
func MakeTree(dir string, hook Hook) (*Tree, error) {
	if err := MakeRoot(dir, hook); err != nil {
		return nil, err
	}
	return OpenTree(dir, hook)
}

// Close closes the tree.
func (t *Tree) Close() error { return t.root.Close() }

// Dir is the path of the directory.
func (t *Tree) Dir() string { return t.root.Name() }

// Entry is what a directory of a tree has.
type Entry struct {
	Name   string
	Size   int64 // bytes
	IsFile bool  // a regular file, and not a link to one
	IsDir  bool  // a directory, and not a link to one
}

// List lists a directory. A missing one has nothing.
func (t *Tree) List(dir string) (out []Entry, err error) {
	f, err := t.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was removed in this moment
		}
		if err != nil {
			return nil, err
		}
		out = append(out, Entry{e.Name(), info.Size(), info.Mode().IsRegular(), info.IsDir()})
	}
	return out, err
}

// Open opens a regular file for reading. A symbolic link is not one, wherever it leads.
func (t *Tree) Open(name string) (*os.File, error) {
	info, err := t.root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: errNotFile}
	}
	if err != nil {
		return nil, err
	}
	return t.root.Open(name)
}

// Read reads a file.
func (t *Tree) Read(name string) ([]byte, error) {
	f, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// Clear removes what was left unfinished.
func (t *Tree) Clear() error { return t.RemoveAll(treeStaging) }

// ClearFirst is Clear where no more than the first draft was begun: nothing that others have left is removed.
func (t *Tree) ClearFirst() error {
	left, err := t.List(treeStaging)
	if err != nil || len(left) > 1 || len(left) == 1 && (left[0].Name != "1" || !left[0].IsFile) {
		return err
	}
	return t.Clear()
}

// RemoveAll removes a file or a directory with all that it has. It is not an error if there is none.
func (t *Tree) RemoveAll(name string) error {
	_, err := t.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := t.hook("remove", name); err != nil {
		return err
	}
	return t.root.RemoveAll(name)
}

// Draft is a file that is written and has no place yet.
type Draft struct {
	tree   *Tree
	file   *os.File
	staged string
}

// Draft begins to write a file.
func (t *Tree) Draft() (*Draft, error) {
	if err := t.MakeDir(treeStaging); err != nil {
		return nil, err
	}
	staged := path.Join(treeStaging, strconv.FormatInt(t.next.Add(1), 10))
	if err := t.hook("write", staged); err != nil {
		return nil, err
	}
	f, err := t.root.OpenFile(staged, os.O_CREATE|os.O_TRUNC|os.O_RDWR, fileMode)
	if err != nil {
		return nil, err
	}
	return &Draft{t, f, staged}, nil
}

// Write implements io.Writer.
func (d *Draft) Write(p []byte) (int, error) { return d.file.Write(p) }

// Content returns what was written, from its beginning, for reading until the draft is placed or discarded.
func (d *Draft) Content() (in io.ReadSeeker, size int64, err error) {
	if size, err = d.file.Seek(0, io.SeekEnd); err == nil {
		_, err = d.file.Seek(0, io.SeekStart)
	}
	return d.file, size, err
}

// Discard removes the draft.
func (d *Draft) Discard() {
	_ = d.file.Close()               // it is given up
	_ = d.tree.root.Remove(d.staged) // what is left is removed by Clear
}

// sync makes the draft durable where it is.
func (d *Draft) sync() error {
	if err := d.tree.hook("sync", d.staged); err != nil {
		return err
	}
	return errors.Join(d.file.Sync(), d.file.Close())
}

// Placing is a draft with the name that it gets.
type Placing struct {
	*Draft
	Name string
}

// Place makes drafts durable, then gives them their names, in place of what had these. The directories of the names
// must be synced after that (Sync): only then the names are durable too.
func (t *Tree) Place(drafts ...Placing) error {
	errs := make([]error, len(drafts))
	places := make(chan struct{}, maxSyncs)
	var wg sync.WaitGroup
	for i, d := range drafts {
		places <- struct{}{}
		wg.Go(func() { errs[i] = d.sync(); <-places })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, d := range drafts {
		if err := t.MakeDir(path.Dir(d.Name)); err != nil {
			return err
		}
		if err := t.Rename(d.staged, d.Name); err != nil {
			return err
		}
	}
	return nil
}

// Write writes a small file, durably and atomically, in place of a former one.
func (t *Tree) Write(name string, data []byte) error {
	d, err := t.Draft()
	if err != nil {
		return err
	}
	if _, err := d.Write(data); err != nil {
		d.Discard()
		return err
	}
	if err := t.Place(Placing{d, name}); err != nil {
		d.Discard()
		return err
	}
	return t.Sync(path.Dir(name))
}

// Rename gives a file or a directory another name. It is durable once the directories of both are synced.
func (t *Tree) Rename(from, to string) error {
	if err := t.hook("rename", to); err != nil {
		return err
	}
	return t.root.Rename(from, to)
}

// Remove removes a file or an empty directory. It is durable once its directory is synced. It is not an error if there
// is none.
func (t *Tree) Remove(name string) error {
	if err := t.hook("remove", name); err != nil {
		return err
	}
	err := t.root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// MakeDir creates a directory and its missing parents, durably.
func (t *Tree) MakeDir(dir string) error {
	info, err := t.root.Stat(dir)
	if err == nil && !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrExist}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := path.Dir(dir)
	if err := t.MakeDir(above); err != nil {
		return err
	}
	if err := t.hook("create", dir); err != nil {
		return err
	}
	if err := t.root.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return t.Sync(above)
}

// Sync makes the names in directories durable.
func (t *Tree) Sync(dirs ...string) error {
	for _, dir := range dirs {
		if err := t.hook("sync", dir); err != nil {
			return err
		}
		f, err := t.root.Open(dir)
		if err != nil {
			return err
		}
		if err := cmp.Or(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// LockFile creates a file of a tree for others to lock, and returns its path.
func (t *Tree) LockFile(name string) (string, error) {
	f, err := t.root.OpenFile(name, os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return "", err
	}
	return filepath.Join(t.Dir(), name), f.Close()
}
