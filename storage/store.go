package storage

import (
	"log/slog"
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

// family hands out what a dataset and its forks share: row numbers and field ids. A commit that assigns row numbers
// holds the family's lock, from before the first until it stands or not.
type family struct {
	lastRow   atomic.Int64
	lastField atomic.Int64
}

func newFamily(row, field int64) *family {
	f := &family{}
	f.lastRow.Store(row)
	f.lastField.Store(field)
	return f
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
