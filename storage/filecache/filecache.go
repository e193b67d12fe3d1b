// Package filecache is a least-recently-used cache of files that can be made again, with a limit in bytes. A file is
// made once, however many callers ask for it at the same time, and even if they stop waiting for it. It is not removed
// while someone reads it.
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

// ErrTooLarge is returned for a file that is larger than the limit of the cache.
var ErrTooLarge = errors.New("the file is larger than the cache")

// ErrCleared is returned for a file that was being made when the cache was cleared.
var ErrCleared = errors.New("the cache was cleared while the file was made")

// makers is how many files are made at once. Others wait for their turn, within their time limit.
const makers = 2

// Cache is a set of files. Its methods may be called from many goroutines.
type Cache struct {
	limit int64         // bytes
	path  func() string // returns a new path for each file

	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	turns chan struct{}
	jobs  sync.WaitGroup

	mu    sync.Mutex
	byKey map[string]*entry
	order *list.List // of the finished entries, the most recently used first
	used  int64      // bytes
}

// entry is one file, made or being made.
type entry struct {
	key, path string
	made      chan struct{} // closed when the fields below are set
	err       error
	size      int64
	checksum  string

	place   *list.Element // in Cache.order once it is finished
	readers int           // including callers waiting for it
	cleared bool          // it is in the cache no more
}

// New returns an empty cache of at most limit bytes. path returns a new path for each file.
func New(limit int64, path func() string) *Cache {
	c := &Cache{
		limit: limit, path: path, turns: make(chan struct{}, makers), byKey: map[string]*entry{}, order: list.New(),
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// Close stops what is being made. It does not remove the files: the caller empties their directory.
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

// Close closes the file, which may then be evicted.
func (f *File) Close() error {
	defer f.release()
	return f.File.Close()
}

// Get opens the file of that key. If there is none, fill makes it at the given path, within the time limit and even if
// ctx ends in the meantime.
func (c *Cache) Get(
	ctx context.Context, key string, limit time.Duration, fill func(ctx context.Context, path string) error,
) (*File, error) {
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

// take finds the entry of a key, or starts making it, and counts the caller among its readers.
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
	if e.err == nil && e.cleared {
		e.err = ErrCleared
	}
	if e.err != nil {
		os.Remove(e.path)
		if c.byKey[e.key] == e {
			delete(c.byKey, e.key) // the next Get tries again
		}
	} else {
		e.place = c.order.PushFront(e)
		c.used += e.size
		c.evict()
	}
	close(e.made)
}

// write makes an entry's file and computes its checksum. A panic in fill becomes an error.
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

// Clear removes all files. Those that are open can be read to their end; those that are being made are not kept.
func (c *Cache) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.byKey {
		e.cleared = true
		if e.place != nil {
			c.order.Remove(e.place)
			os.Remove(e.path)
		}
	}
	clear(c.byKey)
	c.used = 0
}

func (c *Cache) release(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.readers--
	c.evict()
}

// evict removes the least recently used files that no one reads, until the rest is within the limit.
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
