package snapshot

import (
	"slices"
	"sync"

	"rowback/storage/catalog"
)

// The files of a state are looked through in blocks: runs of files whose ids have all but the last ten bits in common.
// What a block amounts to is kept, with the files that it was, so that a state which has most blocks in common with one
// that was looked through before costs the others. Nothing depends on what is kept.
const blockBits = 10

// block is files of a state that follow one another, and what they amount to.
type block struct {
	files           []*catalog.File
	least, greatest int64 // ids of the files that its rollback files displace rows of; 0: of none

	mu   sync.Mutex
	sums map[measuredColumns]*blockSum
}

// Blocks keeps the blocks of states. One serves all datasets.
type Blocks struct {
	mu     sync.Mutex
	byKey  map[blockKey][]*block // the last of a key first
	weight int
	limit  int
}

type blockKey struct {
	family   string
	first    int64 // id of its first possible file
	displace bool  // its files are rollback files
}

// blocksOfKey is how many blocks of a key are kept: states of different times, and of forks, have different ones.
const blocksOfKey = 8

// NewBlocks keeps what fits in about 50 MB.
func NewBlocks() *Blocks { return &Blocks{byKey: map[blockKey][]*block{}, limit: 6_000_000} }

// of returns the block with these files.
func (b *Blocks) of(key blockKey, files []*catalog.File) *block {
	if b == nil {
		return newBlock(files)
	}
	b.mu.Lock()
	known := b.byKey[key]
	b.mu.Unlock()
	for _, one := range known {
		if slices.Equal(one.files, files) {
			return one
		}
	}
	one := newBlock(slices.Clone(files))
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.weight += len(files); b.weight > b.limit {
		clear(b.byKey)
		b.weight = len(files)
	}
	known = b.byKey[key] // replaced, not changed: others look through it without the lock
	b.byKey[key] = append([]*block{one}, known[:min(len(known), blocksOfKey-1)]...)
	return one
}

// heavier counts what is kept of a block beside its files, in words of memory.
func (b *Blocks) heavier(by int) {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.weight += by
	b.mu.Unlock()
}

func newBlock(files []*catalog.File) *block {
	b := &block{files: files, sums: map[measuredColumns]*blockSum{}}
	for _, f := range files {
		for target := range f.Targets {
			if b.least == 0 || target < b.least {
				b.least = target
			}
			b.greatest = max(b.greatest, target)
		}
	}
	return b
}

// blocks divides files of the snapshot of one kind, which are in the order of their ids.
func (s *Snapshot) blocks(files []*catalog.File, displace bool) (out []*block) {
	for len(files) > 0 {
		first := files[0].ID >> blockBits << blockBits
		n, _ := slices.BinarySearchFunc(files, first+1<<blockBits, func(f *catalog.File, id int64) int {
			if f.ID < id {
				return -1
			}
			return 1
		})
		n = max(n, 1)
		out = append(out, s.known.of(blockKey{s.Dataset.FamilyID, first, displace}, files[:n]))
		files = files[n:]
	}
	return out
}

// Remember has the snapshot, and those made of it, use and keep blocks.
func (s *Snapshot) Remember(b *Blocks) { s.known = b }

// displacers returns, for each data file by id, the rollback files with positions in it. Rollback files are not looked
// at where they displace rows of other files only.
func (s *Snapshot) displacers() map[int64][]*catalog.File {
	out := map[int64][]*catalog.File{}
	if len(s.Data) == 0 {
		return out
	}
	least, greatest := s.Data[0].ID, s.Data[len(s.Data)-1].ID
	for _, b := range s.blocks(s.Rollbacks, true) {
		if b.greatest < least || b.least > greatest {
			continue
		}
		for _, r := range b.files {
			for target := range r.Targets {
				if target >= least && target <= greatest {
					out[target] = append(out[target], r)
				}
			}
		}
	}
	return out
}

// displaces reports whether the snapshot has rollback files with positions in a file.
func (s *Snapshot) displaces(f *catalog.File) bool {
	return slices.ContainsFunc(s.blocks(s.Rollbacks, true), func(b *block) bool {
		return b.least <= f.ID && f.ID <= b.greatest && slices.ContainsFunc(b.files, func(r *catalog.File) bool {
			return r.Targets[f.ID] > 0
		})
	})
}
