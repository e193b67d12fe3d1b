package storage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// playRows does to the commit's rows what an action did to the source's. Where the keys that it touched are as it found
// them, down to the place, its files are linked; else its rows are compared with what is here.
func (w actionWork) playRows(ctx context.Context) error {
	if len(w.did.opened)+len(w.did.closed) == 0 {
		return nil
	}
	r := &rowPlayer{actionWork: w, mine: snapshot.Diff(w.did.before, w.did.after)}
	r.byColumn = w.properties.Granularity() == catalog.ByColumn
	// In a type that only one side has, a value of the other might be cast to one that equals another.
	r.wide = wideEnough(w.schema, r.mine.Schema)
	r.parts, r.loaded = snapshot.InSlices(r.wide), map[int]bool{}
	// The common case reads keys alone, or nothing where the bounds do not meet: then the files are linked as they are.
	touched, err := r.touchesChanged(ctx)
	if err != nil {
		return err
	}
	if !touched && w.canLink() && len(w.did.renumbered) == 0 {
		w.links(w.did)
		// The source has forgotten what became of values whose columns went with the action, and stay here.
		if w.keepsWhatWent() {
			return w.writer.countDifference(ctx)
		}
		w.writer.noted = w.did.noted()
		return w.writer.countAgain(ctx, slices.Concat(w.did.opened, w.did.closed), w.did.schemas())
	}
	err = r.rewrite(ctx)
	if duck.IsConversion(err) {
		detail := "Its records have values that do not fit the types that the variables have here."
		return &conflictError{MergeConflict{Detail: detail}}
	}
	return err
}

// keepsWhatWent reports whether the commit has a column that the action took from the source, as a restore does.
func (w actionWork) keepsWhatWent() bool {
	return slices.ContainsFunc(w.did.before.Schema.Stored(), func(c schema.Column) bool {
		_, stays := w.did.after.Schema.ByID(c.ID)
		_, here := w.schema.ByID(c.ID)
		return here && !stays
	})
}

// rowPlayer plays the rows of one action. Its sides have one letter each in SQL: p before the action, q after it, o the
// source's before and n now, of the target.
type rowPlayer struct {
	actionWork
	mine *snapshot.Difference // the rows that the action displaced, and those that it added
	wide []schema.Column      // what is stored here, in types that take the source's values too: they are compared in them

	byColumn bool // values are compared, not only records

	absent map[int64]bool // data files that only one of the two has and that have none of the action's keys, if few

	parts  [][]schema.Column // wide, in slices
	loaded map[int]bool      // those of which there are tables
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
// the action's keys. An empty difference is the common case: nothing has been done here since the fork that the action
// would meet.
func (r *rowPlayer) theirs() *snapshot.Difference {
	bounds := r.bounds()
	now := *r.head.Within(bounds)
	now.Schema = r.schema
	return snapshot.Diff(r.did.before.Within(bounds).But(r.absent), now.But(r.absent))
}

// leaveOut finds the large data files of theirs that have none of the action's keys, where these are few.
func (r *rowPlayer) leaveOut(ctx context.Context) error {
	bounds := r.bounds()
	before, now := r.did.before.Within(bounds), r.head.Within(bounds)
	files := large(slices.Concat(snapshot.Without(before.Data, now.Data), snapshot.Without(now.Data, before.Data)))
	if len(files) == 0 || !areFew(r.mine.Files()) {
		return nil
	}
	key := r.schema.KeyColumns()
	keys, err := fewOf(ctx, r.conn, keysOf(r.mine, key), key)
	if err != nil {
		return err
	}
	schemas := maps.Clone(before.Schemas)
	maps.Copy(schemas, now.Schemas)
	schemaOf := func(f *catalog.File) schema.Schema { return schemas[f.SchemaID] }
	r.absent = r.store.keys.absent(ctx, files, schemaOf, key, keys)
	return nil
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

// touchesChanged reports whether the action touched a key that is not here as the source had it before.
func (r *rowPlayer) touchesChanged(ctx context.Context) (bool, error) {
	if err := r.leaveOut(ctx); err != nil {
		return false, err
	}
	theirs := r.theirs()
	if theirs.Empty() {
		return false, nil
	}
	key := r.schema.KeyColumns()
	var touched int64
	query := duck.Fill(countTouched, duck.Parts{
		"mine": keysOf(r.mine, key), "theirs": keysOf(theirs, key), "same_key": sameKey(key, "m", "t"),
	})
	err := r.conn.Row(ctx, query, &touched)
	return touched > 0, err
}

// keysOf is the SQL of the keys that differ.
func keysOf(d *snapshot.Difference, key []schema.Column) string {
	list, d := castKeys(d, key), d.Narrow(key)
	return duck.Fill(bothSides, duck.Parts{"key": list, "side_a": d.SideA(), "side_b": d.SideB()})
}

const (
	countTouched = `SELECT count(*) FROM ({mine}) m SEMI JOIN ({theirs}) t ON {same_key}`
	bothSides    = `SELECT {key} FROM ({side_a}) UNION ALL SELECT {key} FROM ({side_b})`
)

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
// makes mine (before and after the action) and theirs (now, of keys that differ), of a slice of the columns at a time,
// and the table verdicts.
func (r *rowPlayer) rewrite(ctx context.Context) error {
	if err := r.judge(ctx); err != nil {
		return err
	}
	if err := r.decide(ctx); err != nil {
		return err
	}
	if err := r.conflicts(ctx); err != nil {
		return err
	}
	return r.write(ctx)
}

// table makes a temporary table of a query, in place of one of that name.
func (r *rowPlayer) table(ctx context.Context, name, query string) error {
	_, err := r.conn.Create(ctx, "CREATE OR REPLACE TEMP TABLE "+name+" AS "+query)
	return err
}

// pairs is the SQL of a difference joined on the key: the key, then both sides' columns with a prefix each; <prefix>_is
// reports whether the side has the key, <prefix>_commit its tag. A full join, since a record may be on either side
// alone.
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
	return duck.Fill(joinPairs, duck.Parts{
		"key": strings.Join(keys, ", "), "side_a": side(a, d.SideA()), "side_b": side(b, d.SideB()),
		"same_key": strings.Join(on, " AND "),
	})
}

const joinPairs = `SELECT {key}, * FROM ({side_a}) a FULL JOIN ({side_b}) b ON {same_key}`

// compared are the columns by which records are compared: those that both sides know, or, of an action on variables
// alone, those that it changed.
func (r *rowPlayer) compared() map[int]bool {
	out := map[int]bool{}
	var changed map[int]bool
	if r.did.onlyVariables {
		changed = setOf(changedColumns(r.did.before.Schema, r.did.after.Schema))
	}
	for _, c := range r.schema.Columns {
		_, known := r.mine.Schema.ByID(c.ID)
		if known && !r.schema.IsKey(c.ID) && (!r.did.onlyVariables || changed[c.ID]) {
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
	_, err := r.conn.Exec(ctx, duck.Fill(viewTables, duck.Parts{"mine": mine, "theirs": theirs}))
	return err
}

const viewTables = `
	CREATE OR REPLACE TEMP VIEW mine AS FROM {mine};
	CREATE OR REPLACE TEMP VIEW theirs AS FROM {theirs}`

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

// equal is the SQL that two sides are the same record in those of the columns that are compared, or both are none.
func equal(a, b string, columns []schema.Column, compared map[int]bool) string {
	conditions := []string{fmt.Sprintf("coalesce(%s_is, false) = coalesce(%s_is, false)", a, b)}
	for _, c := range columns {
		if compared[c.ID] {
			same := fmt.Sprintf("(%[1]s_is IS NULL OR %[1]s%[3]d IS NOT DISTINCT FROM %[2]s%[3]d)", a, b, c.ID)
			conditions = append(conditions, same)
		}
	}
	return "(" + strings.Join(conditions, " AND ") + ")"
}

// qualified lists columns of a table in SQL.
func qualified(table string, columns []schema.Column) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = table + "." + schema.ColumnName(c.ID)
	}
	return strings.Join(list, ", ")
}
