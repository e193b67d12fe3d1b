package storage

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/lookup"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Few keys are looked up without a statement: bounds exclude files, key filters and statistics exclude row groups, and
// of those that are left the key is read, then the rows that have it. What was found is a snapshot with these rows only
// (snapshot.Picked), so that whoever asks does the same as without. Where too much would have to be read, as in a large
// file of random keys that has no filter yet, nothing is looked up: a statement reads it with all processors.

// fewKeys is up to how many keys are looked up.
const fewKeys = 16

// Most that a look-up opens, and reads without a filter, beyond which a statement is as good.
const (
	mostParts  = 64       // files whose bounds do not exclude the keys
	mostGroups = 2        // row groups of one file, for each key
	mostBytes  = 16 << 20 // of columns of a row group
)

// lookups is how many files are looked into at once: each time, columns of a row group are in memory.
const lookups = 4

// keyFinder finds the live rows of few keys.
type keyFinder struct {
	*Files
	filters *keyFilters
	read    lookup.Read
	passed  atomic.Int64 // look-ups that were left to statements
	here    atomic.Int64 // commits whose records were compared with what was found, without a statement
	turns   chan struct{}
}

func newKeyFinder(files *Files, filters *keyFilters) *keyFinder {
	return &keyFinder{Files: files, filters: filters, turns: make(chan struct{}, lookups)}
}

// LookupCost is what look-ups of keys have cost since the start.
type LookupCost struct {
	Files, Groups, Bytes int64 // read: files, the keys of row groups, bytes
	Passed               int64 // look-ups that were left to statements, as too much would have been read
	FilterBytes          int64 // key filters that are in memory
	Compared             int64 // commits whose records were compared with what was found, without a statement
}

// Lookups returns what look-ups have cost.
func (h *History) Lookups() LookupCost {
	k := h.keys
	return LookupCost{
		Files: k.read.Files.Load(), Groups: k.read.Groups.Load(), Bytes: k.read.Bytes.Load(), Passed: k.passed.Load(),
		FilterBytes: k.filters.bytes(), Compared: k.here.Load(),
	}
}

// find returns a snapshot with only the rows that have one of the keys; ok is false where it is to be read as usual.
// Files that can't be read are left to whoever reads them then, and says what is wrong with them.
func (k *keyFinder) find(
	ctx context.Context, s *snapshot.Snapshot, keys []lookup.Key,
) (found *snapshot.Snapshot, ok bool) {
	defer func() {
		if !ok {
			k.passed.Add(1)
		}
	}()
	parts := s.DataParts()
	if len(parts) > mostParts || len(keys) == 0 || len(keys) > fewKeys {
		return nil, false
	}
	var rows []snapshot.Found
	for _, p := range parts {
		some, ok := k.inPart(ctx, s, p, keys)
		if !ok {
			return nil, false
		}
		rows = append(rows, some...)
	}
	return s.Picked(rows), true
}

// inPart returns the live rows of a part.
func (k *keyFinder) inPart(
	ctx context.Context, s *snapshot.Snapshot, p snapshot.Part, keys []lookup.Key,
) (rows []snapshot.Found, ok bool) {
	key := keyOf{s.Schema.KeyColumns(), s.SchemaOf(p.File), keys}
	ok = k.inFile(ctx, p.File, key, func(in partGroup, matches []lookup.Match) error {
		some, err := k.live(ctx, s, p, in, matches)
		rows = append(rows, some...)
		return err
	})
	return rows, ok
}

// located returns the places of the rows that have a key in a large file, live or not; ok is false where the file is to
// be read as usual.
func (k *keyFinder) located(ctx context.Context, f *catalog.File, sought keyOf) (places []snapshot.Place, ok bool) {
	if f.Rows < leastFiltered || len(sought.keys) == 0 {
		return nil, false
	}
	ok = k.inFile(ctx, f, sought, func(_ partGroup, matches []lookup.Match) error {
		for _, m := range matches {
			places = append(places, snapshot.Place{File: f.ID, Row: m.Row})
		}
		return nil
	})
	if !ok {
		return nil, false // what was found before it could not be read on is read again
	}
	return places, true
}

// keyOf is keys that are sought in files of a schema.
type keyOf struct {
	columns []schema.Column
	file    schema.Schema
	keys    []lookup.Key
}

// inFile calls found for each row group of a file in which rows have one of the keys. ok is false where the file is to
// be read as usual.
func (k *keyFinder) inFile(
	ctx context.Context, file *catalog.File, sought keyOf, found func(partGroup, []lookup.Match) error,
) (ok bool) {
	columns, ok := keyColumns(sought.columns, sought.file)
	if !ok {
		return false
	}
	groups, filtered := k.filters.groups(file, sought.columns, sought.keys)
	if filtered && len(groups) == 0 {
		return true
	}
	select {
	case k.turns <- struct{}{}:
		defer func() { <-k.turns }()
	case <-ctx.Done():
		return false
	}
	err := k.reading(ctx, file, func(f *lookup.File) error {
		near, err := f.Groups(columns[0], sought.keys)
		if filtered {
			near = slices.DeleteFunc(near, func(g int) bool { return !slices.Contains(groups, g) })
		}
		if ok = err == nil && (filtered || len(near) <= mostGroups*len(sought.keys)); !ok {
			return err
		}
		for _, g := range near {
			if ok = f.Size(g, columns) <= mostBytes; !ok {
				return nil
			}
			matches, err := f.Find(g, columns, sought.keys)
			if err != nil {
				return err
			}
			if err := found(partGroup{f, g}, matches); err != nil {
				return err
			}
		}
		return nil
	})
	return ok && err == nil
}

// keyColumns are the columns of a key as a file has them; ok is false where its keys are not comparable with those of
// now: the types differ too much.
func keyColumns(key []schema.Column, fs schema.Schema) (columns []lookup.Column, ok bool) {
	for _, c := range key {
		own, ok := fs.ByID(c.ID)
		if !ok || !lookup.Keeps(own.Type, c.Since(own)) {
			return nil, false
		}
		columns = append(columns, lookup.Column{Name: own.Name, Type: own.Type})
	}
	return columns, true
}

// reading opens a file, which is verified before, and must be the same after.
func (fs *Files) reading(
	ctx context.Context, f *catalog.File, read *lookup.Read, do func(*lookup.File) error,
) error {
	path := []string{fs.pathOf(f)}
	defer guard{fs}.Hold(path)()
	if err := (guard{fs}).Check(ctx, path); err != nil {
		return err
	}
	changed := guard{fs}.Seen(path)
	in, err := lookup.Open(path[0], read)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := do(in); err != nil {
		return err
	}
	return changed()
}

func (k *keyFinder) reading(ctx context.Context, f *catalog.File, do func(*lookup.File) error) error {
	return k.Files.reading(ctx, f, &k.read, do)
}
