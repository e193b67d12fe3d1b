package storage

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/lookup"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// Few keys are looked up without a statement: bounds exclude files, key filters and statistics exclude row groups, and
// of those that are left the key is read, then the rows that have it. What was found is a snapshot with these rows only
// (snapshot.Picked), so that whoever asks does the same as without. Where too much would have to be read, as in a large
// file of random keys that has no filter yet, nothing is looked up: a statement reads it with all processors.

// fewKeys is up to how many keys are looked up.
const fewKeys = 16

// Most that a look-up opens, and reads without a filter, beyond which a statement is as good.
const (
	mostParts  = 64 // files whose bounds do not exclude the keys
	mostGroups = 2  // row groups of one file, for each key
)

// keyFinder finds the live rows of few keys.
type keyFinder struct {
	*Files
	filters *keyFilters
	read    lookup.Read
	passed  atomic.Int64 // look-ups that were left to statements
}

// LookupCost is what look-ups of keys have cost since the start.
type LookupCost struct {
	Files, Groups, Bytes int64 // read: files, the keys of row groups, bytes
	Passed               int64 // look-ups that were left to statements, as too much would have been read
	FilterBytes          int64 // key filters that are in memory
}

// Lookups returns what look-ups have cost.
func (h *History) Lookups() LookupCost {
	k := h.keys
	return LookupCost{
		Files: k.read.Files.Load(), Groups: k.read.Groups.Load(), Bytes: k.read.Bytes.Load(), Passed: k.passed.Load(),
		FilterBytes: k.filters.bytes(),
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
	columns, ok := keyColumns(s.Schema.KeyColumns(), s.SchemaOf(p.File))
	if !ok {
		return nil, false
	}
	groups, filtered := k.filters.groups(p, s.Schema.KeyColumns(), keys)
	if filtered && len(groups) == 0 {
		return nil, true
	}
	err := k.reading(ctx, p.File, func(f *lookup.File) error {
		near, err := f.Groups(columns[0], keys)
		if filtered {
			near = slices.DeleteFunc(near, func(g int) bool { return !slices.Contains(groups, g) })
		}
		if ok = err == nil && (filtered || len(near) <= mostGroups*len(keys)); !ok {
			return err
		}
		for _, g := range near {
			matches, err := f.Find(g, columns, keys)
			if err != nil {
				return err
			}
			some, err := k.live(ctx, s, p, partGroup{f, g}, matches)
			if err != nil {
				return err
			}
			rows = append(rows, some...)
		}
		return nil
	})
	return rows, ok && err == nil
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

// partGroup is a row group of a part that is read.
type partGroup struct {
	file  *lookup.File
	group int
}

// live returns the rows of a part that matched and are live, with their values.
func (k *keyFinder) live(
	ctx context.Context, s *snapshot.Snapshot, p snapshot.Part, in partGroup, matches []lookup.Match,
) (found []snapshot.Found, err error) {
	if len(matches) == 0 {
		return nil, nil
	}
	rows := make([]int64, len(matches))
	for i, m := range matches {
		rows[i] = m.Row
	}
	places, err := in.places(p, rows)
	if err != nil {
		return nil, err
	}
	for i, place := range places {
		if slices.ContainsFunc(p.Holds, func(f *catalog.File) bool { return f.ID == place.File }) {
			found = append(found, snapshot.Found{Part: p, Row: rows[i], Place: place})
		}
	}
	if found, err = k.without(ctx, s, p, found); err != nil || len(found) == 0 {
		return nil, err
	}
	return found, in.fill(found, s.SchemaOf(p.File))
}

// places returns the places of rows of a part in the files of the snapshot.
func (in partGroup) places(p snapshot.Part, rows []int64) ([]snapshot.Place, error) {
	places := make([]snapshot.Place, len(rows))
	if p.Compacted == nil {
		for i, row := range rows {
			places[i] = snapshot.Place{File: p.ID, Row: row}
		}
		return places, nil
	}
	files, err := in.file.Integers(in.group, schema.FileColumn, rows)
	if err != nil {
		return nil, err
	}
	positions, err := in.file.Integers(in.group, schema.PosColumn, rows)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		places[i] = snapshot.Place{File: files[i], Row: positions[i]}
	}
	return places, nil
}

// places in rollback files, as keys of these columns: the position first, by which most row groups are excluded.
var placeColumns = []lookup.Column{
	{Name: schema.PosColumn, Type: schema.Of(schema.Bigint)}, {Name: schema.FileColumn, Type: schema.Of(schema.Bigint)},
}

// without returns the rows that are not displaced.
func (k *keyFinder) without(
	ctx context.Context, s *snapshot.Snapshot, p snapshot.Part, found []snapshot.Found,
) ([]snapshot.Found, error) {
	for _, r := range s.Displacers(p) {
		if len(found) == 0 {
			break
		}
		places := make([]lookup.Key, len(found))
		for i, f := range found {
			places[i] = lookup.Key{lookup.Integer(f.Place.Row), lookup.Integer(f.Place.File)}
		}
		gone := map[int]bool{}
		if err := k.displaced(ctx, r, places, gone); err != nil {
			return nil, err
		}
		var left []snapshot.Found
		for i, f := range found {
			if !gone[i] {
				left = append(left, f)
			}
		}
		found = left
	}
	return found, nil
}

// displaced notes which of the places a part of rollback files has.
func (k *keyFinder) displaced(ctx context.Context, r snapshot.Part, places []lookup.Key, gone map[int]bool) error {
	return k.reading(ctx, r.File, func(f *lookup.File) error {
		groups, err := f.Groups(placeColumns[0], places)
		for _, g := range groups {
			var matches []lookup.Match
			if matches, err = f.Find(g, placeColumns, places); err != nil {
				return err
			}
			for _, m := range matches {
				by := r.ID
				if r.Compacted != nil {
					ends, err := f.Integers(g, schema.EndColumn, []int64{m.Row})
					if err != nil {
						return err
					}
					by = ends[0]
				}
				if slices.ContainsFunc(r.Holds, func(f *catalog.File) bool { return f.ID == by }) {
					gone[m.Key] = true
				}
			}
		}
		return err
	})
}

// mostText is up to how many bytes of a row are put into a statement, instead of being read by it.
const mostText = 64 << 10

// fill adds the values of rows where all of them have a text. Others are read by the statement.
func (in partGroup) fill(found []snapshot.Found, fs schema.Schema) error {
	columns := append(slices.Clone(fs.Stored()),
		schema.Column{Name: schema.CommitColumn, Type: schema.Of(schema.Bigint)})
	rows := make([]int64, len(found))
	for i, f := range found {
		rows[i] = f.Row
	}
	lists := make([][]string, len(found))
	for _, c := range columns {
		if c.Type.Nested() || c.Type.Name == schema.Blob {
			return nil
		}
		texts, ok, err := in.file.Texts(in.group, lookup.Column{Name: c.Name, Type: c.Type}, rows)
		if err != nil || !ok {
			return err
		}
		for i, text := range texts {
			if text != nil && len(*text) > mostText {
				return nil
			}
			lists[i] = append(lists[i], castSQL(text, c))
		}
	}
	for i, list := range lists {
		found[i].Values = strings.Join(list, ", ")
	}
	return nil
}

// castSQL is a value in SQL, by its text, named as its column is.
func castSQL(text *string, c schema.Column) string {
	value := "NULL"
	if text != nil {
		value = duck.Text(*text)
	}
	return "CAST(" + value + " AS " + c.Type.SQL() + ") AS " + duck.Ident(c.Name)
}
