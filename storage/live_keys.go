package storage

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/lookup"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// liveWith returns what may be live under the keys of incoming records: where these are few and can be looked up,
// exactly that; else the files whose bounds do not exclude them.
func (w modeWork) liveWith(ctx context.Context, in *incoming) (*snapshot.Snapshot, error) {
	return w.keys(in).liveRows(ctx)
}

// liveRows is liveWith for the keys that are checked.
func (k keyCheck) liveRows(ctx context.Context) (*snapshot.Snapshot, error) {
	live := k.live(k.in.bounds)
	if len(live.Data) == 0 || k.in.rows > fewKeys {
		return live, nil
	}
	if k.in.keys == nil {
		if err := k.readKeys(ctx); err != nil {
			return nil, err
		}
	}
	if found, ok := k.finder.find(ctx, live, k.in.keys); ok {
		return found, nil
	}
	return live, nil
}

// readKeys reads the keys of few incoming records.
func (k keyCheck) readKeys(ctx context.Context) error {
	batch, err := k.conn.Batch(ctx, duck.Fill(allKeys, duck.Parts{"key": keyList(k.key), "records": k.in.of(k.key)}))
	if err != nil {
		return err
	}
	defer batch.Release()
	k.in.keys = keysFrom(batch.Columns(), k.key)
	return nil
}

const allKeys = `SELECT {key} FROM {records} ORDER BY _n`

// keysIn returns the keys of records in memory. at returns the values of a column.
func (k keyCheck) keysIn(at func(id int) arrow.Array) []lookup.Key {
	arrays := make([]arrow.Array, len(k.key))
	for i, c := range k.key {
		arrays[i] = at(c.ID)
	}
	return keysFrom(arrays, k.key)
}

// keysFrom returns the keys in the arrays of the key's columns; none, if one can't be looked up.
func keysFrom(arrays []arrow.Array, key []schema.Column) []lookup.Key {
	types := make([]schema.Type, len(key))
	for i, c := range key {
		types[i] = c.Type
	}
	keys := []lookup.Key{}
	for row := range arrays[0].Len() {
		k, ok := lookup.KeyOf(arrays, types, row)
		if !ok {
			return []lookup.Key{}
		}
		keys = append(keys, k)
	}
	return keys
}
