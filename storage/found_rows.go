package storage

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/lookup"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Of the rows that have a key, those that are live, with their values.

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
			found = append(found, snapshot.Found{Part: p, Row: rows[i], Place: place, Key: matches[i].Key})
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
		schema.Column{ID: schema.CommitID, Name: schema.CommitColumn, Type: schema.Of(schema.Bigint)})
	rows := make([]int64, len(found))
	for i, f := range found {
		rows[i] = f.Row
	}
	if slices.ContainsFunc(columns, func(c schema.Column) bool { return lookup.ArrowType(c.Type) == nil }) {
		return nil
	}
	read := make([]lookup.Column, len(columns))
	for i, c := range columns {
		read[i] = lookup.Column{Name: c.Name, Type: c.Type}
	}
	if in.file.Size(in.group, read) > mostBytes {
		return nil
	}
	cells := make([]*cellsOf, len(columns))
	var together errgroup.Group
	together.SetLimit(fillThreads)
	for i := range columns {
		together.Go(func() (err error) { cells[i], err = in.cells(columns[i], read[i], rows); return err })
	}
	if err := together.Wait(); err != nil || slices.Contains(cells, nil) {
		return err
	}
	for i := range found {
		found[i].Values = make(map[int]string, len(columns))
		found[i].Record = make(map[int]arrow.Array, len(columns))
		for j, column := range cells {
			found[i].Values[columns[j].ID], found[i].Record[columns[j].ID] = column.sql[i], column.arrays[i]
		}
	}
	return nil
}

// fillThreads is how many columns of found rows are read at once.
const fillThreads = 2

// cellsOf are the values of a column in found rows, in SQL and in Arrow.
type cellsOf struct {
	sql    []string
	arrays []arrow.Array
}

// cells returns the values that a column has in rows; nil, if one has no plain text or a long one.
func (in partGroup) cells(c schema.Column, from lookup.Column, rows []int64) (*cellsOf, error) {
	values, err := in.file.Cells(in.group, from, rows)
	if err != nil {
		return nil, err
	}
	out := &cellsOf{}
	for _, v := range values {
		var text *string
		if !v.IsNull() {
			plain, ok := lookup.Text(v, c.Type)
			if !ok || len(plain) > mostText {
				return nil, nil
			}
			text = &plain
		}
		out.sql, out.arrays = append(out.sql, castSQL(text, c)), append(out.arrays, lookup.Array(v, c.Type))
	}
	return out, nil
}

// castSQL is a value in SQL, by its text, named as its column is.
func castSQL(text *string, c schema.Column) string {
	value := "NULL"
	if text != nil {
		value = duck.Text(*text)
	}
	return "CAST(" + value + " AS " + c.Type.SQL() + ") AS " + duck.Ident(c.Name)
}
