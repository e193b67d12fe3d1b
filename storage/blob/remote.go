package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rowback/rowback/storage/bucket"
)

// RemoteDir is the directory of a remote store's own in its local directory: the cache, the intents and what is owed.
const RemoteDir = "remote"

const (
	intentsDir = RemoteDir + "/intents"
	owedDir    = RemoteDir + "/owed"
	cacheDir   = RemoteDir + "/cache"
)

// RemoteOptions say where the objects are, and where they are cached.
type RemoteOptions struct {
	Bucket *bucket.Bucket
	Cache  string // directory; empty: one in the local directory
	Limit  int64  // bytes that the cache has at most, but for what is in use; 0: 10 GB
	Log    *slog.Logger
	Hook   Hook

	// Mine reports why the objects are not to be written here any more, such as another server that has them; nil: that
	// is not asked. It is asked before anything is written, and once more when a batch is published: a server that
	// takes the objects over then has it, or this one does not answer for it.
	Mine func(ctx context.Context) error

	// Ledger is where other servers of the same objects find what this one notes; nil: no other server has them, and it is
	// in the local directory.
	Ledger Ledger
}

// Remote is a store whose objects are in a bucket. Its local directory has what is staged, and files that can be lost:
// a cache of objects, what is going to be published (intents), and what could not be taken back yet (owed).
//
// The files of a batch are put beside each other, then its description, the last of its files whose name ends in
// .json, unless there is one: that publishes the batch. In the place of one that was withdrawn there is a tombstone for
// a while, so that an attempt to publish that is still on its way finds the place taken. Nothing here lists the bucket
// for a commit or a read.
type Remote struct {
	*Dir
	bucket *bucket.Bucket
	cache  *cache
	log    *slog.Logger
	debts  debts
	opened time.Time
	stop   func()
	mine   func(ctx context.Context) error
	ledger Ledger

	isShared bool // other servers write to the bucket, too

	mu      sync.Mutex
	there   map[string]bool      // datasets that have objects
	changed map[string]time.Time // directories that were changed since the start
	aside   []string             // what is in the bucket's quarantine
}

// OpenRemote opens a store whose local directory is root. What was given up before is taken back first.
func OpenRemote(ctx context.Context, root string, o RemoteOptions) (*Remote, error) {
	d, err := Open(root, o.Hook)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Mine == nil {
		o.Mine = func(context.Context) error { return nil }
	}
	if o.Cache == "" {
		o.Cache = filepath.Join(d.root, filepath.FromSlash(cacheDir))
	}
	if o.Limit == 0 {
		o.Limit = 10e9
	}
	for _, dir := range []string{RemoteDir, intentsDir, owedDir} {
		if err := d.makeDir(filepath.FromSlash(dir)); err != nil {
			return nil, err
		}
	}
	r := &Remote{
		Dir: d, bucket: o.Bucket, log: o.Log, opened: time.Now(), stop: func() {}, mine: o.Mine,
		ledger: o.Ledger, isShared: o.Ledger != nil,
		there: map[string]bool{}, changed: map[string]time.Time{},
	}
	if r.cache, err = openCache(o.Cache, o.Limit); err != nil {
		return nil, err
	}
	if r.ledger == nil {
		r.ledger = &noted{Dir: d}
	}
	if r.debts.list, err = r.readDebts(ctx); err != nil {
		return nil, fmt.Errorf("reading what is owed to the bucket: %w", err)
	}
	if err := r.Settle(ctx); err != nil {
		return nil, fmt.Errorf("taking back what was given up: %w", err)
	}
	if err := r.listAside(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); r.keepSettled(ctx) }()
	r.stop = func() { cancel(); <-ended }
	return r, nil
}

// OpenRemoteReadOnly opens a store for reading only. Its cache is in a temporary directory, which Close removes.
func OpenRemoteReadOnly(ctx context.Context, root string, o RemoteOptions) (*Remote, error) {
	d, err := OpenReadOnly(root)
	if err != nil {
		return nil, err
	}
	r := &Remote{
		Dir: d.Dir, bucket: o.Bucket, log: slog.New(slog.DiscardHandler), opened: time.Now(),
		stop:  func() { _ = d.Close() }, // scratch files of a temporary directory
		there: map[string]bool{}, changed: map[string]time.Time{},
	}
	if r.cache, err = openCache(filepath.Join(d.scratch, "cache"), 1<<62); err != nil {
		return nil, err
	}
	return r, r.listAside(ctx)
}

// Close ends what goes on in the background.
func (r *Remote) Close() error {
	r.stop()
	return nil
}

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
	if err := r.bucket.Fetch(ctx, named(key), size, f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// openDescription opens a small object that may have been withdrawn.
func (r *Remote) openDescription(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	data, err := r.bucket.Get(ctx, named(key))
	if errors.Is(err, fs.ErrNotExist) || bytes.Equal(data, tombstone) {
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

// Has reports whether there is an object, or a directory with one. Of the directory of a dataset that is known it asks
// nothing.
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
	dataset, _, isBelow := strings.Cut(key, "/")
	if !isBelow && r.isThere(dataset) {
		return true, nil
	}
	if isBelow { // an object whose name has no extension, most likely
		_, err := r.bucket.Size(ctx, named(key))
		if there, err := isThere(err); there || err != nil {
			return there, err
		}
	}
	for _, err := range r.bucket.List(ctx, below(key), true) {
		if err == nil {
			r.noteThere(dataset)
		}
		return err == nil, err
	}
	return false, nil
}

// HasDirectory implements Objects. What is written says itself whether the bucket is away: it is not listed for that.
func (r *Remote) HasDirectory(string) (bool, error) { return true, nil }

func (r *Remote) isThere(dataset string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.there[dataset]
}

func (r *Remote) noteThere(dataset string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.there[dataset] = true
}

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
			if prefix == "" {
				r.noteThere(name)
			}
			each(name)
		}
	}
	return nil
}

// IsEmpty implements Objects: Writable says whether the bucket is the store's.
func (r *Remote) IsEmpty() (bool, error) { return false, nil }

// Writable reports why nothing can be stored now.
func (r *Remote) Writable() error {
	if err := r.Dir.Writable(); err != nil {
		return err
	}
	if err := r.isSettled(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), readyWithin, bucket.ErrAway)
	defer cancel()
	return r.bucket.Answers(ctx)
}

// readyWithin is how long the bucket may take to answer whether it does.
const readyWithin = 3 * time.Second

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
	dataset, _, _ := strings.Cut(key, "/")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.there[dataset] = true
	r.changed[path.Dir(key)] = time.Now()
}

// Put implements Changes.
func (r *Remote) Put(key string, data []byte) (Placed, error) {
	if err := errors.Join(r.room(), r.isSettled()); err != nil {
		return Placed{}, err
	}
	ctx := context.Background()
	if err := r.mine(ctx); err != nil {
		return Placed{}, err
	}
	former, err := r.bucket.Get(ctx, named(key))
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return Placed{}, err
	}
	if err := r.hook("put", named(key)); err != nil {
		return Placed{}, err
	}
	defer r.noteChange(key)
	p := Placed{undo: func() error {
		defer r.noteChange(key)
		return r.pay(debt{Kind: owedPut, Key: named(key), Data: former, IsGone: isNew, Sum: sumOf(data)})
	}}
	return p, r.bucket.Put(ctx, named(key), data)
}

// Remove implements Changes. Descriptions go first, so that what is left is of a batch that was not published.
func (r *Remote) Remove(prefix string) error {
	if err := r.hook("remove", named(prefix)); err != nil {
		return err
	}
	ctx := context.Background()
	if err := r.mine(ctx); err != nil {
		return err
	}
	r.noteChange(prefix)
	return r.removeAll(ctx, prefix)
}

// removeAll removes what is below a directory, or an object.
func (r *Remote) removeAll(ctx context.Context, prefix string) error {
	r.cache.drop(prefix)
	if path.Ext(prefix) != "" {
		return r.bucket.Remove(ctx, named(prefix))
	}
	keys := []string{}
	for o, err := range r.bucket.List(ctx, below(prefix), false) {
		if err != nil {
			return err
		}
		keys = append(keys, o.Key)
	}
	isDescription := func(key string) bool { return strings.HasSuffix(key, ".json") }
	var first []string
	for _, key := range keys {
		if isDescription(key) {
			first = append(first, key)
		}
	}
	if err := r.bucket.Remove(ctx, first...); err != nil {
		return err
	}
	rest := slices.DeleteFunc(keys, isDescription)
	if len(first)+len(rest) == 0 { // an object whose name has no extension
		rest = []string{named(prefix)}
	}
	return r.bucket.Remove(ctx, rest...)
}
