package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// named is the key in the bucket of an object, or of a directory.
func named(key string) string { return objectsDir + "/" + key }

// below is the prefix of the keys in the bucket below a directory.
func below(dir string) string {
	if dir == "" {
		return objectsDir + "/"
	}
	return objectsDir + "/" + dir + "/"
}

// Path returns where the file of an object is: staged, or in the cache once it was fetched.
func (r *Remote) Path(key string) string {
	if staged, ok := r.batches.Load(path.Dir(key)); ok {
		return filepath.Join(r.root, staged.(string), path.Base(key))
	}
	return r.cache.path(key)
}

// IsStaged reports whether an object is of a batch that is not published.
func (r *Remote) IsStaged(key string) bool {
	_, is := r.batches.Load(path.Dir(key))
	return is
}

// Key is the inverse of Path for published objects.
func (r *Remote) Key(path string) (string, bool) { return r.cache.key(path) }

// Hold implements Objects.
func (r *Remote) Hold(keys []string) (release func()) { return r.cache.hold(keys) }

// Drop implements Objects.
func (r *Remote) Drop(key string) { r.cache.drop(key) }

// smallObject is up to which size an object is read into memory.
const smallObject = 8 << 20

// Open opens an object. One that is cached is read there; another one is fetched for it alone.
func (r *Remote) Open(key string) (io.ReadSeekCloser, error) {
	if f, err := os.Open(r.cache.path(key)); err == nil {
		return f, nil
	}
	ctx := context.Background()
	if strings.HasSuffix(key, ".json") {
		return r.openDescription(ctx, key)
	}
	size, err := r.bucket.Size(ctx, named(key))
	if err != nil {
		return nil, err
	}
	if size <= smallObject {
		data, err := r.bucket.Get(ctx, named(key))
		return inMemory{bytes.NewReader(data)}, err
	}
	f, err := r.CreateScratch(r.Scratch("object"))
	if err != nil {
		return nil, err
	}
	r.RemoveScratch(f.Name()) // it stays until it is closed
	if err := r.bucket.Fetch(ctx, named(key), size, f, nil); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// openDescription opens a small object that may have been withdrawn.
func (r *Remote) openDescription(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	data, err := r.bucket.Get(ctx, named(key))
	if errors.Is(err, fs.ErrNotExist) || isTombstone(data) {
		return nil, fmt.Errorf("%w: %w: %s", ErrUnpublished, fs.ErrNotExist, key)
	}
	if err != nil {
		return nil, err
	}
	return inMemory{bytes.NewReader(data)}, nil
}

// inMemory is an object that was read.
type inMemory struct{ *bytes.Reader }

// Close closes it.
func (inMemory) Close() error { return nil }

// Has reports whether there is an object, or a directory with one.
func (r *Remote) Has(key string) (bool, error) {
	ctx := context.Background()
	if path.Ext(key) == ".json" {
		_, err := r.openDescription(ctx, key)
		return isThere(err)
	}
	if path.Ext(key) != "" {
		_, err := r.bucket.Size(ctx, named(key))
		return isThere(err)
	}
	if strings.Contains(key, "/") { // an object whose name has no extension, most likely
		_, err := r.bucket.Size(ctx, named(key))
		if there, err := isThere(err); there || err != nil {
			return there, err
		}
	}
	for _, err := range r.bucket.List(ctx, below(key), true) {
		return err == nil, err
	}
	return false, nil
}

// HasDirectory implements Objects. What is written says itself whether the bucket is away: it is not listed for that.
func (r *Remote) HasDirectory(string) (bool, error) { return true, nil }

// List implements Objects. It is for starts, checks and upkeep.
func (r *Remote) List(prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for o, err := range r.bucket.List(context.Background(), below(prefix), false) {
			if err != nil {
				yield(Object{}, err)
				return
			}
			if !yield(Object{Key: strings.TrimPrefix(o.Key, objectsDir+"/"), Size: o.Size}, nil) {
				return
			}
		}
	}
}

// Directories implements Objects.
func (r *Remote) Directories(prefix string) (names []string, err error) {
	err = r.EachDirectory(prefix, func(name string) { names = append(names, name) })
	slices.Sort(names)
	return names, err
}

// EachDirectory implements Objects. It is for starts, checks and upkeep.
func (r *Remote) EachDirectory(prefix string, each func(name string)) error {
	for o, err := range r.bucket.List(context.Background(), below(prefix), true) {
		if err != nil {
			return err
		}
		if name, isDirectory := strings.CutSuffix(strings.TrimPrefix(o.Key, below(prefix)), "/"); isDirectory {
			each(name)
		}
	}
	return nil
}

// IsEmpty implements Objects: Writable says whether the bucket is the store's.
func (r *Remote) IsEmpty() (bool, error) { return false, nil }

// Stamp implements Objects: what others wrote to the bucket is not known.
func (r *Remote) Stamp(...string) string { return "" }

// ChangedAt implements Objects, for the changes of this process. Where others write as well, it may have been now.
func (r *Remote) ChangedAt(key string) (time.Time, error) {
	if r.isShared {
		return time.Now(), nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.changed[key]; ok {
		return at, nil
	}
	return r.opened, nil
}

func (r *Remote) noteChange(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed[path.Dir(key)] = time.Now()
}
