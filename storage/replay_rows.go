package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/output"
	"rowback/storage/schema"
)

// shownConflicts is how many records a conflict shows.
const shownConflicts = 20

// playRows does to the commit's rows what an action did to the source's. Where the keys that it touched are as it found
// them, down to the place, its files are linked; else its rows are compared with what is here.
func (w *work) playRows(ctx context.Context, did action) error {
	if len(did.opened)+len(did.closed) == 0 {
		return nil
	}
	r := rowPlayer{work: w, did: did, mine: Diff(did.before, did.after)}
	r.wide = wideEnough(w.schema, r.mine.Schema)
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
	mine *Difference     // the rows that the action displaced, and those that it added
	wide []schema.Column // what is stored here, with types that take the source's values too: records are compared in them
}

// wideEnough are the stored columns of a schema, with types that take another's values as well.
func wideEnough(s, other schema.Schema) []schema.Column {
	both, out := commonSchema(other, s), slices.Clone(s.Stored())
	for i, c := range out {
		if wide, ok := both.ByID(c.ID); ok {
			out[i].Type = wide.Type
		}
	}
	return out
}

// theirs is what the target has and the source had not before the action, and the other way round, where it may have
// the action's keys.
func (r rowPlayer) theirs() *Difference {
	bounds := r.bounds()
	now := *r.head.within(bounds)
	now.Schema = r.schema
	return Diff(r.did.before.within(bounds), &now)
}

// bounds holds all keys that the action touched; nil where that is not known.
func (r rowPlayer) bounds() *catalog.Bounds {
	order := orderOf(r.schema.KeyColumns()[0].Type)
	var out *catalog.Bounds
	for _, f := range r.mine.Files() {
		if f.Bounds == nil || order == unordered {
			return nil
		}
		out = order.join(out, f.Bounds)
	}
	return out
}

// touchesChanged tells whether the action touched a key that is not here as the source had it before.
func (r rowPlayer) touchesChanged(ctx context.Context) (bool, error) {
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
func keysOf(d *Difference, key []schema.Column) string {
	list := castKeys(d, key)
	return fmt.Sprintf("SELECT %s FROM (%s) UNION ALL SELECT %s FROM (%s)", list, d.SideA(), list, d.SideB())
}

// castKeys is the key of a side, in the types that it has here.
func castKeys(d *Difference, key []schema.Column) string {
	list := make([]string, len(key))
	for i, c := range key {
		list[i] = d.value(c) + " AS " + columnName(c.ID)
	}
	return strings.Join(list, ", ")
}

// value is a column of a side as a value of c's type; null where neither state has the column.
func (d *Difference) value(c schema.Column) string {
	own, ok := d.Schema.ByID(c.ID)
	if !ok {
		return "CAST(NULL AS " + c.Type.SQL() + ")"
	}
	return castFrom(own.Type, c.Type, columnName(c.ID))
}

// rewrite compares every key that the action touched with what is here, and plays those that are as it found them. It
// makes the tables mine (before and after the action), theirs (now, of keys that differ), and verdicts.
func (r rowPlayer) rewrite(ctx context.Context) error {
	theirs := r.theirs()
	if err := r.table(ctx, "mine", r.pairs(r.mine, "p", "q")); err != nil {
		return err
	}
	if err := r.table(ctx, "theirs", r.pairs(theirs, "o", "n")); err != nil {
		return err
	}
	if err := r.table(ctx, "verdicts", r.verdicts()); err != nil {
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
func (r rowPlayer) settleLater(ctx context.Context) error {
	var n int64
	if err := r.conn.Row(ctx, countConflicts, &n); err != nil || n == 0 {
		return err
	}
	bounds := r.bounds()
	since := Diff(r.did.after.within(bounds), r.did.head.within(bounds))
	if err := r.table(ctx, "since", r.pairs(since, "e", "f")); err != nil {
		return err
	}
	_, err := r.conn.Exec(ctx, fmt.Sprintf("UPDATE verdicts AS v SET verdict = 'same' FROM since s WHERE verdict = 'conflict' AND %s AND %s",
		sameKey(r.schema.KeyColumns(), "v", "s"), r.equal("n", "f")))
	return err
}

const countConflicts = "SELECT count(*) FROM verdicts WHERE verdict = 'conflict'"

func (r rowPlayer) table(ctx context.Context, name, query string) error {
	_, err := r.conn.Create(ctx, "CREATE OR REPLACE TEMP TABLE "+name+" AS "+query)
	return err
}

// pairs is the SQL of a difference joined on the key: the key, then both sides' columns with a prefix each; <prefix>_is
// tells whether the side has the key, <prefix>_commit its tag.
func (r rowPlayer) pairs(d *Difference, a, b string) string {
	key := r.schema.KeyColumns()
	side := func(prefix, rows string) string {
		list := []string{"true AS " + prefix + "_is", "_commit AS " + prefix + "_commit"}
		for _, c := range r.wide {
			list = append(list, fmt.Sprintf("%s AS %s%d", d.value(c), prefix, c.ID))
		}
		return "SELECT " + strings.Join(list, ", ") + " FROM (" + rows + ")"
	}
	var keys, on []string
	for _, c := range key {
		keys = append(keys, fmt.Sprintf("coalesce(a.%s%d, b.%s%d) AS %s", a, c.ID, b, c.ID, columnName(c.ID)))
		on = append(on, fmt.Sprintf("a.%s%d = b.%s%d", a, c.ID, b, c.ID))
	}
	return fmt.Sprintf("SELECT %s, * FROM (%s) a FULL JOIN (%s) b ON %s", strings.Join(keys, ", "), side(a, d.SideA()), side(b, d.SideB()), strings.Join(on, " AND "))
}

// compared are the columns by which records are compared: those that both sides know, or, of an action on variables,
// those that it changed.
func (r rowPlayer) compared() (out []schema.Column) {
	var changed []int
	if r.did.explicit {
		changed = changedColumns(r.did.before.Schema, r.did.after.Schema)
	}
	for _, c := range r.schema.Columns {
		_, known := r.mine.Schema.ByID(c.ID)
		if known && !r.schema.IsKey(c.ID) && (!r.did.explicit || slices.Contains(changed, c.ID)) {
			out = append(out, c)
		}
	}
	return out
}

// verdicts is the SQL of the keys that both the action and the target touched, with what becomes of them: same (there is
// nothing to do: both did the same, or the action left the record as it was), play, or conflict.
func (r rowPlayer) verdicts() string {
	key := r.schema.KeyColumns()
	gone := "false"
	if r.did.explicit {
		gone = "n_is IS NULL" // a value for a record that is no more
	}
	return fmt.Sprintf("SELECT m.*, n_is, %s, CASE WHEN %s OR %s OR %s THEN 'same' WHEN %s THEN 'play' ELSE 'conflict' END AS verdict FROM mine m JOIN theirs t ON %s",
		prefixed("n", r.schema.Stored()), gone, r.equal("n", "q"), r.equal("p", "q"), r.equal("n", "p"), sameKey(key, "m", "t"))
}

// equal is the SQL that two sides of a verdict are the same record, or both are none.
func (r rowPlayer) equal(a, b string) string {
	conditions := []string{fmt.Sprintf("coalesce(%s_is, false) = coalesce(%s_is, false)", a, b)}
	for _, c := range r.compared() {
		conditions = append(conditions, fmt.Sprintf("(%[1]s_is IS NULL OR %[1]s%[3]d IS NOT DISTINCT FROM %[2]s%[3]d)", a, b, c.ID))
	}
	return "(" + strings.Join(conditions, " AND ") + ")"
}

func prefixed(prefix string, columns []schema.Column) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = fmt.Sprintf("%s%d", prefix, c.ID)
	}
	return strings.Join(list, ", ")
}

// conflicts returns the conflict of records, if there is one.
func (r rowPlayer) conflicts(ctx context.Context) error {
	var n int64
	if err := r.conn.Row(ctx, countConflicts, &n); err != nil || n == 0 {
		return err
	}
	c := MergeConflict{Count: n}
	err := r.conn.Rows(ctx, fmt.Sprintf("SELECT %s, %s, %s FROM verdicts WHERE verdict = 'conflict' ORDER BY %s LIMIT %d",
		r.record("p"), r.record("q"), r.record("n"), keyList(r.schema.KeyColumns()), shownConflicts), func(scan duck.Scan) error {
		var before, after, now *string
		err := scan(&before, &after, &now)
		c.Records = append(c.Records, RecordConflict{Before: raw(before), After: raw(after), Now: raw(now)})
		return err
	})
	records := "record that it changed was"
	if n > 1 {
		records = "records that it changed were"
	}
	c.Detail = fmt.Sprintf("%d %s changed here too, to something else.", n, records)
	if err != nil {
		return err
	}
	return &conflictError{c}
}

// record is the SQL of one side of a verdict as a JSON object; null where there is no record.
func (r rowPlayer) record(side string) string {
	value := func(c schema.Column) string { return fmt.Sprintf("%s%d", side, c.ID) }
	return fmt.Sprintf("CASE WHEN %s_is THEN %s END", side, output.Record(r.wide, value))
}

func raw(text *string) json.RawMessage {
	if text == nil {
		return json.RawMessage("null")
	}
	return json.RawMessage(*text)
}

// write makes the commit's files: the records as the action left them, in the place of those that are here. Columns that
// the source does not know, or the action on variables did not change, keep their values.
func (r rowPlayer) write(ctx context.Context) error {
	key := r.schema.KeyColumns()
	live := r.liveIn(r.bounds())
	if err := r.table(ctx, "playing", fmt.Sprintf("SELECT * FROM mine m ANTI JOIN (FROM verdicts WHERE verdict = 'same') v ON %s", sameKey(key, "m", "v"))); err != nil {
		return err
	}
	if err := r.table(ctx, "picked", fmt.Sprintf("SELECT s.* FROM (%s) s SEMI JOIN (FROM playing WHERE q_is IS NULL) i ON %s", live.Rows(true), sameKey(key, "i", "s"))); err != nil {
		return err
	}
	if err := r.table(ctx, "changes", r.changes(live)); err != nil {
		return err
	}
	var changed int64
	if err := r.conn.Row(ctx, "SELECT count(*), count(_pos), (SELECT count(*) FROM picked) FROM changes", &changed, &r.commit.Modified, &r.commit.Removed); err != nil {
		return err
	}
	r.commit.Added = changed - r.commit.Modified
	return r.writeChanges(ctx, changed)
}

// changes is the SQL of the records that the action left, with those that are here, as writeChanges wants them.
func (r rowPlayer) changes(live *Snapshot) string {
	known := map[int]bool{}
	for _, c := range r.compared() {
		known[c.ID] = true
	}
	var after, before []string
	for i, c := range r.schema.Stored() {
		value := castFrom(r.wide[i].Type, c.Type, fmt.Sprintf("i.q%d", c.ID))
		if !known[c.ID] && !r.schema.IsKey(c.ID) {
			value = "s." + columnName(c.ID)
		}
		after = append(after, fmt.Sprintf("%s AS a%d", value, c.ID))
		before = append(before, fmt.Sprintf("s.%s AS b%d", columnName(c.ID), c.ID))
	}
	return fmt.Sprintf("SELECT %s, i.q_commit AS a_commit, %s, s._commit AS b_commit, s._file, s._pos, row_number() OVER (ORDER BY %s) AS _n FROM (FROM playing WHERE q_is) i LEFT JOIN (%s) s ON %s",
		strings.Join(after, ", "), strings.Join(before, ", "), qualified("i", r.schema.KeyColumns()), live.Rows(true), sameKey(r.schema.KeyColumns(), "i", "s"))
}

func qualified(table string, columns []schema.Column) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = table + "." + columnName(c.ID)
	}
	return strings.Join(list, ", ")
}
