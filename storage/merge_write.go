package storage

import (
	"context"
	"fmt"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// write makes the commit's files: the records as the action left them, in the place of those that are here. Columns
// that the source does not know, or the action on variables did not change, keep their values. What becomes of a record
// is in verdicts; a key that is not there was changed by the action alone, and is played.
func (r *rowPlayer) write(ctx context.Context) error {
	live := r.liveIn(r.bounds())
	change := func(part int, _ []schema.Column) error { return r.change(ctx, live, part) }
	return r.writer.writeChanges(ctx, change, func([]schema.Column) string { return "picked" })
}

// change makes the tables changes and picked, as writeChanges wants them, with one of the slices of the columns.
func (r *rowPlayer) change(ctx context.Context, live *snapshot.Snapshot, part int) error {
	if err := r.load(ctx, part); err != nil {
		return err
	}
	key := r.schema.KeyColumns()
	rows := live.Narrow(r.parts[part]).Rows(true)
	for _, t := range []struct{ name, query string }{
		{"playing", duck.Fill(playing, duck.Parts{"same_key": sameKey(key, "m", "v")})},
		{"picked", duck.Fill(removing, duck.Parts{"live": rows, "same_key": sameKey(key, "i", "s")})},
		{"changes", r.changes(live, r.parts[part])},
	} {
		if err := r.table(ctx, t.name, t.query); err != nil {
			return err
		}
	}
	return r.conn.Row(ctx, "SELECT count(*) FROM picked", &r.commit.Removed)
}

const (
	playing = `SELECT m.*, coalesce(v.verdict, 'play') AS verdict FROM mine m LEFT JOIN verdicts v ON {same_key}
		WHERE v.verdict IS DISTINCT FROM 'same'`
	removing = `SELECT s.* FROM ({live}) s SEMI JOIN (FROM playing WHERE q_is IS NULL) i ON {same_key}`
	changing = `SELECT {after}, i.q_commit AS a_commit, {before}, s._commit AS b_commit, s._file, s._pos,
		row_number() OVER (ORDER BY {key}) AS _n
		FROM (FROM playing WHERE q_is) i LEFT JOIN ({live}) s ON {same_key}`
)

// changes is the SQL of the records that the action left, with those that are here, as writeChanges wants them.
func (r *rowPlayer) changes(live *snapshot.Snapshot, columns []schema.Column) string {
	key, known := r.schema.KeyColumns(), r.compared()
	var after, before []string
	for _, wide := range columns {
		c, _ := r.schema.ByID(wide.ID)
		value := "s." + schema.ColumnName(c.ID)
		switch {
		case r.schema.IsKey(c.ID):
			value = snapshot.Cast(wide.Type, c.Type, fmt.Sprintf("i.q%d", c.ID))
		case known[c.ID]:
			value = r.valueAfter(wide, c)
		}
		after = append(after, fmt.Sprintf("%s AS a%d", value, c.ID))
		before = append(before, fmt.Sprintf("s.%s AS b%d", schema.ColumnName(c.ID), c.ID))
	}
	return duck.Fill(changing, duck.Parts{
		"after": strings.Join(after, ", "), "before": strings.Join(before, ", "), "key": qualified("i", key),
		"live": live.Narrow(columns).Rows(true), "same_key": sameKey(key, "i", "s"),
	})
}

// valueAfter is the SQL of a value that the action may have changed, as it is afterwards (judge has the verdicts).
func (r *rowPlayer) valueAfter(wide, c schema.Column) string {
	played := snapshot.Cast(wide.Type, c.Type, fmt.Sprintf("i.q%d", c.ID))
	if !r.byColumn {
		return played
	}
	here := "s." + schema.ColumnName(c.ID)
	// two cases: joined by OR, DuckDB takes ten times as long to plan them
	return duck.Fill(`CASE WHEN i.verdict = 'keep' AND {here_wide} IS DISTINCT FROM {before} THEN {here}
		WHEN i.verdict = 'take' AND {after} IS NOT DISTINCT FROM {before} THEN {here} ELSE {played} END`, duck.Parts{
		"here": here, "here_wide": snapshot.Cast(c.Type, wide.Type, here), "before": fmt.Sprintf("i.p%d", c.ID),
		"after": fmt.Sprintf("i.q%d", c.ID), "played": played,
	})
}
