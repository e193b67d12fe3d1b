package blob

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/singleflight"
)

// ErrDiffers is returned for an object whose bytes are not those that were written.
var ErrDiffers = errors.New("its checksum differs")

// partial is the end of the name of a file that is being fetched.
const partial = ".part"

// cache keeps files of objects, each under the escaped key of its object. A file there is whole: it was fetched and
// verified, or is that of a commit of this server. Those used longest ago go first, but none that is held.
type cache struct {
	dir    string
	limit  int64
	next   atomic.Int64
	flight singleflight.Group

	mu    sync.Mutex
	byKey map[string]*cached
	order *list.List // of *cached, the most recently used first
	used  int64      // bytes
}

// cached is a file, or one that is going to be there.
type cached struct {
	key   string
	size  int64
	holds int
	place *list.Element // nil: it is not there
}

// openCache opens a cache with what is in its directory, the least recently written first.
func openCache(dir string, limit int64) (*cache, error) {
	c := &cache{dir: dir, limit: limit, byKey: map[string]*cached{}, order: list.New()}
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	c.dir = dir
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var infos []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		_, isOurs := c.key(filepath.Join(dir, e.Name()))
		switch {
		case err != nil || !info.Mode().IsRegular() || !isOurs:
		case strings.HasSuffix(e.Name(), partial):
			_ = os.Remove(filepath.Join(dir, e.Name())) // it is not counted, nor read
		default:
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range infos {
		key, _ := c.key(filepath.Join(dir, info.Name()))
		c.add(key, info.Size())
	}
	return c, nil
}

// path is where the file of a key is.
func (c *cache) path(key string) string { return filepath.Join(c.dir, url.PathEscape(key)) }

// key is the inverse of path.
func (c *cache) key(path string) (string, bool) {
	if filepath.Dir(path) != c.dir {
		return "", false
	}
	key, err := url.PathUnescape(filepath.Base(path))
	return key, err == nil
}

// hold keeps files in the cache until release, also those that are not there yet.
func (c *cache) hold(keys []string) (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		e := c.byKey[key]
		if e == nil {
			e = &cached{key: key}
			c.byKey[key] = e
		}
		e.holds++
		if e.place != nil {
			c.order.MoveToFront(e.place)
		}
	}
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, key := range keys {
			e := c.byKey[key]
			if e.holds--; e.holds == 0 && e.place == nil {
				delete(c.byKey, key)
			}
		}
		c.evict()
	})
}

// add counts a file that is there.
func (c *cache) add(key string, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		e = &cached{key: key}
		c.byKey[key] = e
	}
	if e.place == nil {
		e.place = c.order.PushFront(e)
	}
	c.used += size - e.size
	e.size = size
	c.evict()
}

// evict removes the least recently used files that no one holds, until the rest is within the limit.
func (c *cache) evict() {
	for at := c.order.Back(); at != nil && c.used > c.limit; {
		e, before := at.Value.(*cached), at.Prev()
		if e.holds == 0 {
			c.lose(e)
		}
		at = before
	}
}

// lose removes a file. An entry that is held stays, without one.
func (c *cache) lose(e *cached) {
	_ = os.Remove(c.path(e.key)) // what can't be removed is counted again at the next start
	c.order.Remove(e.place)
	c.used -= e.size
	e.place, e.size = nil, 0
	if e.holds == 0 {
		delete(c.byKey, e.key)
	}
}

// drop removes the file of an object, or those below a directory, whether held or not: they are not to be read again.
func (c *cache) drop(prefix string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.byKey {
		if e.place != nil && (key == prefix || strings.HasPrefix(key, prefix+"/")) {
			c.lose(e)
		}
	}
}

// adopt moves a file into the cache. Where it can't be moved, it is fetched when it is read.
func (c *cache) adopt(key, from string) {
	info, err := os.Stat(from)
	if err == nil && os.Rename(from, c.path(key)) == nil {
		c.add(key, info.Size())
	}
}

// has reports whether the file of a key is there, and marks it as used.
func (c *cache) has(key string, size int64) bool {
	info, err := os.Stat(c.path(key))
	if err != nil || info.Size() != size {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[key]; e != nil && e.place != nil {
		c.order.MoveToFront(e.place)
		return true
	}
	return false
}

// Used returns how much the cache has: files and bytes.
func (r *Remote) Used() (files int, bytes int64) {
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	return r.cache.order.Len(), r.cache.used
}

// Fetch has the file of an object be in the cache: fetched once, however many ask for it, and compared with its
// checksum (SHA-256, hexadecimal). It reports whether it was fetched. An object that is not what was written is
// ErrDiffers. If fresh is set, the file that is there is not used.
func (r *Remote) Fetch(
	ctx context.Context, key string, size int64, checksum string, fresh bool,
) (fetched bool, err error) {
	if fresh {
		r.cache.drop(key)
	} else if r.cache.has(key, size) {
		return false, nil
	}
	// Others may wait for it who have more time.
	done := r.cache.flight.DoChan(key, func() (any, error) {
		if r.cache.has(key, size) {
			return false, nil
		}
		return true, r.fetch(context.WithoutCancel(ctx), key, size, checksum)
	})
	select {
	case got := <-done:
		fetched, _ = got.Val.(bool)
		return fetched, got.Err
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// fetch fetches the file of an object.
func (r *Remote) fetch(ctx context.Context, key string, size int64, checksum string) error {
	path := filepath.Join(r.cache.dir, strconv.FormatInt(r.cache.next.Add(1), 10)+partial)
	// A directory that someone removed is made again: that it is missing would say that the object is.
	if err := os.MkdirAll(r.cache.dir, dirMode); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, fileMode)
	if err != nil {
		return err
	}
	defer os.Remove(path) // where it has not got its place
	err = r.fetchTo(ctx, out, key, size, checksum)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := os.Rename(path, r.cache.path(key)); err != nil {
		return err
	}
	r.cache.add(key, size)
	return nil
}

// fetchTo copies an object to a file, and verifies that. The file need not be on the disk by then: whoever reads it first
// after a start reads all of it.
func (r *Remote) fetchTo(ctx context.Context, out *os.File, key string, size int64, checksum string) error {
	h := arrivals{Hash: sha256.New(), from: out, part: make([]byte, min(size, 256<<10))}
	if err := r.bucket.Fetch(ctx, named(key), size, out, h.add); err != nil {
		if there, err2 := r.bucket.Size(ctx, named(key)); err2 == nil && there != size {
			return ErrDiffers
		}
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != checksum {
		return ErrDiffers
	}
	return nil
}

// arrivals hash what has come of an object while the rest is on its way.
type arrivals struct {
	hash.Hash
	from io.ReaderAt
	part []byte // what is read at once
}

// add adds the next bytes, which are there.
func (a arrivals) add(at, n int64) error {
	_, err := io.CopyBuffer(a.Hash, struct{ io.Reader }{io.NewSectionReader(a.from, at, n)}, a.part)
	return err
}

// Examine compares an object in the bucket with what was written, past the cache: its size, or if whole every byte,
// read through a reader that may limit the rate.
func (r *Remote) Examine(
	ctx context.Context, key string, size int64, checksum string, whole bool, through func(io.Reader) io.Reader,
) error {
	if !whole {
		there, err := r.bucket.Size(ctx, named(key))
		if err == nil && there != size {
			err = ErrDiffers
		}
		return err
	}
	in, there, err := r.bucket.Read(ctx, named(key))
	if err != nil {
		return err
	}
	defer in.Close()
	h := sha256.New()
	if through == nil {
		through = func(r io.Reader) io.Reader { return r }
	}
	_, err = io.Copy(h, through(in))
	if err == nil && (there != size || hex.EncodeToString(h.Sum(nil)) != checksum) {
		err = ErrDiffers
	}
	return err
}
