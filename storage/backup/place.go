package backup

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/bucket"
)

// Where says where backups are kept: in a directory, or below a prefix of a bucket.
type Where struct {
	Dir     string         // empty: in the bucket
	Bucket  *bucket.Bucket // nil: in the directory
	Scratch string         // a directory for what is on its way to the bucket: made when it is needed
	Lease   time.Duration  // how long the lock of a bucket outlives who had it; 0: half a minute
	Hook    blob.Hook      // called before each durable step in a directory; for tests
}

// place is a directory (inTree) or a prefix of a bucket (inBucket). Names are slash-separated, and relative to it.
type place interface {
	// isFree reports why no target can be made here: it has something else.
	isFree(ctx context.Context) error
	// lock keeps other backups, prunings and checks away; ErrInUse: one of them has it.
	lock(ctx context.Context) (lock, error)

	open(ctx context.Context, name string) (io.ReadCloser, error)
	// list yields the files below a directory with their whole names. A missing directory has none.
	list(ctx context.Context, dir string) iter.Seq2[blob.Entry, error]

	draft() (*blob.Draft, error)
	// put gives drafts their names, in place of what had these. They are durable once settle returns.
	put(ctx context.Context, drafts ...blob.Placing) error
	// create writes a small file in one step, durably.
	create(ctx context.Context, name string, text []byte) error
	remove(ctx context.Context, names ...string) error
	settle() error
	// clear removes what was left unfinished. Only who has the lock may call it.
	clear(ctx context.Context) error

	// atOnce is how many files are moved at the same time.
	atOnce() int
	Close() error
}

// lock is a lock that is held. Whoever has it checks it before what must not happen beside others, and confirms it
// around what must not be in vain: ErrInUse says that it was lost.
type lock interface {
	check(ctx context.Context) error
	confirm(ctx context.Context) error
	release() error
}

// place opens the place. With make, a directory is made if it is missing.
func (w Where) place(make bool) (place, error) {
	if w.Bucket != nil {
		lease := w.Lease
		if lease == 0 {
			lease = defaultLease
		}
		return &inBucket{bucket: w.Bucket, scratch: w.Scratch, lease: lease}, nil
	}
	open := blob.OpenTree
	if make {
		open = blob.MakeTree
	}
	tree, err := open(w.Dir, w.Hook)
	if err != nil {
		return nil, err
	}
	return &inTree{Tree: tree, dirs: map[string]bool{}}, nil
}
