package storage

import (
	"maps"
	"sync"

	"github.com/rowback/rowback/storage/catalog"
)

// Counts are what was committed since the start, for the metrics.
type Counts struct {
	mu             sync.Mutex
	byMode         map[catalog.Mode]int64
	added, removed int64 // records
}

// newCounts returns the counts of a store that was just opened: of every mode, none.
func newCounts() *Counts {
	n := &Counts{byMode: map[catalog.Mode]int64{}}
	for _, mode := range []catalog.Mode{
		catalog.Append, catalog.Overwrite, catalog.Upsert, catalog.Replace, catalog.Delete, catalog.Rollback,
		catalog.Restore, catalog.Schema, catalog.Edit, catalog.Fork, catalog.Merge,
	} {
		n.byMode[mode] = 0
	}
	return n
}

// add counts a commit that stands.
func (n *Counts) add(c catalog.Commit) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.byMode[c.Mode]++
	n.added += c.Added
	n.removed += c.Removed
}

// Commits returns how many there were of each mode.
func (n *Counts) Commits() map[catalog.Mode]int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.byMode)
}

// Records returns how many records they added and removed.
func (n *Counts) Records() (added, removed int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.added, n.removed
}

// Usage is what is in a data directory beside the stored files.
type Usage struct {
	CatalogBytes int64 // of the catalog
	LogBytes     int64 // of the log that SQLite keeps beside it
	StagedFiles  int64 // uploads on their way and scratch files
	StagedBytes  int64
	Quarantined  int64 // what could not be placed, or was withdrawn
}

// Usage looks at the data directory. What can't be looked at counts as nothing.
func (s *Store) Usage() (u Usage) {
	u.CatalogBytes, u.LogBytes = s.dir.catalogBytes()
	u.StagedFiles, u.StagedBytes = s.blobs.Staged()
	names, _ := s.blobs.Quarantined()
	u.Quarantined = int64(len(names))
	return u
}
