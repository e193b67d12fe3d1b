package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"rowback/storage/blob"
	"rowback/storage/catalog"
	"rowback/storage/clientsql"
	"rowback/storage/datadir"
	"rowback/storage/duck"
	"rowback/storage/filecache"
	"rowback/storage/verify"
)

// Options are what a store needs to know. The zero value works.
type Options struct {
	Memory  int64            // bytes that this process and those it starts may use in all; 0: half of the machine's
	Threads int              // 0: one a core
	Cache   int64            // bytes of files that can be made again; 0: 10 GB
	MinFree int64            // bytes of the disk that stay free: writes are refused before; 0: none
	Now     func() time.Time // nil: time.Now
	NewID   func() string    // nil: version 7 UUIDs, as 32 hexadecimal digits
	Log     *slog.Logger     // nil: nowhere
	Hook    blob.Hook        // called before every durable step of a commit; for tests

	Free func(dir string) (bytes int64, err error) // left on the disk of a folder; nil: as the system tells
}

// Store is an open data directory. Its methods may be called from many goroutines; only one process can have it open.
type Store struct {
	options  Options
	dir      string
	held     datadir.Held
	marker   datadir.Marker
	catalog  *catalog.Catalog
	blobs    *blob.Dir
	engine   *duck.Engine
	heads    *headCache
	files    *fileCache
	mu       sync.Mutex
	families map[string]*family

	Sandboxes *clientsql.Sandboxes // that clients' SQL runs in

	verifier *verify.Verifier
	scrubs   scrubber
	readers  *readers
	unwatch  func() // ends the watch over the memory; nil: there is none
	exports  *filecache.Cache

	promises sync.Map              // by the id of a job that goes on: the receipts of its request
	stopped  atomic.Pointer[error] // why nothing is written any more
}

// family hands out what a dataset and its forks share: row numbers and field ids. The lock is held by a commit that
// assigns row numbers, from before the first until it stands or not.
type family struct {
	mu        sync.Mutex
	lastRow   atomic.Int64
	lastField atomic.Int64
}

func newFamily(row, field int64) *family {
	f := &family{}
	f.lastRow.Store(row)
	f.lastField.Store(field)
	return f
}

// Open opens the data directory dir, makes it a store where it is empty or missing, and brings its catalog up to what its
// objects tell. A directory that is neither empty nor a store is ErrNotStore, one that is open ErrInUse.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	s := newStore(dir, o)
	var isNew bool
	var err error
	s.marker, isNew, s.held, err = datadir.Claim(dir)
	if err == nil && isNew {
		err = s.mark(s.options.NewID())
	}
	if err == nil {
		err = s.open(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// mark writes store.json, which says that the directory is this store.
func (s *Store) mark(id string) error {
	s.marker.ID, s.marker.CreatedAt = id, s.now()
	return datadir.Write(s.dir, s.marker, s.options.Hook)
}

// Errors of opening a directory.
var (
	ErrNotStore = datadir.ErrNotStore // it is missing, empty, or something else's
	ErrInUse    = datadir.ErrInUse    // another process, or another part of this one, has it open
)

func newStore(dir string, o Options) *Store {
	s := &Store{
		options: o.filled(), dir: dir, heads: newHeadCache(), files: newFileCache(),
		families: map[string]*family{},
	}
	s.verifier = verify.New(func(key string) string { return s.blobs.Path(key) }, s.noteDamage)
	s.Sandboxes = clientsql.NewSandboxes(s.sandboxLimits, guard{s})
	s.readers = newReaders(s.options.readerPlaces(), s.readerLimits)
	s.exports = filecache.New(s.options.Cache, func() string { return s.blobs.Scratch("export.parquet") })
	return s
}

func (o Options) filled() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = newID
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Cache == 0 {
		o.Cache = 10e9
	}
	if o.Free == nil {
		o.Free = freeBytes
	}
	if o.Memory == 0 {
		o.Memory = duck.ProcMemory("/proc/meminfo", "MemTotal") / 2
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	return o
}

func (s *Store) open(ctx context.Context) (err error) {
	if s.blobs, err = blob.Open(s.dir, s.options.Hook); err != nil {
		return err
	}
	s.blobs.KeepFree(s.room)
	if err := s.openCatalog(ctx); err != nil {
		return err
	}
	if s.engine, err = duck.Open(s.limits(s.options.share(engineShare))); err != nil {
		return err
	}
	if err := s.catchUp(ctx); err != nil {
		return fmt.Errorf("bringing the catalog up to what the objects tell: %w", err)
	}
	s.unwatch = duck.Watch(s.options.Memory, s.Sandboxes.Pool, s.readers.pool)
	return s.forget(ctx)
}

// receiptsKept is how long the answer to an Idempotency-Key is kept at least: the start forgets older ones.
const receiptsKept = 30 * 24 * time.Hour

// forget drops what was kept for a time, and ends the jobs of the process before.
func (s *Store) forget(ctx context.Context) error {
	return s.catalog.Write(ctx, func(tx catalog.Tx) error {
		return errors.Join(tx.ForgetReceipts(s.now().Add(-receiptsKept)), tx.FailJobs("The server was restarted before this was done.", s.now()))
	})
}

// Close closes the store. Nothing may be under way.
func (s *Store) Close() error {
	s.exports.Close()
	var errs []error
	s.Sandboxes.Close()
	s.readers.close()
	if s.unwatch != nil {
		s.unwatch()
	}
	if s.engine != nil {
		errs = append(errs, s.engine.Close())
	}
	if s.catalog != nil {
		errs = append(errs, s.catalog.Close())
	}
	return errors.Join(append(errs, s.held.Release())...)
}

// Scratch returns a path for a temporary file that no one else uses. The next start removes what is left there.
func (s *Store) Scratch(name string) string { return s.blobs.Scratch(name) }

// now is the time, to the microsecond, as the catalog keeps it.
func (s *Store) now() time.Time { return s.options.Now().UTC().Truncate(time.Microsecond) }

// family returns the numbers that a dataset shares with its forks.
func (s *Store) family(tx catalog.Tx, id string) (*family, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.families[id]; f != nil {
		return f, nil
	}
	row, field, err := tx.Family(id)
	if err != nil {
		return nil, err
	}
	f := newFamily(row, field)
	s.families[id] = f
	return f, nil
}
