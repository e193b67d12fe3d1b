package storage

import (
	"container/list"
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/lookup"
	"github.com/rowback/rowback/storage/schema"
)

// A key filter (lookup.Filter) is an object of its own, named after the file whose keys it has, with that file's
// checksum: a file that is written anew under its id has another filter. It is a cache: what is lost, or is not what
// was written, is made again (filter_upkeep.go), and no one depends on it meanwhile.

const filtersDir = "filters"

// filterKey is the key of a file's filter.
func filterKey(f *catalog.File) string {
	return f.DatasetID + "/" + filtersDir + "/" + filterName(f)
}

// filterName is its name: the file's kind, as compacted files have ids of their own, its id and its checksum.
func filterName(f *catalog.File) string {
	return string(f.Kind) + "-" + formatID(f.ID) + "-" + f.Checksum
}

// leastFiltered is how many rows a file has to have to get a filter. Reading the keys of fewer takes a fraction of a
// millisecond.
const leastFiltered = 4096

// keyFilters are the key filters that are in memory, within a limit: those used longest ago are dropped first.
type keyFilters struct {
	*Files
	limit int64 // bytes

	mu    sync.Mutex
	byKey map[string]*list.Element
	order *list.List // of *heldFilter, the most recently used first
	used  int64
	sound map[string]bool // keys of the filters that were read or written since the start

	missed map[string]time.Time // keys of those that were not there, and when
}

// heldFilter is a filter in memory.
type heldFilter struct {
	key    string
	filter *lookup.Filter
}

func newKeyFilters(files *Files, limit int64) *keyFilters {
	return &keyFilters{Files: files, limit: limit, byKey: map[string]*list.Element{}, order: list.New(),
		sound: map[string]bool{}, missed: map[string]time.Time{}}
}

// groups returns the row groups of a file that may have one of the keys; ok is false if there is no filter for that.
func (k *keyFilters) groups(file *catalog.File, key []schema.Column, keys []lookup.Key) (groups []int, ok bool) {
	f := k.of(file)
	if f == nil || !slices.Equal(f.Columns, fieldIDs(key)) {
		return nil, false
	}
	return f.Groups(keys), true
}

func fieldIDs(columns []schema.Column) (ids []int) {
	for _, c := range columns {
		ids = append(ids, c.ID)
	}
	return ids
}

// of returns the filter of a file; nil: there is none. Of one that was not there a moment ago the store is not asked
// again: in a bucket, every commit would ask for each file whose filter is not made yet.
func (k *keyFilters) of(f *catalog.File) *lookup.Filter {
	if !k.takes(f) {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if at, known := k.missed[filterKey(f)]; known && k.now().Sub(at) < missedFor {
		return nil
	}
	return k.find(f)
}

// missedFor is how long a filter that was not there is not looked for: upkeep, perhaps of another server, makes filters
// about as often.
const missedFor = time.Minute

// find is of, whatever was there before. It is called under the lock: a filter is read once, however many ask for it.
func (k *keyFilters) find(f *catalog.File) *lookup.Filter {
	key := filterKey(f)
	if at := k.byKey[key]; at != nil {
		k.order.MoveToFront(at)
		return at.Value.(*heldFilter).filter
	}
	filter, err := k.load(f)
	if err != nil {
		delete(k.sound, key)
		if !errors.Is(err, fs.ErrNotExist) {
			k.damaged(key, err)
		}
		if len(k.missed) >= mostSound {
			clear(k.missed)
		}
		k.missed[key] = k.now()
		return nil
	}
	k.keep(key, filter)
	return filter
}

// has reports whether a file has a filter. One that was sound is not read again for that.
func (k *keyFilters) has(f *catalog.File) bool {
	k.mu.Lock()
	known := k.sound[filterKey(f)]
	k.mu.Unlock()
	if known {
		// What can't be asked for is not made again now. A filter that is lost is, although memory has it.
		there, err := k.blobs.Has(filterKey(f))
		return there || err != nil
	}
	if !k.takes(f) {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.find(f) != nil
}

// mostSound is how many filters are remembered before all of them are forgotten.
const mostSound = 100_000

// takes reports whether a file is one that gets a filter: large, and not so large that no other would have room.
func (k *keyFilters) takes(f *catalog.File) bool {
	return f.Rows >= leastFiltered && mostFilter(f.Rows) <= k.limit
}

// mostFilter is more bytes than the filter of so many keys has.
func mostFilter(rows int64) int64 { return 3*rows + 64<<10 }

var errFilterOfOther = errors.New("it is the filter of another file")

// load reads a filter from its object, and makes sure that it is the one that was written for the file.
func (k *keyFilters) load(f *catalog.File) (*lookup.Filter, error) {
	in, err := k.blobs.Open(filterKey(f))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, mostFilter(f.Rows)))
	if err != nil {
		return nil, err
	}
	filter, err := lookup.Decode(data)
	if err == nil && (filter.File != f.Checksum || filter.Rows() != f.Rows) {
		err = errFilterOfOther
	}
	return filter, err
}

// damaged removes a filter that is not what was written: upkeep makes another.
func (k *keyFilters) damaged(key string, err error) {
	k.log.Warn("a key filter is not used, and is made again", "key", key, "error", err)
	if err := k.blobs.Remove(key); err != nil {
		k.log.Warn("a key filter could not be removed", "key", key, "error", err)
	}
}

// keep keeps a filter in memory, within the limit.
func (k *keyFilters) keep(key string, f *lookup.Filter) {
	if len(k.sound) >= mostSound {
		clear(k.sound)
	}
	k.sound[key] = true
	delete(k.missed, key)
	if k.byKey[key] != nil {
		return
	}
	k.byKey[key] = k.order.PushFront(&heldFilter{key, f})
	k.used += f.Size()
	for k.used > k.limit {
		k.drop(k.order.Back())
	}
}

func (k *keyFilters) drop(at *list.Element) {
	held := k.order.Remove(at).(*heldFilter)
	delete(k.byKey, held.key)
	k.used -= held.filter.Size()
}

// forget drops a filter from memory, and removes its object.
func (k *keyFilters) forget(key string) error {
	k.mu.Lock()
	delete(k.sound, key)
	if at := k.byKey[key]; at != nil {
		k.drop(at)
	}
	k.mu.Unlock()
	return k.blobs.Remove(key)
}

// put stores the filter of a file, durably, and keeps it.
func (k *keyFilters) put(f *catalog.File, filter *lookup.Filter) (size int64, err error) {
	data, err := filter.Encode()
	if err != nil {
		return 0, err
	}
	placed, err := k.blobs.Put(filterKey(f), data)
	if err != nil {
		return 0, errors.Join(err, placed.Undo())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keep(filterKey(f), filter)
	return int64(len(data)), placed.Keep()
}

// bytes returns how much memory the filters have.
func (k *keyFilters) bytes() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.used
}
