// Package blob keeps immutable objects under keys such as objects/<dataset>/<commit>/data-0000.parquet.
//
// Objects become visible in batches: the files of a batch are written in a folder of their own under staging, which Open
// empties, moved to their place in one rename, and synced. What was not published to the end is for its owner to set
// aside: what is removed or withdrawn leaves its place in one rename as well, so that it is never there in part.
// Conformance holds what any store must do; a directory is the only one so far.
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
	"strings"
	"sync"
	"sync/atomic"
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

// Hook is called before each durable step with what is about to be done (create, write, sync, rename, remove) and the
// path relative to the store. An error ends the step there: tests crash the store at every one of them.
type Hook func(op, path string) error

// Dir is a store in a directory. Its methods may be called from many goroutines.
type Dir struct {
	root    string
	scratch string // absolute: where what is unfinished lies
	hook    Hook
	room    func() error
	next    atomic.Int64

	batches sync.Map // of keys: where a batch lies that is not published
}

// Open opens the store in the directory root, makes it where there is none, and empties its staging area.
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

// KeepFree has room asked before anything is written. Its error refuses that.
func (d *Dir) KeepFree(room func() error) { d.room = room }

// Writable reports why nothing can be stored; nil where that can be done.
func (d *Dir) Writable() error {
	for _, dir := range []string{".", objectsDir, stagingDir} {
		if err := Writable(filepath.Join(d.root, dir)); err != nil {
			return err
		}
	}
	return nil
}

// IsEmpty reports whether no object is stored. It looks at one entry, however many there are.
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

// ReadOnly is a store that is looked at: whatever would change it is an error.
type ReadOnly struct{ *Dir }

var errReadOnly = errors.New("the store is open for reading only")

// OpenReadOnly opens the store in the directory root to look at it. What is temporary goes to a directory elsewhere, which
// Close removes.
func OpenReadOnly(root string) (ReadOnly, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return ReadOnly{}, err
	}
	scratch, err := os.MkdirTemp("", "rowback-check-")
	refuse := func(op, path string) error { return &fs.PathError{Op: op, Path: path, Err: errReadOnly} }
	return ReadOnly{&Dir{root: root, scratch: scratch, hook: refuse, room: func() error { return errReadOnly }}}, err
}

// Close removes what is temporary.
func (d ReadOnly) Close() error { return os.RemoveAll(d.scratch) }

// Path returns where an object's bytes can be read: in its batch, as long as that is not published.
func (d *Dir) Path(key string) string {
	if staged, ok := d.batches.Load(path.Dir(key)); ok {
		return filepath.Join(d.root, staged.(string), path.Base(key))
	}
	return d.place(key)
}

// Key returns the key of the object that lies at a path: the opposite of Path, once its batch is published.
func (d *Dir) Key(path string) (key string, ok bool) {
	rel, ok := strings.CutPrefix(path, filepath.Join(d.root, objectsDir)+string(filepath.Separator))
	return filepath.ToSlash(rel), ok
}

// Has reports whether there is an object under a key, or a folder.
func (d *Dir) Has(key string) bool {
	_, err := os.Lstat(d.place(key))
	return err == nil
}

// place is where an object lies, or will lie.
func (d *Dir) place(key string) string {
	return filepath.Join(d.root, objectsDir, filepath.FromSlash(key))
}

// Open reads an object, at any place of it. Where there is none, the error is fs.ErrNotExist.
func (d *Dir) Open(key string) (io.ReadSeekCloser, error) {
	if err := isFile(d.place(key)); err != nil {
		return nil, err
	}
	return os.Open(d.place(key))
}

// isFile is an error unless there is a file at a path: to open a pipe would wait for ever.
func isFile(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "open", Path: path, Err: errNotFile}
	}
	return err
}

var errNotFile = errors.New("it is not a file")

// List yields the objects whose keys start with the folder prefix, in no order. An empty prefix yields all.
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

// Folders returns the names of the folders right below prefix. A symbolic link counts as one: what it leads to may be on a
// disk that is away, and is not to be taken for never having been there.
func (d *Dir) Folders(prefix string) ([]string, error) {
	entries, err := os.ReadDir(d.place(prefix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() || e.Type()&fs.ModeSymlink != 0 {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// Remove removes the objects below the folder prefix, or the object of that key: all of it leaves its place at once.
// Nothing there to remove is not an error.
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

// Put stores one object under a key, durably, in place of any that was there. Undo puts that one back, as long as Keep
// was not called. Both are needed where Put returns an error, too.
func (d *Dir) Put(key string, data []byte) (Placed, error) {
	p := Placed{dir: d, place: filepath.Join(objectsDir, filepath.FromSlash(key)), former: d.Scratch("former")}
	if err := d.room(); err != nil {
		return p, err
	}
	staged := d.Scratch("put")
	defer os.Remove(staged)
	if err := os.WriteFile(staged, data, fileMode); err != nil {
		return p, err
	}
	if err := d.makeDir(filepath.Dir(p.place)); err != nil {
		return p, err
	}
	if err := d.sync(d.relative(staged)); err != nil {
		return p, err
	}
	err := os.Link(filepath.Join(d.root, p.place), p.former)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	p.replaces = err == nil
	if err := d.rename(d.relative(staged), p.place); err != nil {
		return p, err
	}
	p.placed = true
	return p, d.sync(filepath.Dir(p.place))
}

// Placed is an object that was put.
type Placed struct {
	dir      *Dir
	place    string
	former   string // a link to what was there before
	replaces bool
	placed   bool
}

// Undo puts back what was there before, durably. It needs no room on the disk.
func (p Placed) Undo() error {
	if !p.placed {
		return p.Keep()
	}
	from, to := p.dir.relative(p.former), p.place
	if !p.replaces {
		from, to = to, from // there was nothing: what was put goes
	}
	if err := p.dir.rename(from, to); err != nil {
		return err
	}
	return errors.Join(p.dir.sync(filepath.Dir(p.place)), p.Keep())
}

// Keep forgets what was there before.
func (p Placed) Keep() error {
	if _, err := os.Lstat(p.former); errors.Is(err, fs.ErrNotExist) {
		return nil // a disk that has turned read-only would refuse to remove even that
	}
	return os.Remove(p.former)
}

// Batch is a folder of objects that become visible together.
type Batch struct {
	dir    *Dir
	staged string // relative to the root
	key    string
	names  []string
}

// Batch starts a batch whose objects will be key/<name>.
func (d *Dir) Batch(key string) (*Batch, error) {
	if err := d.room(); err != nil {
		return nil, err
	}
	b := &Batch{dir: d, staged: d.relative(d.Scratch("batch")), key: key}
	if err := d.hook("create", b.staged); err != nil {
		return nil, err
	}
	d.batches.Store(key, b.staged)
	return b, os.Mkdir(filepath.Join(d.root, b.staged), dirMode)
}

// Path returns where the object of that name is to be written before Publish.
func (b *Batch) Path(name string) string {
	b.names = append(b.names, name)
	return filepath.Join(b.dir.root, b.staged, name)
}

// Key returns the key that the object of that name will have.
func (b *Batch) Key(name string) string { return b.key + "/" + name }

// Write writes an object of the batch.
func (b *Batch) Write(name string, data []byte) error {
	path := b.Path(name)
	if err := b.dir.hook("write", filepath.Join(b.staged, name)); err != nil {
		return err
	}
	return os.WriteFile(path, data, fileMode)
}

// Adopt makes a file that lies at a path of Scratch's the object of that name.
func (b *Batch) Adopt(name, path string) error {
	b.names = append(b.names, name)
	return b.dir.rename(b.dir.relative(path), filepath.Join(b.staged, name))
}

// Publish moves the batch to its place and makes it durable: its files, its folder and the folder above are synced side
// by side, so that the disk writes its journal once. Until all of it is done, no one may rely on the batch.
func (b *Batch) Publish() error {
	place := filepath.Join(objectsDir, filepath.FromSlash(b.key))
	above := filepath.Dir(place)
	for _, name := range b.names { // others may have written them
		if err := os.Chmod(filepath.Join(b.dir.root, b.staged, name), fileMode); err != nil {
			return err
		}
	}
	if err := b.dir.makeDir(above); err != nil {
		return err
	}
	if err := b.dir.rename(b.staged, place); err != nil {
		return err
	}
	b.dir.batches.Delete(b.key)
	paths := []string{place, above}
	for _, name := range b.names {
		paths = append(paths, filepath.Join(place, name))
	}
	return b.dir.syncAll(paths)
}

// Discard removes what was written, before Publish.
func (b *Batch) Discard() error {
	b.dir.batches.Delete(b.key)
	return os.RemoveAll(filepath.Join(b.dir.root, b.staged))
}

func (d *Dir) relative(path string) string {
	rel, err := filepath.Rel(d.root, path)
	if err != nil {
		return path
	}
	return rel
}

// makeDir makes a folder and what is missing above it, durably. Folders that are there cost one stat. The folder of all
// objects is made by Open alone: where it is missing later, its disk is away, and would hide what was written meanwhile.
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

func (d *Dir) rename(from, to string) error {
	if err := d.hook("rename", to); err != nil {
		return err
	}
	return os.Rename(filepath.Join(d.root, from), filepath.Join(d.root, to))
}

// syncAll syncs files and folders side by side.
func (d *Dir) syncAll(paths []string) error {
	errs := make([]error, len(paths))
	var wg sync.WaitGroup
	for i, path := range paths {
		wg.Go(func() { errs[i] = d.sync(path) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// sync sends a file or a folder to the disk.
func (d *Dir) sync(rel string) (err error) {
	if err := d.hook("sync", rel); err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(d.root, rel))
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, f.Close()) }()
	return f.Sync()
}
