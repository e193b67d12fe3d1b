package storage

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"rowback/storage/catalog"
	"rowback/storage/clientsql"
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
	if in.batch != nil && w.schema.Keyed() {
		if err := w.checkFew(ctx, in); err != nil {
			return err
		}
	} else if w.schema.Keyed() || in.has(schema.RowID) {
		if in.path == "" {
			w.numberTable(in)
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

// numberTable makes _id complete in a table of records of which some brought one.
func (w *work) numberTable(in *incoming) {
	if w.schema.Keyed() {
		return
	}
	id := schema.ColumnName(schema.RowID)
	in.relation = fmt.Sprintf("(SELECT * REPLACE (coalesce(%s, %d + _n) AS %s) FROM incoming)", id, max(w.firstRow(), in.brought+1), id)
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

// add makes all incoming records a data file: the file they lie in, if they do, else a new one.
func (w *work) add(ctx context.Context, in *incoming) error {
	if in.rows == 0 {
		return nil
	}
	if in.path != "" {
		return w.adopt(ctx, in)
	}
	if in.batch != nil {
		return w.writeBatch(ctx, schema.Data, in.batch)
	}
	list := make([]string, 0, len(w.schema.Columns)+2)
	for _, c := range w.schema.Stored() {
		switch {
		case in.has(c.ID):
			list = append(list, schema.ColumnName(c.ID))
		case c.ID == schema.RowID:
			list = append(list, fmt.Sprintf("%d + _n", w.firstRowOf(in)))
		default:
			list = append(list, "CAST(NULL AS "+c.Type.SQL()+")")
		}
	}
	list = append(list, fmt.Sprintf("CAST(%d AS BIGINT)", w.commit.Tag))
	return w.write(ctx, schema.Data, "SELECT "+strings.Join(list, ", ")+" FROM "+in.relation+" ORDER BY _n", in.rows)
}

// firstRowOf is the number of the first incoming record, once gaveRows has counted them.
func (w *work) firstRowOf(in *incoming) int64 { return w.family.lastRow.Load() - in.rows + 1 }

// adopt makes the file that the records lie in a file of the commit.
func (w *work) adopt(ctx context.Context, in *incoming) error {
	name := w.fileName(schema.Data)
	if err := w.batch.Adopt(name, in.path); err != nil {
		return err
	}
	path := w.store.blobs.Path(w.batch.Key(name))
	in.path = ""
	bounds := in.bounds
	if !w.schema.Keyed() && !in.has(schema.RowID) {
		first := w.firstRowOf(in)
		bounds = &catalog.Bounds{Least: fmt.Sprint(first), Greatest: fmt.Sprint(first + in.rows - 1)}
	}
	return w.takeFile(ctx, schema.Data, path, in.rows, bounds, in.sum)
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

// changes is the SQL that joins some columns of the incoming records with those of the live ones of the same keys: after
// the commit as a<id>, then _commit as a_commit; before it as b<id>, b_commit, _file and _pos, which are null for new
// ones; last _n. differs is the condition that a record is new, or one of the columns differs.
func (w *work) changes(in *incoming, live *snapshot.Snapshot, columns []schema.Column) (rows, differs string) {
	key := w.schema.KeyColumns()
	var after, before, or []string
	for _, c := range columns {
		after = append(after, fmt.Sprintf("%s AS a%d", w.after(in, c), c.ID))
		before = append(before, fmt.Sprintf("s.%s AS b%d", schema.ColumnName(c.ID), c.ID))
		if !w.schema.IsKey(c.ID) {
			or = append(or, fmt.Sprintf("a%d IS DISTINCT FROM b%d", c.ID, c.ID))
		}
	}
	or = append(or, "_pos IS NULL")
	return fmt.Sprintf(`SELECT %s, CAST(%d AS BIGINT) AS a_commit, %s, s._commit AS b_commit, s._file, s._pos, i._n
		FROM %s LEFT JOIN (%s) s ON %s`,
		strings.Join(after, ", "), w.commit.Tag, strings.Join(before, ", "), in.withFields(w.schema.WithKey(columns)), live.Narrow(columns).Rows(true), sameKey(key, "i", "s")), strings.Join(or, " OR ")
}

// after is the value that a column has after the commit, in a record that came as i and was live as s, or was not.
func (w *work) after(in *incoming, c schema.Column) string {
	came := in.has(c.ID)
	switch {
	case came && (w.commit.Mode != catalog.Upsert || w.schema.IsKey(c.ID)):
		return "i." + schema.ColumnName(c.ID)
	case came:
		return in.merge(c)
	case w.commit.Mode != catalog.Upsert:
		return "CAST(NULL AS " + c.Type.SQL() + ")"
	}
	return "s." + schema.ColumnName(c.ID)
}

// rewriteFew writes the new records as a data file and those they displace as a rollback file, from memory: the changes,
// in slices of the columns, those with a live record first.
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
func (w *work) recordsBefore(columns []schema.Column) string {
	query := "SELECT " + prefixed("b", columns) + ", b_commit, _file, _pos FROM changes WHERE _pos IS NOT NULL"
	if w.commit.Removed > 0 {
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
	if err != nil || w.commit.Removed == 0 {
		return err
	}
	list := make([]string, 0, len(w.schema.Columns)+2)
	for _, c := range w.schema.Stored() {
		list = append(list, schema.ColumnName(c.ID))
	}
	return w.write(ctx, schema.Rollback, "SELECT "+strings.Join(list, ", ")+", _commit, _file, _pos FROM picked"+inOrder("_file, _pos", w.commit.Removed), w.commit.Removed)
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
	w.commit.Removed, err = w.conn.Create(ctx, fmt.Sprintf("CREATE TEMP TABLE picked AS SELECT s.* FROM (%s) s SEMI JOIN %s i ON %s",
		live.Rows(true), in.of(w.schema.KeyColumns()), sameKey(w.schema.KeyColumns(), "i", "s")))
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
	w.commit.Removed, err = w.conn.Create(ctx, fmt.Sprintf("CREATE TEMP TABLE picked AS SELECT s.* FROM (%s) s SEMI JOIN picks p ON s._file = p._file AND s._pos = p._pos",
		w.head.Rows(true)))
	return err
}
