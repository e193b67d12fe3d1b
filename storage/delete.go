package storage

import (
	"context"
	"strings"

	"rowback/storage/clientsql"
	"rowback/storage/duck"
	"rowback/storage/intake"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// delete displaces the records with the given keys, or those that a condition selects.
func (w *work) delete(ctx context.Context, c Change) (err error) {
	if c.Where != "" {
		err = w.pickByCondition(ctx, c.Where)
	} else {
		err = w.pickByKey(ctx, c.Upload)
	}
	if err != nil {
		return err
	}
	return w.writePicked(ctx)
}

// pickByKey puts the live records with the given keys into the table picked.
func (w *work) pickByKey(ctx context.Context, u intake.Upload) error {
	var only []int
	for _, c := range w.schema.KeyColumns() {
		only = append(only, c.ID)
	}
	before := w.schema
	in, err := w.read(ctx, u, only)
	if err != nil {
		return err
	}
	defer w.discard(in)
	w.schema = before // a delete changes no type: keys that don't fit are not there
	if in.rows == 0 {
		return nil
	}
	if err := w.checkKeys(ctx, in); err != nil {
		return err
	}
	live := w.liveIn(in.bounds)
	w.commit.Removed, err = w.conn.Create(ctx, duck.Fill(pickCame, w.picking(in, live)))
	w.setParam("records_not_found", in.rows-w.commit.Removed)
	return err
}

// pickByCondition puts the live records that a client's condition selects into the table picked. The condition runs in
// a sandbox, which says where the records lie.
func (w *work) pickByCondition(ctx context.Context, where string) error {
	w.setParam("where", where)
	if len(w.head.Data) == 0 {
		return nil
	}
	box, err := w.store.Filter(ctx, w.head, true, nil)
	if err != nil {
		return err
	}
	defer box.Close()
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
	_, err = w.conn.Exec(ctx, "CREATE TEMP TABLE picks AS SELECT * FROM places")
	release()
	if err != nil {
		return clientsql.Explain(err)
	}
	w.commit.Removed, err = w.conn.Create(ctx, duck.Fill(pickPlaces, duck.Parts{"live": w.head.Rows(true)}))
	return err
}

// Which live records are put into the table picked: those of the keys that came, all others, or those in places.
const (
	pickCame    = `CREATE TEMP TABLE picked AS SELECT s.* FROM ({live}) s SEMI JOIN {records} i ON {same_key}`
	pickNotCame = `CREATE TEMP TABLE picked AS SELECT s.* FROM ({live}) s ANTI JOIN {records} i ON {same_key}`
	pickPlaces  = `CREATE TEMP TABLE picked AS SELECT s.* FROM ({live}) s
		SEMI JOIN picks p ON s._file = p._file AND s._pos = p._pos`
)

// picking are the parts of pickCame and pickNotCame.
func (d *draft) picking(in *incoming, live *snapshot.Snapshot) duck.Parts {
	key := d.schema.KeyColumns()
	return duck.Parts{"live": live.Rows(true), "records": in.of(key), "same_key": sameKey(key, "i", "s")}
}

// writePicked writes the records of the table picked, which go without a successor, as a rollback file.
func (w *work) writePicked(ctx context.Context) error {
	if w.commit.Removed == 0 {
		return nil
	}
	list := make([]string, 0, len(w.schema.Columns)+2)
	for _, c := range w.schema.Stored() {
		list = append(list, schema.ColumnName(c.ID))
	}
	query := "SELECT " + strings.Join(list, ", ") + ", _commit, _file, _pos FROM picked"
	return w.write(ctx, schema.Rollback, query+inOrder("_file, _pos", w.commit.Removed), w.commit.Removed)
}
