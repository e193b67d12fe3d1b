package storage

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"rowback/storage/duck"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// Records that go without a successor are in the table picked. Of wide records it has only the key and the place: the
// rest is read in slices of the columns.

// Which live records are picked: all, those of the keys that came, all others, or those in places.
const (
	pickAll     = `CREATE TEMP TABLE picked AS SELECT s.* FROM ({live}) s`
	pickCame    = `CREATE TEMP TABLE picked AS SELECT s.* FROM ({live}) s SEMI JOIN {records} i ON {same_key}`
	pickNotCame = `CREATE TEMP TABLE picked AS SELECT s.* FROM ({live}) s ANTI JOIN {records} i ON {same_key}`
	pickPlaces  = `CREATE TEMP TABLE picked AS SELECT s.* FROM ({live}) s
		SEMI JOIN picks p ON s._file = p._file AND s._pos = p._pos`
	readPicked = `(SELECT s.* FROM ({live}) s SEMI JOIN picked p ON s._file = p._file AND s._pos = p._pos)`
)

// picking are the parts of pickCame and pickNotCame, but for the live records.
func (d *draft) picking(in *incoming) duck.Parts {
	key := d.schema.KeyColumns()
	return duck.Parts{"records": in.of(key), "same_key": sameKey(key, "i", "s")}
}

// pick makes the table picked of the live records that one of the queries above selects, and counts them.
func (w *work) pick(ctx context.Context, query string, parts duck.Parts, live *snapshot.Snapshot) (err error) {
	if w.isSliced() {
		live = live.Narrow(w.schema.KeyColumns())
	}
	parts["live"] = live.Rows(true)
	w.commit.Removed, err = w.conn.Create(ctx, duck.Fill(query, parts))
	return err
}

// picked is the SQL of the picked records, with some of their columns. They were picked from live.
func (d *draft) picked(live *snapshot.Snapshot, columns []schema.Column) string {
	if !d.isSliced() {
		return "picked"
	}
	return duck.Fill(readPicked, duck.Parts{"live": live.Narrow(columns).Rows(true)})
}

// displacing is the SQL of the picked records as the rows of a rollback file, with some of their columns.
func displacing(picked string, columns []schema.Column) string {
	return "SELECT " + prefixed("c", columns) + ", _commit, _file, _pos FROM " + picked
}

// pickedFew returns the picked records in slices of the columns; nil where there are none.
func (w *work) pickedFew(ctx context.Context, live *snapshot.Snapshot) ([]arrow.RecordBatch, error) {
	if w.commit.Removed == 0 {
		return nil, nil
	}
	return w.batches(ctx, func(columns []schema.Column) string {
		return displacing(w.picked(live, columns), columns) + " ORDER BY _file, _pos"
	})
}

// writePicked writes the picked records as a rollback file.
func (w *work) writePicked(ctx context.Context, live *snapshot.Snapshot) error {
	removed, stored := w.commit.Removed, w.schema.Stored()
	if removed > smallRows {
		query := displacing(w.picked(live, stored), stored) + inOrder("_file, _pos", removed)
		return w.write(ctx, schema.Rollback, query, removed)
	}
	gone, err := w.pickedFew(ctx, live)
	if err != nil || len(gone) == 0 {
		return err
	}
	defer releaseAll(gone)
	return w.writeSlices(ctx, schema.Rollback, gone, 3)
}
