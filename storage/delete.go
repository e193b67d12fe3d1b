package storage

import (
	"context"

	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
)

// delete displaces the records with the given keys, or those that a condition selects.
func (w modeWork) delete(ctx context.Context, c Change) (err error) {
	var live *snapshot.Snapshot
	if c.Where != "" {
		live = w.head
		err = w.pickByCondition(ctx, c.Where)
	} else {
		// Only the files whose bounds may hold the keys are searched.
		live, err = w.pickByKey(ctx, c.Upload)
	}
	if err != nil {
		return err
	}
	return w.writer.writePicked(ctx, live)
}

// pickByKey picks the live records with the given keys, and returns where they may lie.
func (w modeWork) pickByKey(ctx context.Context, u intake.Upload) (live *snapshot.Snapshot, err error) {
	var only []int
	for _, c := range w.schema.KeyColumns() {
		only = append(only, c.ID)
	}
	before := w.schema
	in, err := w.read(ctx, u, only)
	if err != nil {
		return nil, err
	}
	defer in.discard(w.staging)
	w.schema = before // a delete changes no type: keys that don't fit are not there
	if in.rows == 0 {
		return nil, nil
	}
	if err := w.keys(in).check(ctx); err != nil {
		return nil, err
	}
	if live, err = w.liveWith(ctx, in); err != nil {
		return nil, err
	}
	err = w.writer.pick(ctx, pickCame, w.picking(in), live)
	// Not an error: a delete that is sent twice has nothing left to do.
	w.setParam("records_not_found", in.rows-w.commit.Removed)
	return live, err
}

// pickByCondition picks the live records that a client's condition selects. The condition runs in
// a sandbox, which says where the records lie.
func (w modeWork) pickByCondition(ctx context.Context, where string) error {
	w.setParam("where", where)
	if len(w.head.Data) == 0 {
		return nil
	}
	// A client's SQL never runs where commits do: what kills or fills the one instance leaves the other as it was.
	box, err := w.store.Filter(ctx, w.head, true, nil)
	if err != nil {
		return err
	}
	defer box.Close()
	// Before it is put into a statement of ours, which it must not be able to leave.
	if err := clientsql.CheckCondition(ctx, box, where); err != nil {
		return err
	}
	places, err := box.Stream(ctx, "SELECT _file, _pos FROM records WHERE ("+where+"\n)")
	if err != nil {
		return clientsql.Explain(err)
	}
	defer places.Close()
	stream := places.Records()
	release, err := w.conn.View(ctx, "places", stream)
	if err != nil {
		return err
	}
	// As a table, since the stream can be read once.
	_, err = w.conn.Exec(ctx, "CREATE TEMP TABLE picks AS SELECT * FROM places")
	release()
	if err != nil {
		return clientsql.Explain(err)
	}
	return w.writer.pick(ctx, pickPlaces, duck.Parts{}, w.head)
}
