package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/output"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// shownConflicts is how many records a conflict shows.
const shownConflicts = 20

// playRows does to the commit's rows what an action did to the source's. Where the keys that it touched are as it found
// them, down to the place, its files are linked; else its rows are compared with what is here.
func (w *work) playRows(ctx context.Context, did action) error {
	if len(did.opened)+len(did.closed) == 0 {
		return nil
	}
	r := &rowPlayer{work: w, did: did, mine: snapshot.Diff(did.before, did.after)}
	r.wide = wideEnough(w.schema, r.mine.Schema)
	r.parts, r.loaded = r.slices(), map[int]bool{}
	touched, err := r.touchesChanged(ctx)
	if err != nil {
		return err
	}
	if !touched && w.canLink(did) && len(did.renumbered) == 0 {
		w.links(did)
		return nil
	}
	err = r.rewrite(ctx)
	if duck.IsConversion(err) {
		return &conflictError{MergeConflict{Detail: "Its records have values that do not fit the types that the variables have here."}}
	}
	return err
}

// rowPlayer plays the rows of one action.
type rowPlayer struct {
	*work
	did  action
	mine *snapshot.Difference // the rows that the action displaced, and those that it added
	wide []schema.Column      // what is stored here, with types that take the source's values too: records are compared in them

	parts  [][]schema.Column // wide, in slices where the records are few
	loaded map[int]bool      // those of which there are tables
}

func (r *rowPlayer) slices() [][]schema.Column {
	if r.mine.Opened() > smallRows {
		return [][]schema.Column{r.wide}
	}
	return snapshot.InSlices(r.wide)
}

// wideEnough are the stored columns of a schema, with types that take another's values as well.
func wideEnough(s, other schema.Schema) []schema.Column {
	both, out := snapshot.CommonSchema(other, s), slices.Clone(s.Stored())
	for i, c := range out {
		if wide, ok := both.ByID(c.ID); ok {
			out[i].Type = wide.Type
		}
	}
	return out
}

// theirs is what the target has and the source had not before the action, and the other way round, where it may have
// the action's keys.
func (r *rowPlayer) theirs() *snapshot.Difference {
	bounds := r.bounds()
	now := *r.head.Within(bounds)
	now.Schema = r.schema
	return snapshot.Diff(r.did.before.Within(bounds), &now)
}

// bounds holds all keys that the action touched; nil where that is not known.
func (r *rowPlayer) bounds() *catalog.Bounds {
	order := snapshot.OrderOf(r.schema.KeyColumns()[0].Type)
	var out *catalog.Bounds
	for _, f := range r.mine.Files() {
		if f.Bounds == nil || order == snapshot.Unordered {
			return nil
		}
		out = order.Join(out, f.Bounds)
	}
	return out
}

// touchesChanged tells whether the action touched a key that is not here as the source had it before.
func (r *rowPlayer) touchesChanged(ctx context.Context) (bool, error) {
	theirs := r.theirs()
	if theirs.Empty() {
		return false, nil
	}
	key := r.schema.KeyColumns()
	var touched int64
	err := r.conn.Row(ctx, fmt.Sprintf("SELECT count(*) FROM (%s) m SEMI JOIN (%s) t ON %s",
		keysOf(r.mine, key), keysOf(theirs, key), sameKey(key, "m", "t")), &touched)
	return touched > 0, err
}

// keysOf is the SQL of the keys that differ.
func keysOf(d *snapshot.Difference, key []schema.Column) string {
	list, d := castKeys(d, key), d.Narrow(key)
	return fmt.Sprintf("SELECT %s FROM (%s) UNION ALL SELECT %s FROM (%s)", list, d.SideA(), list, d.SideB())
}

// castKeys is the key of a side, in the types that it has here.
func castKeys(d *snapshot.Difference, key []schema.Column) string {
	list := make([]string, len(key))
	for i, c := range key {
		list[i] = valueIn(d, c) + " AS " + schema.ColumnName(c.ID)
	}
	return strings.Join(list, ", ")
}

// valueIn is a column of a side as a value of c's type; null where neither state has the column.
func valueIn(d *snapshot.Difference, c schema.Column) string {
	own, ok := d.Schema.ByID(c.ID)
	if !ok {
		return "CAST(NULL AS " + c.Type.SQL() + ")"
	}
	return snapshot.Cast(own.Type, c.Type, schema.ColumnName(c.ID))
}

// rewrite compares every key that the action touched with what is here, and plays those that are as it found them. It
// makes mine (before and after the action) and theirs (now, of keys that differ), of a slice of the columns at a time, and
// the table verdicts.
func (r *rowPlayer) rewrite(ctx context.Context) error {
	if err := r.judge(ctx); err != nil {
		return err
	}
	if err := r.settleLater(ctx); err != nil {
		return err
	}
	if err := r.conflicts(ctx); err != nil {
		return err
	}
	return r.write(ctx)
}

// settleLater finds conflicts that are none in the end: what the source did to the record since has led to what is here,
// as where both sides made the same change and one of them, or a merge, brought a later one to both.
func (r *rowPlayer) settleLater(ctx context.Context) error {
	var n int64
	if err := r.conn.Row(ctx, countConflicts, &n); err != nil || n == 0 {
		return err
	}
	bounds, key, compared := r.bounds(), r.schema.KeyColumns(), r.compared()
	since := snapshot.Diff(r.did.after.Within(bounds), r.did.head.Within(bounds))
	err := r.forEach(ctx, "settled", func(columns []schema.Column) string {
		return fmt.Sprintf("SELECT %s, %s AS nf FROM theirs t JOIN (%s) s ON %s",
			qualified("t", key), equal("n", "f", columns, compared), r.pairs(since, "e", "f", columns), sameKey(key, "t", "s"))
	})
	if err != nil {
		return err
	}
	_, err = r.conn.Exec(ctx, fmt.Sprintf("UPDATE verdicts AS v SET verdict = 'same' FROM (SELECT %[1]s FROM settled GROUP BY %[1]s HAVING bool_and(nf)) s WHERE verdict = 'conflict' AND %[2]s",
		keyList(key), sameKey(key, "v", "s")))
	return err
}

const countConflicts = "SELECT count(*) FROM verdicts WHERE verdict = 'conflict'"

func (r *rowPlayer) table(ctx context.Context, name, query string) error {
	_, err := r.conn.Create(ctx, "CREATE OR REPLACE TEMP TABLE "+name+" AS "+query)
	return err
}

// pairs is the SQL of a difference joined on the key: the key, then both sides' columns with a prefix each; <prefix>_is
// tells whether the side has the key, <prefix>_commit its tag.
func (r *rowPlayer) pairs(d *snapshot.Difference, a, b string, columns []schema.Column) string {
	key := r.schema.KeyColumns()
	columns = r.schema.WithKey(columns)
	d = d.Narrow(columns)
	side := func(prefix, rows string) string {
		list := []string{"true AS " + prefix + "_is", "_commit AS " + prefix + "_commit"}
		for _, c := range columns {
			list = append(list, fmt.Sprintf("%s AS %s%d", valueIn(d, c), prefix, c.ID))
		}
		return "SELECT " + strings.Join(list, ", ") + " FROM (" + rows + ")"
	}
	var keys, on []string
	for _, c := range key {
		keys = append(keys, fmt.Sprintf("coalesce(a.%s%d, b.%s%d) AS %s", a, c.ID, b, c.ID, schema.ColumnName(c.ID)))
		on = append(on, fmt.Sprintf("a.%s%d = b.%s%d", a, c.ID, b, c.ID))
	}
	return fmt.Sprintf("SELECT %s, * FROM (%s) a FULL JOIN (%s) b ON %s", strings.Join(keys, ", "), side(a, d.SideA()), side(b, d.SideB()), strings.Join(on, " AND "))
}

// compared are the columns by which records are compared: those that both sides know, or, of an action on variables,
// those that it changed.
func (r *rowPlayer) compared() map[int]bool {
	out := map[int]bool{}
	var changed []int
	if r.did.explicit {
		changed = changedColumns(r.did.before.Schema, r.did.after.Schema)
	}
	for _, c := range r.schema.Columns {
		_, known := r.mine.Schema.ByID(c.ID)
		if known && !r.schema.IsKey(c.ID) && (!r.did.explicit || slices.Contains(changed, c.ID)) {
			out[c.ID] = true
		}
	}
	return out
}

// load makes mine and theirs views of tables with one of the slices of the columns.
func (r *rowPlayer) load(ctx context.Context, part int) error {
	mine, theirs := fmt.Sprintf("mine_%d", part), fmt.Sprintf("theirs_%d", part)
	if !r.loaded[part] {
		if err := r.table(ctx, mine, r.pairs(r.mine, "p", "q", r.parts[part])); err != nil {
			return err
		}
		if err := r.table(ctx, theirs, r.pairs(r.theirs(), "o", "n", r.parts[part])); err != nil {
			return err
		}
		r.loaded[part] = true
	}
	_, err := r.conn.Exec(ctx, fmt.Sprintf("CREATE OR REPLACE TEMP VIEW mine AS FROM %s; CREATE OR REPLACE TEMP VIEW theirs AS FROM %s", mine, theirs))
	return err
}

// forEach makes a table of the rows that a query has for each slice of the columns.
func (r *rowPlayer) forEach(ctx context.Context, name string, query func(columns []schema.Column) string) error {
	for i, columns := range r.parts {
		if err := r.load(ctx, i); err != nil {
			return err
		}
		into := "CREATE OR REPLACE TEMP TABLE " + name + " AS "
		if i > 0 {
			into = "INSERT INTO " + name + " "
		}
		if _, err := r.conn.Exec(ctx, into+query(columns)); err != nil {
			return err
		}
	}
	return nil
}

// judge makes the table verdicts: the keys that both the action and the target touched, with what becomes of them: same
// (there is nothing to do: both did the same, or the action left the record as it was), play, or conflict.
func (r *rowPlayer) judge(ctx context.Context) error {
	key, compared := r.schema.KeyColumns(), r.compared()
	err := r.forEach(ctx, "judged", func(columns []schema.Column) string {
		return fmt.Sprintf("SELECT %s, n_is, %s AS nq, %s AS pq, %s AS np FROM mine m JOIN theirs t ON %s",
			qualified("m", key), equal("n", "q", columns, compared), equal("p", "q", columns, compared), equal("n", "p", columns, compared), sameKey(key, "m", "t"))
	})
	if err != nil {
		return err
	}
	gone := "false"
	if r.did.explicit {
		gone = "any_value(n_is) IS NULL" // a value for a record that is no more
	}
	return r.table(ctx, "verdicts", fmt.Sprintf("SELECT %[1]s, CASE WHEN %[2]s OR bool_and(nq) OR bool_and(pq) THEN 'same' WHEN bool_and(np) THEN 'play' ELSE 'conflict' END AS verdict FROM judged GROUP BY %[1]s",
		keyList(key), gone))
}

// equal is the SQL that two sides are the same record in those of the columns that are compared, or both are none.
func equal(a, b string, columns []schema.Column, compared map[int]bool) string {
	conditions := []string{fmt.Sprintf("coalesce(%s_is, false) = coalesce(%s_is, false)", a, b)}
	for _, c := range columns {
		if compared[c.ID] {
			conditions = append(conditions, fmt.Sprintf("(%[1]s_is IS NULL OR %[1]s%[3]d IS NOT DISTINCT FROM %[2]s%[3]d)", a, b, c.ID))
		}
	}
	return "(" + strings.Join(conditions, " AND ") + ")"
}

// conflicts returns the conflict of records, if there is one.
func (r *rowPlayer) conflicts(ctx context.Context) error {
	var n int64
	if err := r.conn.Row(ctx, countConflicts, &n); err != nil || n == 0 {
		return err
	}
	c := MergeConflict{Count: n}
	for i := range r.parts {
		if err := r.load(ctx, i); err != nil {
			return err
		}
		some, err := r.conflicting(ctx, r.parts[i])
		if err != nil {
			return err
		}
		c.Records = extended(c.Records, some)
	}
	records := "record that it changed was"
	if n > 1 {
		records = "records that it changed were"
	}
	c.Detail = fmt.Sprintf("%d %s changed here too, to something else.", n, records)
	return &conflictError{c}
}

// conflicting returns the first records in conflict, with the loaded columns.
func (r *rowPlayer) conflicting(ctx context.Context, columns []schema.Column) (out []RecordConflict, err error) {
	key := r.schema.KeyColumns()
	err = r.conn.Rows(ctx, fmt.Sprintf("SELECT %s, %s, %s FROM (FROM verdicts WHERE verdict = 'conflict' ORDER BY %s LIMIT %d) v JOIN mine m ON %s JOIN theirs t ON %s ORDER BY %s",
		inConflict("p", columns), inConflict("q", columns), inConflict("n", columns), keyList(key), shownConflicts,
		sameKey(key, "v", "m"), sameKey(key, "v", "t"), qualified("v", key)), func(scan duck.Scan) error {
		var before, after, now *string
		err := scan(&before, &after, &now)
		out = append(out, RecordConflict{Before: raw(before), After: raw(after), Now: raw(now)})
		return err
	})
	return out, err
}

// inConflict is the SQL of some columns of one side of a conflict as a JSON object; null where there is no record.
func inConflict(side string, columns []schema.Column) string {
	value := func(c schema.Column) string { return fmt.Sprintf("%s%d", side, c.ID) }
	return fmt.Sprintf("CASE WHEN %s_is THEN %s END", side, output.Record(columns, value))
}

// extended adds the fields of the same records in another slice.
func extended(records, more []RecordConflict) []RecordConflict {
	if records == nil {
		return more
	}
	for i, m := range more {
		r := &records[i]
		r.Before, r.After, r.Now = joinObjects(r.Before, m.Before), joinObjects(r.After, m.After), joinObjects(r.Now, m.Now)
	}
	return records
}

// joinObjects adds the fields of a JSON object to another; both are null, or neither.
func joinObjects(a, b json.RawMessage) json.RawMessage {
	if string(a) == "null" {
		return a
	}
	return slices.Concat(a[:len(a)-1], json.RawMessage(","), b[1:])
}

func raw(text *string) json.RawMessage {
	if text == nil {
		return json.RawMessage("null")
	}
	return json.RawMessage(*text)
}

// write makes the commit's files: the records as the action left them, in the place of those that are here. Columns that
// the source does not know, or the action on variables did not change, keep their values.
func (r *rowPlayer) write(ctx context.Context) error {
	live := r.liveIn(r.bounds())
	if len(r.parts) == 1 {
		changed, err := r.change(ctx, live, 0)
		if err != nil {
			return err
		}
		return r.writeChanges(ctx, changed)
	}
	var after, before []arrow.RecordBatch
	defer func() { releaseAll(after); releaseAll(before) }()
	for i, columns := range r.parts {
		if _, err := r.change(ctx, live, i); err != nil {
			return err
		}
		batch, err := r.conn.Batch(ctx, recordsAfter(columns)+" ORDER BY _n")
		if err != nil {
			return err
		}
		after = append(after, batch)
		if batch, err = r.conn.Batch(ctx, r.recordsBefore(columns)+" ORDER BY _file, _pos"); err != nil {
			return err
		}
		before = append(before, batch)
	}
	return r.writeBeside(ctx, after, before)
}

// change makes the tables changes and picked, as writeChanges wants them, with one of the slices of the columns.
func (r *rowPlayer) change(ctx context.Context, live *snapshot.Snapshot, part int) (changed int64, err error) {
	if err := r.load(ctx, part); err != nil {
		return 0, err
	}
	key := r.schema.KeyColumns()
	if err := r.table(ctx, "playing", fmt.Sprintf("SELECT * FROM mine m ANTI JOIN (FROM verdicts WHERE verdict = 'same') v ON %s", sameKey(key, "m", "v"))); err != nil {
		return 0, err
	}
	if err := r.table(ctx, "picked", fmt.Sprintf("SELECT s.* FROM (%s) s SEMI JOIN (FROM playing WHERE q_is IS NULL) i ON %s", live.Narrow(r.parts[part]).Rows(true), sameKey(key, "i", "s"))); err != nil {
		return 0, err
	}
	if err := r.table(ctx, "changes", r.changes(live, r.parts[part])); err != nil {
		return 0, err
	}
	if err := r.conn.Row(ctx, "SELECT count(*), count(_pos), (SELECT count(*) FROM picked) FROM changes", &changed, &r.commit.Modified, &r.commit.Removed); err != nil {
		return 0, err
	}
	r.commit.Added = changed - r.commit.Modified
	return changed, nil
}

// changes is the SQL of the records that the action left, with those that are here, as writeChanges wants them.
func (r *rowPlayer) changes(live *snapshot.Snapshot, columns []schema.Column) string {
	key, known := r.schema.KeyColumns(), r.compared()
	var after, before []string
	for _, wide := range columns {
		c, _ := r.schema.ByID(wide.ID)
		value := snapshot.Cast(wide.Type, c.Type, fmt.Sprintf("i.q%d", c.ID))
		if !known[c.ID] && !r.schema.IsKey(c.ID) {
			value = "s." + schema.ColumnName(c.ID)
		}
		after = append(after, fmt.Sprintf("%s AS a%d", value, c.ID))
		before = append(before, fmt.Sprintf("s.%s AS b%d", schema.ColumnName(c.ID), c.ID))
	}
	return fmt.Sprintf("SELECT %s, i.q_commit AS a_commit, %s, s._commit AS b_commit, s._file, s._pos, row_number() OVER (ORDER BY %s) AS _n FROM (FROM playing WHERE q_is) i LEFT JOIN (%s) s ON %s",
		strings.Join(after, ", "), strings.Join(before, ", "), qualified("i", key), live.Narrow(columns).Rows(true), sameKey(key, "i", "s"))
}

func qualified(table string, columns []schema.Column) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = table + "." + schema.ColumnName(c.ID)
	}
	return strings.Join(list, ", ")
}
