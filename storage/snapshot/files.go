package snapshot

import (
	"cmp"
	"slices"

	"rowback/storage/catalog"
	"rowback/storage/schema"
)

// OfKind returns the files of one kind.
func OfKind(files []*catalog.File, kind schema.Kind) []*catalog.File {
	return filter(files, func(f *catalog.File) bool { return f.Kind == kind })
}

// Without returns the files of one list that the other lacks. What the two begin with alike costs next to nothing:
// states near each other have most of their files in common.
func Without(files, other []*catalog.File) []*catalog.File {
	for len(files) > 0 && len(other) > 0 && files[0].ID == other[0].ID {
		files, other = files[1:], other[1:]
	}
	has := make(map[int64]bool, len(other))
	for _, f := range other {
		has[f.ID] = true
	}
	return filter(files, func(f *catalog.File) bool { return !has[f.ID] })
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
	out := map[string]schema.Schema{}
	for _, f := range files {
		if _, ok := out[f.SchemaID]; ok {
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
