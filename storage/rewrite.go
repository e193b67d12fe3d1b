package storage

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// fewChanges returns the changes that differ, those with a live record first, in slices of the columns.
func (w *work) fewChanges(ctx context.Context, in *incoming, live *snapshot.Snapshot) ([]arrow.RecordBatch, error) {
	const order = " ORDER BY _pos IS NULL, _n"
	if !w.isSliced() {
		rows, differs := w.changes(in, live, w.schema.Stored())
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
// changes, in slices of the columns, those with a live record first. gone are the picked records; nil: none.
func (w *work) rewriteFew(ctx context.Context, changes, gone []arrow.RecordBatch) error {
	sizes := w.sizes()
	rows := changes[0].NumRows()
	places := changes[0].Column(2*sizes[0] + 3)
	w.commit.Modified = rows - int64(places.NullN())
	w.commit.Added = int64(places.NullN())
	if rows > 0 {
		after := beside(changes, sizes, fromFirst, 1, rows)
		defer after.Release()
		if err := w.writeBatch(ctx, schema.Data, after); err != nil {
			return err
		}
	}
	var before []arrow.RecordBatch
	defer func() { releaseAll(before) }()
	if w.commit.Modified > 0 {
		before = append(before, beside(changes, sizes, func(size int) int { return size + 1 }, 3, w.commit.Modified))
	}
	if len(gone) > 0 {
		before = append(before, beside(gone, sizes, fromFirst, 3, w.commit.Removed))
	}
	return w.displace(ctx, before)
}

// displace writes batches of records, as they were, as one rollback file.
func (w *work) displace(ctx context.Context, batches []arrow.RecordBatch) error {
	if len(batches) == 0 {
		return nil
	}
	all, err := duck.Concat(batches[0].Schema(), batches)
	if err != nil {
		return err
	}
	defer all.Release()
	return w.writeBatch(ctx, schema.Rollback, all)
}

// rewriteMany does the same through a table, which may lie on disk. picked is the SQL of the picked records, if there
// are any.
func (w *work) rewriteMany(ctx context.Context, changes, picked string) error {
	changed, err := w.conn.Create(ctx, "CREATE TEMP TABLE changes AS "+changes)
	if err != nil {
		return err
	}
	if err := w.conn.Row(ctx, "SELECT count(_pos) FROM changes", &w.commit.Modified); err != nil {
		return err
	}
	w.commit.Added = changed - w.commit.Modified
	return w.writeChanges(ctx, changed, picked)
}

// writeChanges writes what the table changes holds, and, where records go without a successor, those that were picked.
func (w *work) writeChanges(ctx context.Context, changed int64, picked string) error {
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
	return w.write(ctx, schema.Rollback, w.recordsBefore(stored, picked)+inOrder("_file, _pos", displaced), displaced)
}

// recordsAfter is the SQL of the records of the table changes as they are after the commit.
func recordsAfter(columns []schema.Column) string {
	return "SELECT " + prefixed("a", columns) + ", a_commit FROM changes"
}

// recordsBefore is the SQL of the records that the commit displaces, as they were.
func (d *draft) recordsBefore(columns []schema.Column, picked string) string {
	query := "SELECT " + prefixed("b", columns) + ", b_commit, _file, _pos FROM changes WHERE _pos IS NOT NULL"
	if d.commit.Removed > 0 {
		query += " UNION ALL " + displacing(picked, columns)
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
