package snapshot

import (
	"cmp"
	"maps"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// OfKind returns the files of one kind.
func OfKind(files []*catalog.File, kind schema.Kind) []*catalog.File {
	is := func(f *catalog.File) bool { return f.Kind == kind }
	if !slices.ContainsFunc(files, func(f *catalog.File) bool { return !is(f) }) {
		return slices.Clip(files)
	}
	return filter(files, is)
}

// Without returns the files of one list that the other lacks. What the two begin and end with alike costs next to
// nothing: states near each other have most of their files in common.
func Without(files, other []*catalog.File) []*catalog.File {
	for len(files) > 0 && len(other) > 0 && isSame(files[0], other[0]) {
		files, other = files[1:], other[1:]
	}
	for len(files) > 0 && len(other) > 0 && isSame(files[len(files)-1], other[len(other)-1]) {
		files, other = files[:len(files)-1], other[:len(other)-1]
	}
	if len(files) == 0 {
		return nil
	}
	has := make(map[int64]bool, len(other))
	for _, f := range other {
		has[f.ID] = true
	}
	return filter(files, func(f *catalog.File) bool { return !has[f.ID] })
}

// isSame compares files by where they are in memory first: most often one is read once for all states.
func isSame(f, g *catalog.File) bool { return f == g || f.ID == g.ID }

// find returns the files of a list, which are in the order of their ids, with some ids.
func find(files []*catalog.File, ids map[int64]bool) (out []*catalog.File) {
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if i, ok := place(files, id); ok {
			out = append(out, files[i])
		}
	}
	return out
}

func place(files []*catalog.File, id int64) (int, bool) {
	return slices.BinarySearchFunc(files, id, func(f *catalog.File, id int64) int { return cmp.Compare(f.ID, id) })
}

// withoutFew is Without for a long list, in the order of ids, that lacks few: they are taken out of a copy.
func withoutFew(files, few []*catalog.File) []*catalog.File {
	if len(few) > 16 {
		return Without(files, few)
	}
	out := slices.Clone(files)
	for _, f := range few {
		if i, ok := place(out, f.ID); ok {
			out = slices.Delete(out, i, i+1)
		}
	}
	return out
}

func filter(files []*catalog.File, keep func(*catalog.File) bool) (out []*catalog.File) {
	for _, f := range files {
		if keep(f) {
			out = append(out, f)
		}
	}
	return out
}

// distinct returns files by id, each once. Compacted files have ids of their own, which may be those of other files.
func distinct(files []*catalog.File) []*catalog.File {
	slices.SortFunc(files, func(f, g *catalog.File) int {
		return cmp.Or(cmp.Compare(f.ID, g.ID), cmp.Compare(f.Key, g.Key))
	})
	return slices.CompactFunc(files, func(f, g *catalog.File) bool { return f.ID == g.ID && f.Key == g.Key })
}

// BySchema groups files by the schema they were written with, in order.
func BySchema(files []*catalog.File) (groups [][]*catalog.File) {
	at := map[string]int{}
	for _, f := range files {
		i, ok := at[f.SchemaID]
		if !ok {
			i = len(groups)
			at[f.SchemaID] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

// SchemasOf returns the schemas that files were written with, by document id.
func SchemasOf(tx catalog.Tx, files []*catalog.File) (map[string]schema.Schema, error) {
	out, last := map[string]schema.Schema{}, ""
	for _, f := range files {
		if f.SchemaID == last {
			continue // neighbours mostly have the same: it is not looked up a hundred thousand times
		}
		last = f.SchemaID
		if _, ok := out[last]; ok {
			continue
		}
		s, err := tx.Schema(f.SchemaID)
		if err != nil {
			return nil, err
		}
		out[f.SchemaID] = s
	}
	return out, nil
}
