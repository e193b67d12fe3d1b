package blob

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"
)

// Store is a store of objects: a directory (Dir), or a bucket with a directory of its own (Remote).
type Store interface {
	Objects
	Changes
	Beside
	Scratches
	Shelf
	Inbox
	Close() error
}

// Objects are read by their keys.
type Objects interface {
	Open(key string) (io.ReadSeekCloser, error)
	Has(key string) (bool, error)
	// HasDirectory reports whether there is a directory for objects. A bucket has none, and needs none.
	HasDirectory(name string) (bool, error)
	List(prefix string) iter.Seq2[Object, error]
	Directories(prefix string) ([]string, error)
	EachDirectory(prefix string, each func(name string)) error
	IsEmpty() (bool, error)
	Stamp(keys ...string) string
	ChangedAt(key string) (time.Time, error)

	Path(key string) string
	Key(path string) (key string, ok bool)
	// Hold keeps the files of objects where Path says, once they are there, until release.
	Hold(keys []string) (release func())

	// Drop removes the copy of an object that is here, if there is one: it is not to be read again.
	Drop(key string)
}

// Changes are durable once they return.
type Changes interface {
	Batch(key string) (*Batch, error)
	Put(key string, data []byte) (Placed, error)
	// PutPromised is Put of what stands with a transaction that is under way: where other servers have the objects, it is
	// promised before. What is promised and does not stand is taken back by Recant, and not by Undo. again returns an
	// object that says the same as another one, in other bytes.
	PutPromised(key string, data []byte) (Placed, error)
	Recant(p Promise, again func(text []byte) []byte) error
	// Replace is Put in place of a certain object. If another one is there by now, or none, the error is ErrReplaced.
	Replace(key string, was, data []byte) (Placed, error)
	Remove(prefix string) error
	// TakeBack is Remove of what was published in vain. Where the store can't be asked, it is noted, and nothing else
	// is written until it is done.
	TakeBack(key string) error
	// Withdraw takes a published batch out of the objects for good, like TakeBack. One of its files stays in
	// quarantine, under the given name. The first error is that of cleaning up: the batch is gone all the same.
	Withdraw(key, name, keep string) (left, err error)
	Quarantine(key, name string) (string, error)
	QuarantineFile(path, name string) (string, error)
	Quarantined() ([]string, error)
	ReadQuarantined(name string) ([]byte, error)
	Writable() error
	KeepFree(room func() error)
}

// Beside are files beside the objects, such as the catalog, in the local directory.
type Beside interface {
	CopyBeside(name, scratch string) error
	ReplaceBeside(scratch, name, kept string) error
	ListBeside(pattern string) ([]string, error)
	RemoveBeside(names ...string) error
	SizeBeside(name string) int64
}

// Scratches are files that no one else sees, in the local directory.
type Scratches interface {
	Scratch(name string) string
	CreateScratch(path string) (*os.File, error)
	WriteScratch(path string, data []byte) error
	OpenUnpublished(path string) (*os.File, error)
	SyncUnpublished(f *os.File) error
	RemoveScratch(paths ...string)
	Staged() (files, bytes int64)
}

// ErrUnpublished is returned for the description of a batch that never was published, or was withdrawn. A directory has
// none of these: what is in it was published.
var ErrUnpublished = errors.New("it was not published")

// ErrReplaced is returned where another object was put in the place meanwhile.
var ErrReplaced = errors.New("another object was put in its place")

// Close implements Store.
func (d *Dir) Close() error { return nil }

// HasDirectory implements Objects.
func (d *Dir) HasDirectory(name string) (bool, error) { return d.Has(name) }

// Hold implements Objects: the objects of a directory stay where they are.
func (d *Dir) Hold([]string) (release func()) { return func() {} }

// Drop implements Objects: there are no copies.
func (d *Dir) Drop(string) {}

// PutPromised implements Changes: no one else puts anything.
func (d *Dir) PutPromised(key string, data []byte) (Placed, error) { return d.Put(key, data) }

// Recant implements Changes: nothing was promised.
func (d *Dir) Recant(Promise, func([]byte) []byte) error { return nil }

// Replace implements Changes. Only this process puts objects, one writer of a key at a time.
func (d *Dir) Replace(key string, was, data []byte) (Placed, error) {
	there, err := os.ReadFile(d.place(key))
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !bytes.Equal(there, was):
		return Placed{}, fmt.Errorf("%w: %s", ErrReplaced, key)
	case err != nil:
		return Placed{}, err
	}
	return d.Put(key, data)
}

// TakeBack implements Changes.
func (d *Dir) TakeBack(key string) error { return d.Remove(key) }

// Withdraw implements Changes.
func (d *Dir) Withdraw(key, name, keep string) (left, err error) {
	if there, err := d.Has(key); err != nil || !there {
		return nil, err // it was never there, or that can't be told
	}
	if name, err = d.Quarantine(key, name); err != nil {
		return nil, err
	}
	return d.Strip(name, keep), nil
}
