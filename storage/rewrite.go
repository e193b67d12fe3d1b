package storage

import (
	"context"
	"fmt"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// recordWriter writes the records that a commit changes: as they are after it to a data file, and those that it
// displaces to a rollback file. It notes what becomes of their values meanwhile.
type recordWriter struct {
	fileWriter
	noted
}

// changes is the SQL that joins some columns of the incoming records with those of the live ones of the same keys:
// after the commit as a<id>, then _commit as a_commit; before it as b<id>, b_commit, _file and _pos, which are null for
// new ones; last _n. differs is the condition that a record is new, or one of the columns differs. Only files that may
// hold one of the keys are joined.
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
		"after": strings.Join(after, ", "), "tag": d.commit.RowTag, "before": strings.Join(before, ", "),
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

// rewriteMany does what rewriteFew does through tables, which may lie on disk, in slices of the columns. picked is the
// SQL of the picked records, with some of the columns, if there are any.
func (w *recordWriter) rewriteMany(
	ctx context.Context, in *incoming, live *snapshot.Snapshot, picked func([]schema.Column) string,
) error {
	if w.isSliced() {
		if err := w.findDiffering(ctx, in, live); err != nil {
			return err
		}
	}
	return w.writeChanges(ctx, func(_ int, columns []schema.Column) error {
		rows, differs := w.changes(in, live, columns)
		if w.isSliced() {
			differs = "_n IN (SELECT _n FROM differing)"
		}
		_, err := w.conn.Create(ctx, "CREATE OR REPLACE TEMP TABLE changes AS SELECT * FROM ("+rows+") WHERE "+differs)
		return err
	}, picked)
}

// findDiffering makes the table differing of the numbers of the records that differ in any slice. Where all of them do,
// the other slices are not read for it.
func (w *recordWriter) findDiffering(ctx context.Context, in *incoming, live *snapshot.Snapshot) error {
	if _, err := w.conn.Exec(ctx, "CREATE TEMP TABLE differing (_n BIGINT)"); err != nil {
		return err
	}
	left := in.rows
	for _, columns := range w.slices() {
		rows, differs := w.changes(in, live, columns)
		more, err := w.conn.Exec(ctx, duck.Fill(insertDiffering, duck.Parts{"rows": rows, "differs": differs}))
		if err != nil {
			return err
		}
		if left -= more; left == 0 {
			break
		}
	}
	return nil
}

const insertDiffering = `INSERT INTO differing SELECT _n FROM ({rows})
	WHERE ({differs}) AND _n NOT IN (SELECT _n FROM differing)`

// writeChanges writes the records of the table changes as a data file, and those that they displace, with the picked
// ones, as a rollback file. fill makes the table, with a slice of the columns.
func (w *recordWriter) writeChanges(
	ctx context.Context, fill func(part int, columns []schema.Column) error, picked func([]schema.Column) string,
) error {
	data := &slicedFile{fileWriter: &w.fileWriter, kind: schema.Data}
	rollback := &slicedFile{fileWriter: &w.fileWriter, kind: schema.Rollback}
	defer data.discard()
	defer rollback.discard()
	for i, columns := range w.slices() {
		if err := fill(i, columns); err != nil {
			return err
		}
		err := w.conn.Row(ctx, "SELECT count(*), count(_pos) FROM changes", &data.rows, &w.commit.Modified)
		if err != nil {
			return err
		}
		// Every slice finds the same rows, so the counts are the same each time.
		w.commit.Added, rollback.rows = data.rows-w.commit.Modified, w.commit.Modified+w.commit.Removed
		if err := w.noted.rows(ctx, w.conn, columns, "b", "a", "changes WHERE _pos IS NOT NULL"); err != nil {
			return err
		}
		if err := data.add(ctx, columns, w.recordsAfter(data.rows)); err != nil {
			return err
		}
		before := recordsBefore(columns)
		if w.commit.Removed > 0 {
			before += " UNION ALL " + displaced(picked(columns), columns)
		}
		if err := rollback.add(ctx, columns, w.displacing("b", "("+before+")", rollback.rows)); err != nil {
			return err
		}
	}
	if err := data.finish(ctx); err != nil {
		return err
	}
	return rollback.finish(ctx)
}

// recordsAfter is the SQL of the records of the table changes as they are after the commit.
func (d *draft) recordsAfter(rows int64) func([]schema.Column) string {
	return func(columns []schema.Column) string {
		return "SELECT " + prefixed("a", columns) + " FROM changes" + d.inOrder("_n", rows)
	}
}

// recordsBefore is the SQL of those that the commit displaces, as they were.
func recordsBefore(columns []schema.Column) string {
	return "SELECT " + prefixed("b", columns) + ", b_commit, _file, _pos FROM changes WHERE _pos IS NOT NULL"
}

// displacing is the SQL of the rows of a rollback file. from is that of the records, as they were.
func (d *draft) displacing(prefix, from string, rows int64) func([]schema.Column) string {
	return func(columns []schema.Column) string {
		return "SELECT " + prefixed(prefix, columns) + " FROM " + from + d.inOrder("_file, _pos", rows)
	}
}

// prefixed lists columns of a file by the names that they have in a relation: <prefix><id>, as c<id> in snapshots.
func prefixed(prefix string, columns []schema.Column) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		switch c.ID {
		case schema.CommitID:
			list[i] = strings.TrimPrefix(prefix, "c") + schema.CommitColumn
		case schema.FileID, schema.PosID:
			list[i] = c.Name
		default:
			list[i] = fmt.Sprintf("%s%d", prefix, c.ID)
		}
	}
	return strings.Join(list, ", ")
}

// inOrder sorts what is cheap to sort, and what is written in slices: these must have the same order.
func (d *draft) inOrder(by string, rows int64) string {
	if rows > snapshot.Sortable && !d.isSliced() {
		return ""
	}
	return " ORDER BY " + by
}
