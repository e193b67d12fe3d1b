package storage

import (
	"context"
	"fmt"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/lookup"
	"github.com/rowback/rowback/storage/schema"
)

// Whether what two commits did meets, for a rollback or a merge, is found by joining the keys of both. Where one side
// has few, they are looked up in the large files of the other, and files that have none of them are left out of the
// join: with a key filter, that opens none of these files.

// fewOf returns the keys that a query has; none, if they are too many to be looked up, or can't be.
func fewOf(ctx context.Context, conn *duck.Conn, query string, key []schema.Column) ([]lookup.Key, error) {
	batch, err := conn.Batch(ctx, duck.Fill(someKeys, duck.Parts{
		"key": keyList(key), "keys": query, "most": fewKeys + 1,
	}))
	if err != nil {
		return nil, err
	}
	defer batch.Release()
	if batch.NumRows() > fewKeys {
		return nil, nil
	}
	return keysFrom(batch.Columns(), key), nil
}

const someKeys = "SELECT DISTINCT {key} FROM ({keys}) LIMIT {most}"

// absent returns the files, by id, that surely have none of the keys. schemaOf returns the schema of a file.
func (k *keyFinder) absent(
	ctx context.Context, files []*catalog.File, schemaOf func(*catalog.File) schema.Schema, key []schema.Column,
	keys []lookup.Key,
) map[int64]bool {
	absent := map[int64]bool{}
	for _, f := range files {
		places, ok := k.located(ctx, f, keyOf{key, schemaOf(f), keys})
		absent[f.ID] = ok && len(places) == 0
	}
	return absent
}

// large returns the files that are worth a look-up.
func large(files []*catalog.File) (out []*catalog.File) {
	for _, f := range files {
		if f.Rows >= leastFiltered {
			out = append(out, f)
		}
	}
	return out
}

// areFew reports whether files have so few rows that their keys may be looked up.
func areFew(files []*catalog.File) bool {
	var rows int64
	for _, f := range files {
		rows += f.Rows
	}
	return rows <= fewKeys
}

// side is one of the two sides whose keys overlapCounter joins: those that one aspect of some commits has.
type side struct {
	of map[int64]sets
	aspect
}

// files are the files of a side; ok is false if they do not tell which rows they are.
func (s side) files() (files []*catalog.File, ok bool) {
	for _, commit := range s.of {
		if commit.between != nil {
			return nil, false
		}
		files = append(files, commit.files(s.aspect)...)
	}
	return files, true
}

// leaveOut finds the files of either side that have none of the other's keys, where these are few.
func (c *overlapCounter) leaveOut(ctx context.Context, a, b side) error {
	c.absent = nil
	for _, pair := range [][2]side{{a, b}, {b, a}} {
		few, fewKnown := pair[0].files()
		many, manyKnown := pair[1].files()
		if many = large(many); !fewKnown || !manyKnown || !areFew(few) || len(many) == 0 {
			continue
		}
		key := c.head.Schema.KeyColumns()
		keys, err := fewOf(ctx, c.conn, c.keys(pair[0]), key)
		if err != nil {
			return err
		}
		schemaOf := func(f *catalog.File) schema.Schema { return c.history.Schemas[f.SchemaID] }
		c.absent = c.from.keys.absent(ctx, many, schemaOf, key, keys)
		return nil
	}
	return nil
}

// noKeys is the SQL of a side without keys.
func noKeys(key []schema.Column) string {
	query := "SELECT CAST(NULL AS BIGINT) AS owner"
	for _, c := range key {
		query += fmt.Sprintf(", CAST(NULL AS %s) AS %s", c.Type.SQL(), schema.ColumnName(c.ID))
	}
	return query + " WHERE false"
}
