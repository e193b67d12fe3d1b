package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// noted is what happened to the values of changed records, by the ids of their columns. It costs no reading of its own:
// what is written anyway is looked at.
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

// few notes it for the first rows of a batch: it has the columns as they are after the commit, then _commit, then as
// they were before.
func (n *noted) few(columns []schema.Column, changes arrow.RecordBatch, rows int) {
	for i, c := range columns {
		after, before := changes.Column(i), changes.Column(len(columns)+1+i)
		n.note(c, losesValue(before, after, rows), losesValue(after, before, rows))
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

// rows notes it for rows that have some columns before and after the commit: as the prefix and the column's id.
func (n *noted) rows(
	ctx context.Context, conn *duck.Conn, columns []schema.Column, before, after, from string,
) error {
	for columns := range slices.Chunk(columns, notedColumns) {
		list, found, into := make([]string, 0, 2*len(columns)), make([]bool, 2*len(columns)), make([]any, 2*len(columns))
		for _, c := range columns {
			list = append(list, anyLost(before, after, c), anyLost(after, before, c))
		}
		for i := range found {
			into[i] = &found[i]
		}
		if err := conn.Row(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+from, into...); err != nil {
			return err
		}
		for i, c := range columns {
			n.note(c, found[2*i], found[2*i+1])
		}
	}
	return nil
}

// anyLost is the SQL that reports whether a record has a value on one side and none on the other.
func anyLost(before, after string, c schema.Column) string {
	return fmt.Sprintf("coalesce(bool_or(%s%d IS NULL AND %s%d IS NOT NULL), false)", after, c.ID, before, c.ID)
}

// difference notes it for the records that differ between two states: columns says how many in each.
func (n *noted) difference(
	ctx context.Context, conn *duck.Conn, d *snapshot.Difference, columns map[string]int64,
) error {
	var changed []schema.Column
	for _, c := range d.Schema.Stored() {
		if columns[c.Name] > 0 {
			changed = append(changed, c)
		}
	}
	if len(changed) > notedColumns && d.IsFew() {
		return n.fromTables(ctx, conn, d, changed)
	}
	for some := range slices.Chunk(changed, notedColumns) {
		from := "(" + d.Narrow(some).Joined() + ") WHERE in_a AND in_b"
		if err := n.rows(ctx, conn, some, "a", "b", from); err != nil {
			return err
		}
	}
	return nil
}

// fromTables is difference for many columns of few records: what differs is read from the files once for each slice of
// the columns, into a table, and not for each statement. Opening a file takes time for all of its columns.
func (n *noted) fromTables(
	ctx context.Context, conn *duck.Conn, d *snapshot.Difference, columns []schema.Column,
) error {
	for _, some := range snapshot.InSlices(columns) {
		if _, err := conn.Create(ctx, duck.Fill(makeDiffering, duck.Parts{"joined": d.Narrow(some).Joined()})); err != nil {
			return err
		}
		if err := n.rows(ctx, conn, some, "a", "b", "differing_values"); err != nil {
			return err
		}
	}
	return nil
}

const makeDiffering = `CREATE OR REPLACE TEMP TABLE differing_values AS SELECT * FROM ({joined}) WHERE in_a AND in_b`
