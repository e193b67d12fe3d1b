package storage

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"rowback/storage/catalog"
	"rowback/storage/clientsql"
	"rowback/storage/duck"
	"rowback/storage/intake"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// append adds records (design, section 3). None of their keys may be live.
func (w *work) append(ctx context.Context, u intake.Upload) error {
	in, err := w.read(ctx, u, nil)
	if err != nil {
		return err
	}
	defer w.discard(in)
	if batch, ok := in.kept.(keptBatch); ok && w.schema.Keyed() {
		if err := w.checkFew(ctx, in, batch); err != nil {
			return err
		}
	} else if w.schema.Keyed() || in.has(schema.RowID) {
		if table, ok := in.kept.(*keptTable); ok && !w.schema.Keyed() {
			table.firstID = max(w.firstRow(), in.brought+1)
		}
		if err := w.checkKeys(ctx, in); err != nil {
			return err
		}
		if err := w.checkNew(ctx, in); err != nil {
			return err
		}
	}
	w.commit.Added = in.rows
	w.gaveRows(in)
	return w.add(ctx, in)
}

// gaveRows records the row numbers that this commit's records have, given or brought.
func (w *work) gaveRows(in *incoming) {
	if w.schema.Keyed() || in.rows == 0 {
		return
	}
	last := max(w.firstRow()-1, in.brought)
	if w.commit.Mode == catalog.Append {
		last += in.rows
	}
	w.family.lastRow.Store(last)
}

// add makes all incoming records a data file.
func (w *work) add(ctx context.Context, in *incoming) error {
	if in.rows == 0 {
		return nil
	}
	return in.kept.add(ctx, w, in)
}

// replace overwrites or upserts records (design, section 3). Records that would stay as they are, stay where they are.
func (w *work) replace(ctx context.Context, u intake.Upload) error {
	in, err := w.read(ctx, u, nil)
	if err != nil {
		return err
	}
	defer w.discard(in)
	if err := w.checkKeys(ctx, in); err != nil {
		return err
	}
	w.gaveRows(in)
	if in.rows == 0 {
		return nil
	}
	live := w.liveIn(in.bounds)
	if len(live.Data) == 0 && !in.keepsText(w.commit.Mode) {
		w.commit.Added = in.rows
		return w.add(ctx, in)
	}
	if err := w.findFields(ctx, in); err != nil {
		return err
	}
	if in.rows <= smallRows {
		parts, err := w.fewChanges(ctx, in, live)
		if err != nil {
			return err
		}
		defer releaseAll(parts)
		return w.rewriteFew(ctx, parts)
	}
	rows, differs := w.changes(in, live, w.schema.Stored())
	return w.rewriteMany(ctx, "SELECT * FROM ("+rows+") WHERE "+differs)
}

// fewChanges returns the changes that differ, those with a live record first, in slices of the columns.
func (w *work) fewChanges(ctx context.Context, in *incoming, live *snapshot.Snapshot) ([]arrow.RecordBatch, error) {
	const order = " ORDER BY _pos IS NULL, _n"
	stored := w.schema.Stored()
	if len(stored) <= snapshot.SliceColumns {
		rows, differs := w.changes(in, live, stored)
		query := "SELECT * FROM (" + rows + ") WHERE " + differs
		if in.rows > 1 {
			query += order
		}
		return w.batches(ctx, func([]schema.Column) string { return query })
	}
	parts, err := w.batches(ctx, func(columns []schema.Column) string {
		rows, differs := w.changes(in, live, columns)
		return "SELECT *, " + differs + " AS _differs FROM (" + rows + ")" + order
	})
	if err != nil {
		return nil, err
	}
	return different(parts)
}

// changes is the SQL that joins some columns of the incoming records with those of the live ones of the same keys:
// after the commit as a<id>, then _commit as a_commit; before it as b<id>, b_commit, _file and _pos, which are null for
// new ones; last _n. differs is the condition that a record is new, or one of the columns differs.
func (d *draft) changes(in *incoming, live *snapshot.Snapshot, columns []schema.Column) (rows, differs string) {
	key := d.schema.KeyColumns()
	var after, before, or []string
	for _, c := range columns {
		after = append(after, fmt.Sprintf("%s AS a%d", d.after(in, c), c.ID))
		before = append(before, fmt.Sprintf("s.%s AS b%d", schema.ColumnName(c.ID), c.ID))
		if !d.schema.IsKey(c.ID) {
			or = append(or, fmt.Sprintf("a%d IS DISTINCT FROM b%d", c.ID, c.ID))
		}
	}
	or = append(or, "_pos IS NULL")
	rows = duck.Fill(joinLive, duck.Parts{
		"after": strings.Join(after, ", "), "tag": d.commit.Tag, "before": strings.Join(before, ", "),
		"records": in.withFields(d.schema.WithKey(columns)), "live": live.Narrow(columns).Rows(true),
		"same_key": sameKey(key, "i", "s"),
	})
	return rows, strings.Join(or, " OR ")
}

const joinLive = `SELECT {after}, CAST({tag} AS BIGINT) AS a_commit,
	{before}, s._commit AS b_commit, s._file, s._pos, i._n
	FROM {records} LEFT JOIN ({live}) s ON {same_key}`

// after is the value that a column has after the commit, in a record that came as i and was live as s, or was not.
func (d *draft) after(in *incoming, c schema.Column) string {
	came := in.has(c.ID)
	switch {
	case came && (d.commit.Mode != catalog.Upsert || d.schema.IsKey(c.ID)):
		return "i." + schema.ColumnName(c.ID)
	case came:
		return in.merge(c)
	case d.commit.Mode != catalog.Upsert:
		return "CAST(NULL AS " + c.Type.SQL() + ")"
	}
	return "s." + schema.ColumnName(c.ID)
}

// rewriteFew writes the new records as a data file and those they displace as a rollback file, from memory: the
// changes, in slices of the columns, those with a live record first.
func (w *work) rewriteFew(ctx context.Context, changes []arrow.RecordBatch) error {
	sizes := w.sizes()
	rows := changes[0].NumRows()
	places := changes[0].Column(2*sizes[0] + 3)
	w.commit.Modified = rows - int64(places.NullN())
	w.commit.Added = int64(places.NullN())
	if rows == 0 {
		return nil
	}
	after := beside(changes, sizes, func(int) int { return 0 }, 1, rows)
	defer after.Release()
	if err := w.writeBatch(ctx, schema.Data, after); err != nil || w.commit.Modified == 0 {
		return err
	}
	before := beside(changes, sizes, func(size int) int { return size + 1 }, 3, w.commit.Modified)
	defer before.Release()
	return w.writeBatch(ctx, schema.Rollback, before)
}

// rewriteMany does the same through a table, which may lie on disk.
func (w *work) rewriteMany(ctx context.Context, changes string) error {
	changed, err := w.conn.Create(ctx, "CREATE TEMP TABLE changes AS "+changes)
	if err != nil || changed == 0 {
		return err
	}
	if err := w.conn.Row(ctx, "SELECT count(_pos) FROM changes", &w.commit.Modified); err != nil {
		return err
	}
	w.commit.Added = changed - w.commit.Modified
	return w.writeChanges(ctx, changed)
}

// writeChanges writes what the table changes holds, and, where records go without a successor, the table picked.
func (w *work) writeChanges(ctx context.Context, changed int64) error {
	stored := w.schema.Stored()
	if changed > 0 {
		if err := w.write(ctx, schema.Data, recordsAfter(stored)+inOrder("_n", changed), changed); err != nil {
			return err
		}
	}
	displaced := w.commit.Modified + w.commit.Removed
	if displaced == 0 {
		return nil
	}
	return w.write(ctx, schema.Rollback, w.recordsBefore(stored)+inOrder("_file, _pos", displaced), displaced)
}

// recordsAfter is the SQL of the records of the table changes as they are after the commit.
func recordsAfter(columns []schema.Column) string {
	return "SELECT " + prefixed("a", columns) + ", a_commit FROM changes"
}

// recordsBefore is the SQL of the records that the commit displaces, as they were.
func (d *draft) recordsBefore(columns []schema.Column) string {
	query := "SELECT " + prefixed("b", columns) + ", b_commit, _file, _pos FROM changes WHERE _pos IS NOT NULL"
	if d.commit.Removed > 0 {
		query += " UNION ALL SELECT " + prefixed("c", columns) + ", _commit, _file, _pos FROM picked"
	}
	return query
}

func prefixed(prefix string, columns []schema.Column) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = fmt.Sprintf("%s%d", prefix, c.ID)
	}
	return strings.Join(list, ", ")
}

// inOrder sorts what is cheap to sort.
func inOrder(by string, rows int64) string {
	if rows > 1_000_000 {
		return ""
	}
	return " ORDER BY " + by
}

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
