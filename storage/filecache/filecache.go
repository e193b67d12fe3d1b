// Package filecache keeps files that can be made again, up to a bound of bytes: those that were used last.
//
// A file is made once, however many ask for it at the same time, and whether those who asked stay or leave. It is not
// removed while someone reads it.
package filecache

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// ErrTooLarge is returned where a file is larger than all files together may be.
var ErrTooLarge = errors.New("the file is larger than the cache")

// makers is how many files are made at once. Others wait, within the time that they have.
const makers = 2

// Cache is a set of files. Its methods may be called from many goroutines.
type Cache struct {
	limit int64         // bytes
	path  func() string // where the next file may lie

	ctx   context.Context // of all making
	stop  context.CancelFunc
	turns chan struct{}
	jobs  sync.WaitGroup

	mu    sync.Mutex
	byKey map[string]*entry
	order *list.List // of the entries that are made, the one that was used last in front
	used  int64      // bytes
}

// entry is one file, made or being made.
type entry struct {
	key, path string
	made      chan struct{} // closed when the fields below stand
	err       error
	size      int64
	checksum  string

	place   *list.Element // in order, when it is made
	readers int           // and those who wait for it
}

// New returns an empty cache of at most limit bytes. path gives each file a place of its own.
func New(limit int64, path func() string) *Cache {
	c := &Cache{limit: limit, path: path, turns: make(chan struct{}, makers), byKey: map[string]*entry{}, order: list.New()}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// Close stops what is being made. The files are left to whoever empties the folder.
func (c *Cache) Close() {
	c.stop()
	c.jobs.Wait()
}

// File is one file, open for reading. It stays in the cache until it is closed.
type File struct {
	*os.File
	Checksum string // SHA-256, in hexadecimal
	release  func()
}

// Close closes the file. It may go when others need its room.
func (f *File) Close() error {
	defer f.release()
	return f.File.Close()
}

// Get opens the file of that key. Where there is none, fill makes it, within the time limit, even if ctx ends meanwhile.
// fill writes to a path and nowhere else.
func (c *Cache) Get(ctx context.Context, key string, limit time.Duration, fill func(ctx context.Context, path string) error) (*File, error) {
	e := c.take(key, limit, fill)
	release := sync.OnceFunc(func() { c.release(e) })
	select {
	case <-e.made:
	case <-ctx.Done():
		release()
		return nil, context.Cause(ctx)
	}
	if e.err != nil {
		release()
		return nil, e.err
	}
	f, err := os.Open(e.path)
	if err != nil {
		release()
		return nil, err
	}
	return &File{File: f, Checksum: e.checksum, release: release}, nil
}

// take finds the entry of a key, or has it made, and holds it.
func (c *Cache) take(key string, limit time.Duration, fill func(context.Context, string) error) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		e = &entry{key: key, path: c.path(), made: make(chan struct{})}
		c.byKey[key] = e
		c.jobs.Go(func() { c.fill(e, limit, fill) })
	}
	e.readers++
	if e.place != nil {
		c.order.MoveToFront(e.place)
	}
	return e
}

// fill makes an entry's file.
func (c *Cache) fill(e *entry, limit time.Duration, fill func(context.Context, string) error) {
	ctx, cancel := context.WithTimeout(c.ctx, limit)
	defer cancel()
	select {
	case c.turns <- struct{}{}:
		e.err = write(ctx, e, fill)
		<-c.turns
	case <-ctx.Done():
		e.err = ctx.Err()
	}
	if e.err == nil && e.size > c.limit {
		e.err = ErrTooLarge
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.err != nil {
		os.Remove(e.path)
		delete(c.byKey, e.key) // the next one who asks has it tried again
	} else {
		e.place = c.order.PushFront(e)
		c.used += e.size
		c.evict()
	}
	close(e.made)
}

// write writes an entry's file and reads it for its checksum. A bug in it ends as its error.
func write(ctx context.Context, e *entry, fill func(context.Context, string) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err := fill(ctx, e.path); err != nil {
		return err
	}
	in, err := os.Open(e.path)
	if err != nil {
		return err
	}
	defer in.Close()
	sum := sha256.New()
	e.size, err = io.Copy(sum, in)
	e.checksum = hex.EncodeToString(sum.Sum(nil))
	return err
}

func (c *Cache) release(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.readers--
	c.evict()
}

// evict removes the files that were not used for longest and that no one reads, until the rest is within the bound.
func (c *Cache) evict() {
	for at := c.order.Back(); at != nil && c.used > c.limit; {
		e, before := at.Value.(*entry), at.Prev()
		if e.readers == 0 {
			c.order.Remove(at)
			delete(c.byKey, e.key)
			c.used -= e.size
			os.Remove(e.path)
		}
		at = before
	}
}
