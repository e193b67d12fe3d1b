package blob

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
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
	// is not asked. It is asked before anything is written. After a batch was published, the last answer may be some
	// moments old, for which a server that takes the objects over waits: it then has the batch, or this one does not
	// answer for it.
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

	asking sync.Mutex
	asked  time.Time // when it was asked last whether the objects are to be written here, and they were

	mu      sync.Mutex
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
		changed: map[string]time.Time{},
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
		stop:    func() { _ = d.Close() }, // scratch files of a temporary directory
		changed: map[string]time.Time{},
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
