package storage

import (
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// journal is what a store is written to: the objects, which are the log of what happened, and the catalog, which is
// their index. A change stands in both or in neither; where it is not known which, nothing is written until the next
// start (halt.go). It has no lock of its own: the catalog's locks order the writers of a dataset.
type journal struct {
	catalog *catalog.Catalog
	blobs   blob.Store
	log     *slog.Logger
	newID   func() string
	clock   func() time.Time
	changed func(dataset string)  // Options.Changed
	stopped atomic.Pointer[error] // why nothing is written any more
	doubt   func()                // has the next start rely on nothing

	labelling sync.RWMutex // held for reading while labels change, and for writing where they and the catalog must agree
}

// Now is the time by the store's clock.
func (j *journal) Now() time.Time { return j.now() }

// NewID returns an id that no dataset has.
func (j *journal) NewID() string { return j.newID() }

// now is the time, to the microsecond, as the catalog keeps it.
func (j *journal) now() time.Time { return j.clock().UTC().Truncate(time.Microsecond) }

// moment is when a commit is made: after every commit before it, whatever the clock says.
func (j *journal) moment(head *snapshot.Snapshot) time.Time {
	now := j.now()
	// A time as a ref names the last commit up to it: times that went back would name one that was not the head then.
	for _, earlier := range []time.Time{head.Commit.CreatedAt, head.Dataset.CreatedAt} {
		if !now.After(earlier) {
			now = earlier.Add(time.Microsecond)
		}
	}
	return now
}

// commitsOf lists the commits after one that a dataset has directories for, oldest first, and returns the highest id of
// any.
func (j *journal) commitsOf(dataset string, after int64) (commits []int64, highest int64, err error) {
	err = j.blobs.EachDirectory(dataset, func(name string) {
		id, err := strconv.ParseInt(name, 10, 64)
		if err != nil { // labels and backups
			return
		}
		highest = max(highest, id)
		if id > after && strconv.FormatInt(id, 10) == name { // 007 is not a commit's, whoever made it
			commits = append(commits, id)
		}
	})
	slices.Sort(commits)
	return commits, highest, err
}

// hasDirectory refuses to write beside a dataset's files where they are not: their disk is away, and would hide that
// when it is back.
func (j *journal) hasDirectory(dataset string) error {
	there, err := j.blobs.HasDirectory(dataset)
	if err == nil && !there {
		return fault.System(syscall.ENOENT)
	}
	return err
}
