package blob

import (
	"os"
	"path/filepath"
	"slices"
)

// Batch is a directory of objects that become visible together.
type Batch struct {
	dir    *Dir
	to     publisher
	staged string // relative to the root
	key    string
	names  []string
	others []string // of names, those that were not written here, with permissions of their own
	isDone bool     // it is published

	sends   map[string]*sending // the objects that go to a bucket before the batch is published, by name
	noted   *sending            // one that was given up after the batch's intent was noted
	isLeft  bool                // of one that was given up, something is left in the bucket
	isTried bool                // it was tried to publish it in a bucket
}

// publisher has batches become visible: in their order, each whole or not at all; if whole is set, after a crash too.
type publisher interface {
	publish(batches []*Batch, whole bool) error
}

// Batch starts a batch whose objects will be key/<name>.
func (d *Dir) Batch(key string) (*Batch, error) {
	if err := d.room(); err != nil {
		return nil, err
	}
	b := &Batch{dir: d, to: d, staged: d.relative(d.Scratch("batch")), key: key}
	if err := d.hook("create", b.staged); err != nil {
		return nil, err
	}
	d.batches.Store(key, b.staged)
	return b, os.Mkdir(filepath.Join(d.root, b.staged), dirMode)
}

// Path returns the path at which the caller writes the object of that name before Publish.
func (b *Batch) Path(name string) string {
	b.add(name)
	b.others = append(b.others, name)
	return filepath.Join(b.dir.root, b.staged, name)
}

// add makes a name one of the batch's. A path may be asked for more than once.
func (b *Batch) add(name string) {
	if !slices.Contains(b.names, name) {
		b.names = append(b.names, name)
	}
}

// Key returns the key that the object of that name will have.
func (b *Batch) Key(name string) string { return b.key + "/" + name }

// Write writes an object of the batch.
func (b *Batch) Write(name string, data []byte) error {
	b.add(name)
	if err := b.dir.hook("write", filepath.Join(b.staged, name)); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.dir.root, b.staged, name), data, fileMode)
}

// Adopt moves a scratch file into the batch, as the object of that name.
func (b *Batch) Adopt(name, path string) error {
	b.add(name)
	b.others = append(b.others, name)
	return b.dir.rename(b.dir.relative(path), filepath.Join(b.staged, name))
}

// Publish moves batches to their places and makes them durable. They are not before it returns. All of them are beside
// each other, and get their places one by one, in their order.
func Publish(batches ...*Batch) error {
	for _, b := range batches {
		if err := b.seal(); err != nil {
			return err
		}
	}
	return batches[0].to.publish(batches, false)
}

// Publish is Publish for one batch.
func (b *Batch) Publish() error { return Publish(b) }

// PublishWhole is Publish for a batch that must have its place only if it is durable: a crash leaves it whole or not at
// all.
func (b *Batch) PublishWhole() error {
	if err := b.seal(); err != nil {
		return err
	}
	return b.to.publish([]*Batch{b}, true)
}

// publish implements publisher by renaming directories.
func (d *Dir) publish(batches []*Batch, whole bool) error {
	above := filepath.Dir(batches[0].place())
	if err := d.makeDir(above); err != nil {
		return err
	}
	if len(batches) == 1 && !whole {
		return batches[0].publish(above)
	}
	// What gets its place is durable already: a crash leaves each of them whole or not at all, and not only the last one
	// has to be looked at.
	var staged []string
	for _, b := range batches {
		staged = append(staged, b.in(b.staged)...)
	}
	if err := d.syncAll(staged); err != nil {
		return err
	}
	for _, b := range batches {
		if err := b.move(); err != nil {
			return err
		}
	}
	return d.sync(above)
}

// Drop removes an object of a batch that is not published.
func (b *Batch) Drop(name string) {
	b.Unsend(name)
	is := func(n string) bool { return n == name }
	b.names, b.others = slices.DeleteFunc(b.names, is), slices.DeleteFunc(b.others, is)
	b.dir.RemoveScratch(filepath.Join(b.dir.root, b.staged, name))
}

// publish moves one batch to its place below a directory. Its files, its directory and the directory above are synced
// concurrently, so that the disk writes its journal once.
func (b *Batch) publish(above string) error {
	if err := b.move(); err != nil {
		return err
	}
	return b.dir.syncAll(append(b.in(b.place()), above))
}

// place is where the batch is once it is published.
func (b *Batch) place() string { return filepath.Join(objectsDir, filepath.FromSlash(b.key)) }

// in is a directory of the batch's, with its files there.
func (b *Batch) in(directory string) []string {
	paths := []string{directory}
	for _, name := range b.names {
		paths = append(paths, filepath.Join(directory, name))
	}
	return paths
}

// seal gives the batch's files their permissions, where DuckDB, say, has written them with others.
func (b *Batch) seal() error {
	for _, name := range b.others {
		if err := os.Chmod(filepath.Join(b.dir.root, b.staged, name), fileMode); err != nil {
			return err
		}
	}
	return nil
}

// move moves the batch to its place.
func (b *Batch) move() error {
	if err := b.dir.rename(b.staged, b.place()); err != nil {
		return err
	}
	b.dir.batches.Delete(b.key)
	b.isDone = true
	return nil
}

// Discard removes an unpublished batch.
func (b *Batch) Discard() error {
	if b.isDone {
		return nil
	}
	b.unsend()
	b.dir.batches.Delete(b.key)
	return os.RemoveAll(filepath.Join(b.dir.root, b.staged))
}
