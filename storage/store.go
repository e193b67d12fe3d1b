package storage

import (
	"log/slog"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/datafile"
)

// Options are what a store needs to know. The zero value works. The memory limit is for all processes together
// (memory.go); the disk's is for what must stay free.
type Options struct {
	Memory  int64            // bytes that this process and those it starts may use in all; 0: half of the machine's
	Threads int              // 0: one a core
	Cache   int64            // bytes of files that can be made again; 0: 10 GB
	MinFree int64            // bytes of the disk that stay free: writes are refused before; 0: none
	Pages   datafile.Pages   // of the files of new commits; 0: version 2
	Compact CompactionPolicy // zero: the defaults
	Deleted time.Duration    // how long deleted datasets can be brought back; 0: for ever
	Gates   time.Duration    // how long the gates of one write may take; 0: 10 seconds
	Now     func() time.Time // nil: time.Now
	NewID   func() string    // nil: version 7 UUIDs, as 32 hexadecimal digits
	Log     *slog.Logger     // nil: nowhere
	Program string           // the version of the program, for the manifests of backups
	Objects *ObjectStore     // where the objects are; nil: where store.json says, or in the directory
	Backups string           // where the server's backups are: a directory, or s3://bucket/prefix; empty: it has none

	BackupBucket *ObjectStore  // how buckets with backups are reached, without its URL; nil: as the environment says
	BackupLease  time.Duration // backup.Where; for tests

	// Catalog is the URL of a PostgreSQL database that has the catalog; empty: it is where it was, which must be the
	// data directory; EmbeddedCatalog: it is to be there.
	Catalog string
	// CatalogThere is for commands that only read a store: the catalog must be where it is named already. Otherwise it is
	// made anew there from the objects.
	CatalogThere bool
	Server       string // this server, for people: what another one is told that finds the catalog taken
	// Waiting is called when another server has the store, with an error that says so: then Open waits until it has
	// gone. nil: Open fails with that error.
	Waiting func(error)

	Hook blob.Hook // called before every durable step of a commit; for tests

	Free func(dir string) (bytes int64, err error) // left on the disk of a directory; nil: as the system tells

	// Changed is called after something was recorded of a dataset, and must not wait. nil: no one is told.
	Changed func(dataset string)
}

// Store is an open data directory. Its methods may be called from many goroutines; only one process can have it open.
//
// Its own methods are the changes of datasets. Each of its parts has one purpose and holds no more than that needs.
// Methods that change a dataset take its id and a Request, and hold its lock while they run.
type Store struct {
	*journal
	*Files
	*History
	*Tables
	*Staging
	Requests *Requests
	Backups  *Backups
	Copies   *StoreBackups
	Digests  *Digests
	Readers  *Readers
	Scrubs   *Scrubs
	Upkeep   *Upkeep
	Removals *Removals
	Vacuums  *Vacuums
	Quotas   *Quotas
	Counts   *Counts

	Published *Published
	keys      *keyFinder
	Disk      *Disk
	dir       *directory
	budget    budget
	families  *families
	groups    groupLimits
	recorder  recorder
	gateTime  time.Duration
	unwatch   func() // ends the watch over the memory; nil: there is none
}
