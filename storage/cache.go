package storage

import (
	"sync"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// headCache keeps the newest snapshot of each dataset, so that small commits do not read thousands of rows anew.
// Snapshots are not changed once they are made, so the same one is given to all.
type headCache struct {
	mu    sync.Mutex
	era   int64 // the newest removal (forget_caches.go)
	byID  map[string]*snapshot.Snapshot
	limit int
}

// newHeadCache keeps up to 256 heads: those of the datasets that are written to.
func newHeadCache() *headCache { return &headCache{byID: map[string]*snapshot.Snapshot{}, limit: 256} }

// get returns the snapshot of a dataset at a commit; nil unless that is its newest one here.
func (c *headCache) get(dataset string, commit int64) *snapshot.Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.byID[dataset]; s != nil && s.Commit.ID == commit {
		return s
	}
	return nil
}

// kept returns the newest snapshot of a dataset that is kept, which may be behind; nil if there is none.
func (c *headCache) kept(dataset string) *snapshot.Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byID[dataset]
}

// of returns the snapshot that is kept of a dataset if it is of a commit, whichever, and of an era; else nil.
func (c *headCache) of(dataset string, era int64) *snapshot.Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.byID[dataset]
	if s == nil || era != c.era || s.Commit.ID == 0 {
		return nil
	}
	return s
}

// put keeps a head that was read in an era. It may be older than what is kept, from a slow reader: the newer one is
// then read again.
func (c *headCache) put(s *snapshot.Snapshot, era int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if era != c.era && era != thisEra {
		return
	}
	// All at once: what is in use is read again when it is needed, and no order of use has to be kept.
	if len(c.byID) >= c.limit {
		clear(c.byID)
	}
	c.byID[s.Dataset.ID] = s
}

// fileCache keeps the rows of files, which change only where rows are removed for ever. One serves all datasets, since
// forks share files.
type fileCache struct {
	mu    sync.Mutex
	era   int64
	byID  map[int64]*catalog.File
	limit int
}

// Of all datasets together, up to mostFiles are kept, and fewer where they would take more than some memory; but
// leastFiles.
const (
	fileBytes  = 1500 // roughly what one takes
	mostFiles  = 200_000
	leastFiles = 10_000
)

// newFileCache keeps what fits in about so many bytes.
func newFileCache(memory int64) *fileCache {
	limit := mostFiles
	if memory > 0 {
		limit = int(min(max(memory/fileBytes, leastFiles), mostFiles))
	}
	return &fileCache{byID: map[int64]*catalog.File{}, limit: limit}
}

// all returns the files with those ids; ok is false where one is not kept.
func (c *fileCache) all(ids []int64) (files []*catalog.File, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	files = make([]*catalog.File, len(ids))
	for i, id := range ids {
		if files[i], ok = c.byID[id]; !ok {
			return nil, false
		}
	}
	return files, true
}

// add keeps files that were read in an era. Like heads, they are dropped all at once where they become too many.
func (c *fileCache) add(files []*catalog.File, era int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if era != c.era && era != thisEra {
		return
	}
	if len(c.byID)+len(files) > c.limit {
		clear(c.byID)
	}
	for _, f := range files {
		c.byID[f.ID] = f
	}
}
