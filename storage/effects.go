package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"rowback/storage/catalog"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// effects are what the commit did beside changing records. Those of a merge are those of all that it played.
func (w *work) effects() *catalog.Effects {
	cleared, filled := slices.Clone(w.writer.cleared), slices.Clone(w.writer.filled)
	for _, p := range w.played {
		cleared = append(cleared, columnIDs(p.schema, p.commit.Effects.ColumnsCleared)...)
		filled = append(filled, columnIDs(p.schema, p.commit.Effects.ColumnsFilled)...)
	}
	after := w.state()
	return &catalog.Effects{
		SchemaChanges:  schema.Changes(w.drafts()[0].head.Schema, w.schema),
		ColumnsCleared: w.columnsAmong(cleared), ColumnsFilled: w.columnsAmong(filled),
		Warnings: after.Warnings(),
	}
}

// columnsAmong returns the names of the columns that are among some ids. One that the commit removed is not.
func (d *draft) columnsAmong(some []int) []string {
	names := []string{}
	for _, c := range d.schema.Stored() {
		if slices.Contains(some, c.ID) {
			names = append(names, c.Name)
		}
	}
	return names
}

// columnIDs returns the ids of the columns that have some names in a schema. Effects say names, as they were then; a
// later commit may have renamed the columns.
func columnIDs(s schema.Schema, names []string) (ids []int) {
	for _, c := range s.Stored() {
		if slices.Contains(names, c.Name) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// noted is what became of the values of changed records, by the ids of their columns.
type noted struct {
	cleared []int // a record lost the value that it had
	filled  []int // one got a value that had none
}

// note notes what became of the values of a column.
func (n *noted) note(c schema.Column, cleared, filled bool) {
	if cleared {
		n.cleared = append(n.cleared, c.ID)
	}
	if filled {
		n.filled = append(n.filled, c.ID)
	}
}

// noteInverse notes what undoing a commit does to values. Of commits of an older program it is not known.
func (w undoWork) noteInverse(ctx context.Context, c catalog.Commit) error {
	e := c.Effects
	if e == nil || len(e.ColumnsCleared)+len(e.ColumnsFilled) == 0 {
		return nil
	}
	return w.store.catalog.Read(ctx, func(tx catalog.Tx) error {
		s, err := tx.Schema(c.SchemaID)
		w.writer.cleared, w.writer.filled = columnIDs(s, e.ColumnsFilled), columnIDs(s, e.ColumnsCleared)
		return err
	})
}

// noteSame notes that the commit does to values what an action did whose files it links.
func (n *noted) noteSame(did *action) {
	if e := did.Effects; e != nil {
		n.cleared, n.filled = columnIDs(did.after.Schema, e.ColumnsCleared), columnIDs(did.after.Schema, e.ColumnsFilled)
	}
}

// noteFew does so for changes as fewChanges returns them: those with a live record come first.
func (w *recordWriter) noteFew(changes arrow.RecordBatch) {
	columns := w.schema.Stored()
	for i, c := range columns {
		after, before := changes.Column(i), changes.Column(len(columns)+1+i)
		rows := int(w.commit.Modified)
		w.note(c, losesValue(before, after, rows), losesValue(after, before, rows))
	}
}

// losesValue reports whether one of the first rows has a value before and none after.
func losesValue(before, after arrow.Array, rows int) bool {
	if after.NullN() == 0 {
		return false
	}
	for row := range rows {
		if after.IsNull(row) && before.IsValid(row) {
			return true
		}
	}
	return false
}

// notedColumns is how many columns one statement looks at: each costs memory, however few rows there are.
const notedColumns = 100

// noteRows does so for rows that have some columns before and after the commit: as the prefix and the column's id.
func (w *recordWriter) noteRows(ctx context.Context, columns []schema.Column, before, after, from string) error {
	for columns := range slices.Chunk(columns, notedColumns) {
		list, found, into := make([]string, 0, 2*len(columns)), make([]bool, 2*len(columns)), make([]any, 2*len(columns))
		for _, c := range columns {
			list = append(list, anyLost(before, after, c), anyLost(after, before, c))
		}
		for i := range found {
			into[i] = &found[i]
		}
		if err := w.conn.Row(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+from, into...); err != nil {
			return err
		}
		for i, c := range columns {
			w.note(c, found[2*i], found[2*i+1])
		}
	}
	return nil
}

// anyLost is the SQL that reports whether a record has a value on one side and none on the other.
func anyLost(before, after string, c schema.Column) string {
	return fmt.Sprintf("coalesce(bool_or(%s%d IS NULL AND %s%d IS NOT NULL), false)", after, c.ID, before, c.ID)
}

// noteDifference does so for the records that differ between two states: columns says how many in each.
func (w *recordWriter) noteDifference(ctx context.Context, d *snapshot.Difference, columns map[string]int64) error {
	var changed []schema.Column
	for _, c := range d.Schema.Stored() {
		if columns[c.Name] > 0 {
			changed = append(changed, c)
		}
	}
	for some := range slices.Chunk(changed, notedColumns) {
		from := "(" + d.Narrow(some).Joined() + ") WHERE in_a AND in_b"
		if err := w.noteRows(ctx, some, "a", "b", from); err != nil {
			return err
		}
	}
	return nil
}
