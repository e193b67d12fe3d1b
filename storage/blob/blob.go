// Package blob keeps immutable objects under keys such as objects/<dataset>/<commit>/data-0000.parquet. Objects become
// visible in batches: the files of a batch are written to a directory of their own under staging, which Open empties,
// moved to their place in one rename, and synced. Removing or withdrawing objects is one rename too, so that a
// directory is never there in part. After a crash between the rename and the syncs, the owner of the objects must
// verify them and set aside what is incomplete. A store may also be in a bucket (Remote), where the description of a
// batch publishes it. Conformance, in the tests, is what every store must do.
package blob

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

const (
	objectsDir    = "objects"
	stagingDir    = "staging"
	quarantineDir = "quarantine"
)

// Object is one stored object.
type Object struct {
	Key  string // slash-separated, below objects
	Size int64  // bytes
}

// Hook is called before each durable step with its kind (create, write, sync, rename or remove) and the path relative
// to the store. If it returns an error, the step fails with it: tests crash the store at every one of them.
type Hook func(op, path string) error

// Dir is a store in a directory. Its methods may be called from many goroutines.
type Dir struct {
	root    string
	scratch string // absolute path of the staging area
	hook    Hook
	room    func() error
	next    atomic.Int64

	batches sync.Map // from the keys of unpublished batches to their directories
}

// Open opens the store in the directory root, creates it if it is missing, and empties its staging area.
func Open(root string, hook Hook) (*Dir, error) {
	if hook == nil {
		hook = func(string, string) error { return nil }
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	d := &Dir{root: root, scratch: filepath.Join(root, stagingDir), hook: hook, room: func() error { return nil }}
	if err := tighten(root); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.RemoveAll(d.scratch); err != nil {
		return nil, err
	}
	for _, dir := range []string{objectsDir, stagingDir, quarantineDir} {
		if err := os.MkdirAll(filepath.Join(root, dir), dirMode); err != nil {
			return nil, err
		}
	}
	return d, d.sync(".")
}

// KeepFree registers room to be called before anything is written. If it returns an error, nothing is.
func (d *Dir) KeepFree(room func() error) { d.room = room }

// Writable returns why nothing can be stored, or nil if objects can be.
func (d *Dir) Writable() error {
	for _, dir := range []string{".", objectsDir, stagingDir} {
		if err := Writable(filepath.Join(d.root, dir)); err != nil {
			return err
		}
	}
	return nil
}

// IsEmpty reports whether no object is stored. It reads only one entry of the directory.
func (d *Dir) IsEmpty() (bool, error) {
	dir, err := os.Open(filepath.Join(d.root, objectsDir))
	if err != nil {
		return false, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return len(names) == 0, err
}

// ReadOnly is a store opened for reading only: every change of it is an error.
type ReadOnly struct{ *Dir }

var errReadOnly = errors.New("the store is open for reading only")

// OpenReadOnly opens the store in the directory root without changing it. Scratch files go to a temporary directory
// elsewhere, which Close removes.
func OpenReadOnly(root string) (ReadOnly, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return ReadOnly{}, err
	}
	scratch, err := os.MkdirTemp("", "rowback-check-")
	refuse := func(op, path string) error { return &fs.PathError{Op: op, Path: path, Err: errReadOnly} }
	return ReadOnly{&Dir{root: root, scratch: scratch, hook: refuse, room: func() error { return errReadOnly }}}, err
}

// Close removes the scratch files.
func (d ReadOnly) Close() error { return os.RemoveAll(d.scratch) }

// Path returns the path of an object's file, which is in the staging area until its batch is published.
func (d *Dir) Path(key string) string {
	if staged, ok := d.batches.Load(path.Dir(key)); ok {
		return filepath.Join(d.root, staged.(string), path.Base(key))
	}
	return d.place(key)
}

// Key returns the key of the object at a path: the inverse of Path for published objects.
func (d *Dir) Key(path string) (key string, ok bool) {
	rel, ok := strings.CutPrefix(path, filepath.Join(d.root, objectsDir)+string(filepath.Separator))
	return filepath.ToSlash(rel), ok
}

// Has reports whether there is an object or a directory under a key.
func (d *Dir) Has(key string) (bool, error) {
	_, err := os.Lstat(d.place(key))
	if errors.Is(err, syscall.ENOTDIR) { // a file is where its directory would be
		return false, nil
	}
	return isThere(err)
}

// isThere returns what an error in asking for an object says: that it is there, that it is not, or neither.
func isThere(err error) (bool, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// place returns the path of an object once it is published.
func (d *Dir) place(key string) string {
	return filepath.Join(d.root, objectsDir, filepath.FromSlash(key))
}

// Open opens an object for reading, with random access. If there is none, the error is fs.ErrNotExist.
func (d *Dir) Open(key string) (io.ReadSeekCloser, error) {
	if err := isFile(d.place(key)); err != nil {
		return nil, err
	}
	return os.Open(d.place(key))
}

// isFile returns an error unless there is a regular file at a path. Opening a pipe would block for ever.
func isFile(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "open", Path: path, Err: errNotFile}
	}
	return err
}

var errNotFile = errors.New("it is not a regular file")

// List yields the objects below the directory prefix, in no particular order. An empty prefix yields all objects.
func (d *Dir) List(prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		base := filepath.Join(d.root, objectsDir)
		err := filepath.WalkDir(d.place(prefix), func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || e.IsDir() {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			key, err := filepath.Rel(base, path)
			if err == nil && !yield(Object{Key: filepath.ToSlash(key), Size: info.Size()}, nil) {
				return fs.SkipAll
			}
			return err
		})
		if err != nil {
			yield(Object{}, err)
		}
	}
}

// Directories returns the names of the directories directly below prefix. A symbolic link counts as a directory, since
// its target may be on a disk that is not mounted, and must not seem never to have existed.
func (d *Dir) Directories(prefix string) ([]string, error) {
	var names []string
	err := d.EachDirectory(prefix, func(name string) { names = append(names, name) })
	slices.Sort(names)
	return names, err
}

// entriesAtOnce is how many entries of a directory are read at a time.
const entriesAtOnce = 4096

// EachDirectory calls each with the name of every directory below a prefix, in no order: there may be many.
func (d *Dir) EachDirectory(prefix string, each func(name string)) error {
	in, err := os.Open(d.place(prefix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		entries, err := in.ReadDir(entriesAtOnce)
		for _, e := range entries {
			if e.IsDir() || e.Type()&fs.ModeSymlink != 0 {
				each(e.Name())
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Remove removes the objects below the directory prefix, or the object with that key, all at once. It is not an error
// if there is none.
func (d *Dir) Remove(prefix string) error {
	place := filepath.Join(objectsDir, filepath.FromSlash(prefix))
	if err := d.hook("remove", place); err != nil {
		return err
	}
	gone := d.Scratch("removed")
	err := os.Rename(filepath.Join(d.root, place), gone)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(d.sync(filepath.Dir(place)), os.RemoveAll(gone))
}

// Put stores one object under a key, durably, in place of any previous one. Until Keep is called, Undo restores the
// previous one. The caller must call one of the two even if Put returns an error.
func (d *Dir) Put(key string, data []byte) (Placed, error) {
	p := placed{dir: d, place: filepath.Join(objectsDir, filepath.FromSlash(key)), former: d.Scratch("former")}
	err := p.put(data)
	return Placed{p.undo, p.keep}, err
}

// Placed is an object stored by Put, which can still be undone.
type Placed struct{ undo, keep func() error }

// Undo restores the previous object, or its absence, durably. It needs no disk space.
func (p Placed) Undo() error {
	if p.undo == nil {
		return nil
	}
	return p.undo()
}

// Keep makes Put final: the previous object is released.
func (p Placed) Keep() error {
	if p.keep == nil {
		return nil
	}
	return p.keep()
}

// placed is Placed in a directory.
type placed struct {
	dir      *Dir
	place    string
	former   string // a hard link to the previous object
	replaces bool
	isPlaced bool
}

func (p *placed) put(data []byte) error {
	d := p.dir
	if err := d.room(); err != nil {
		return err
	}
	staged := d.Scratch("put")
	defer os.Remove(staged)
	if err := os.WriteFile(staged, data, fileMode); err != nil {
		return err
	}
	if err := d.makeDir(filepath.Dir(p.place)); err != nil {
		return err
	}
	if err := d.sync(d.relative(staged)); err != nil {
		return err
	}
	err := os.Link(filepath.Join(d.root, p.place), p.former)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.replaces = err == nil
	if err := d.rename(d.relative(staged), p.place); err != nil {
		return err
	}
	p.isPlaced = true
	return d.sync(filepath.Dir(p.place))
}

func (p *placed) undo() error {
	if !p.isPlaced {
		return p.keep()
	}
	from, to := p.dir.relative(p.former), p.place
	if !p.replaces {
		from, to = to, from // there was none: move the new one away
	}
	if err := p.dir.rename(from, to); err != nil {
		return err
	}
	return errors.Join(p.dir.sync(filepath.Dir(p.place)), p.keep())
}

func (p *placed) keep() error {
	if _, err := os.Lstat(p.former); errors.Is(err, fs.ErrNotExist) {
		return nil // on a disk that has turned read-only, even removing a missing file fails
	}
	return os.Remove(p.former)
}

// relative returns a path as the hook has it: from the root.
func (d *Dir) relative(path string) string {
	rel, err := filepath.Rel(d.root, path)
	if err != nil {
		return path
	}
	return rel
}

// makeDir creates a directory and its missing parents, durably. An existing directory costs one stat. Only Open creates
// the directory of all objects: if that is missing later, its disk is not mounted, and mounting it would hide whatever
// was written in the meantime.
func (d *Dir) makeDir(rel string) error {
	_, err := os.Stat(filepath.Join(d.root, rel))
	if !errors.Is(err, fs.ErrNotExist) || rel == objectsDir {
		return err
	}
	above := filepath.Dir(rel)
	if err := d.makeDir(above); err != nil {
		return err
	}
	if err := d.hook("create", rel); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(d.root, rel), dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.sync(above)
}

// rename is a durable step once the directories are synced.
func (d *Dir) rename(from, to string) error {
	if err := d.hook("rename", to); err != nil {
		return err
	}
	return os.Rename(filepath.Join(d.root, from), filepath.Join(d.root, to))
}

// maxSyncs is how many files and directories are synced at once: each takes a thread while the disk writes.
const maxSyncs = 16

// syncAll syncs files and directories concurrently.
func (d *Dir) syncAll(paths []string) error {
	errs := make([]error, len(paths))
	places := make(chan struct{}, maxSyncs)
	var wg sync.WaitGroup
	for i, path := range paths {
		places <- struct{}{}
		wg.Go(func() { errs[i] = d.sync(path); <-places })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// sync flushes a file or a directory to the disk.
func (d *Dir) sync(rel string) error {
	if err := d.hook("sync", rel); err != nil {
		return err
	}
	return flush(filepath.Join(d.root, rel))
}

// flush flushes the file or directory at a path to the disk.
func flush(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, f.Close()) }()
	return f.Sync()
}
