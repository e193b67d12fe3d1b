package snapshot

import (
	"math/big"
	"slices"
	"strconv"
	"sync"

	"github.com/rowback/rowback/storage/catalog"
)

// The files of a state are looked through in blocks: runs of files whose ids have all but the last ten bits in common.
// What a block amounts to is kept, with the files that it was, so that a state which has most blocks in common with one
// that was looked through before costs the others. Nothing depends on what is kept.
const blockBits = 10

// block is files of a state that follow one another, and what they amount to.
type block struct {
	files           []*catalog.File
	least, greatest int64 // ids of the files that its rollback files displace rows of; 0: of none

	mu     sync.Mutex
	sums   map[measuredColumns]*blockSum
	bounds map[KeyOrder]*catalog.Bounds // of all its keys; nil: some file may have any
	weight int                          // about how many words of memory it takes
}

// Blocks keeps the blocks of states. One serves all datasets.
type Blocks struct {
	mu     sync.Mutex
	byKey  map[blockKey][]*block // the last of a key first
	weight int                   // of all
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

// of returns the block with these files. One that begins as another does is made of that: mostly the last block of a
// state, which commits add files to.
func (b *Blocks) of(key blockKey, files []*catalog.File) *block {
	if b == nil {
		return newBlock(files)
	}
	b.mu.Lock()
	known := b.byKey[key]
	b.mu.Unlock()
	var one *block
	for _, other := range known {
		if n := len(other.files); n <= len(files) && slices.Equal(other.files, files[:n]) {
			if n == len(files) {
				return other
			}
			if one == nil {
				one = other.with(files)
			}
		}
	}
	if one == nil {
		one = newBlock(slices.Clone(files))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	known = b.byKey[key] // replaced, not changed: others look through it without the lock
	if n := len(known); n == blocksOfKey {
		known, b.weight = known[:n-1], b.weight-known[n-1].weight
	}
	if b.weight += one.weight; b.weight > b.limit {
		clear(b.byKey)
		known, b.weight = nil, one.weight
	}
	b.byKey[key] = append([]*block{one}, known...)
	return one
}

// Clear drops all blocks.
func (b *Blocks) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.byKey)
	b.weight = 0
}

// heavier counts what a block takes beside its files.
func (b *Blocks) heavier(one *block, by int) {
	if b != nil {
		b.mu.Lock()
		one.weight, b.weight = one.weight+by, b.weight+by
		b.mu.Unlock()
	}
}

func newBlock(files []*catalog.File) *block {
	b := &block{
		files: files, sums: map[measuredColumns]*blockSum{}, bounds: map[KeyOrder]*catalog.Bounds{}, weight: 50 + len(files),
	}
	b.look(files)
	return b
}

// look notes which files rollback files displace rows of.
func (b *block) look(files []*catalog.File) {
	for _, f := range files {
		for target := range f.Targets {
			if b.least == 0 || target < b.least {
				b.least = target
			}
			b.greatest = max(b.greatest, target)
		}
	}
}

// with returns the block with more files, of which it has the first. What is known of its bounds is known of them.
func (b *block) with(files []*catalog.File) *block {
	out := newBlock(nil)
	out.files, out.least, out.greatest, out.weight = slices.Clone(files), b.least, b.greatest, out.weight+len(files)
	more := out.files[len(b.files):]
	out.look(more)
	b.mu.Lock()
	defer b.mu.Unlock()
	for order, known := range b.bounds {
		if known != nil { // else one of the files is why there are none
			known = order.joinAll(known, more)
		}
		out.bounds[order] = known
	}
	return out
}

// mayHold reports whether some file of the block may hold a key within bounds.
func (b *block) mayHold(order KeyOrder, bounds *catalog.Bounds) bool {
	if order == Unordered {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	all, ok := b.bounds[order]
	if !ok {
		all = order.joinAll(nil, b.files)
		b.bounds[order] = all
	}
	return order.Overlap(all, bounds)
}

// joinAll returns the bounds of files and of others before them together; nil if those of a file are not known, or are
// of another order, in which the key was once: they compare as equal to all.
func (o KeyOrder) joinAll(bounds *catalog.Bounds, files []*catalog.File) *catalog.Bounds {
	for _, f := range files {
		if f.Bounds == nil || !o.orders(f.Bounds.Least) || !o.orders(f.Bounds.Greatest) {
			return nil
		}
		bounds = o.Join(bounds, f.Bounds)
	}
	return bounds
}

// orders reports whether a bound is one of the order.
func (o KeyOrder) orders(bound string) bool {
	if o == texts {
		return true
	}
	if _, err := strconv.ParseInt(bound, 10, 64); err == nil {
		return true
	}
	_, ok := new(big.Rat).SetString(bound)
	return ok
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
