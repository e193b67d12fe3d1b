package storage

import (
	"context"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Records that are removed, and not replaced, are in the table picked. Of wide records it has only the key and the
// place: the rest is read in slices of the columns.

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

// pick makes the table picked of the live records that one of the queries above selects, and counts them. The table
// lives as long as the commit's connection.
func (w *recordWriter) pick(ctx context.Context, query string, parts duck.Parts, live *snapshot.Snapshot) (err error) {
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

// displaced is the SQL of the picked records as they were, with some of their columns.
func displaced(picked string, columns []schema.Column) string {
	return "SELECT " + prefixed("c", columns) + ", _commit, _file, _pos FROM " + picked
}

// writePicked writes the picked records as a rollback file.
func (w *recordWriter) writePicked(ctx context.Context, live *snapshot.Snapshot) error {
	removed := w.commit.Removed
	return w.write(ctx, schema.Rollback, removed, func(columns []schema.Column) string {
		return w.displacing("c", w.picked(live, columns), removed)(columns)
	})
}
