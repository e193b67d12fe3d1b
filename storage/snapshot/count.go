package snapshot

import (
	"context"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// Counts is how many records differ between the sides A and B of a Difference, and in which columns.
type Counts struct {
	Added, Removed, Modified int64
	Columns                  map[string]int64 // modified records by column: its name in B, or in A if B lacks it

	noted           bool         // what follows is known
	cleared, filled map[int]bool // by id: columns in which a modified record lost its value, or got one that had none
}

// Noted returns the ids of the columns in which a modified record lost its value, and of those in which one got a value
// that had none; ok is false where that was not looked at.
func (c Counts) Noted() (cleared, filled []int, ok bool) {
	ids := func(of map[int]bool) (out []int) {
		for id, is := range of {
			if is {
				out = append(out, id)
			}
		}
		slices.Sort(out)
		return out
	}
	return ids(c.cleared), ids(c.filled), c.noted
}

// Count counts the records that differ. It reads only the files that Files returns. Many columns are compared in
// slices, and those of few records without a statement that compares.
func (d *Difference) Count(ctx context.Context, conn *duck.Conn) (Counts, error) {
	columns := d.compared()
	switch {
	case d.Empty():
		return Counts{Columns: map[string]int64{}}, nil
	case d.isCountedHere(columns):
		return d.countHere(ctx, conn, columns)
	}
	return d.countJoined(ctx, conn, columns)
}

// countJoined counts by statements that join the sides.
func (d *Difference) countJoined(ctx context.Context, conn *duck.Conn, columns []schema.Column) (Counts, error) {
	out := Counts{Columns: map[string]int64{}}
	parts := InSlices(columns)
	if len(parts) == 1 {
		return out, out.addWhole(ctx, conn, d)
	}
	var modified []bool // of the joined records, in the order of their keys
	for _, columns := range parts {
		part := Counts{Columns: out.Columns}
		differs, err := part.add(ctx, conn, d.Narrow(columns), true)
		if err != nil {
			return out, err
		}
		out.Added, out.Removed = part.Added, part.Removed
		modified = either(modified, differs)
	}
	for _, is := range modified {
		if is {
			out.Modified++
		}
	}
	return out, nil
}

// addWhole counts what differs in all columns.
func (c *Counts) addWhole(ctx context.Context, conn *duck.Conn, d *Difference) error {
	if d.Opened() >= alignedRows {
		if done, err := c.addAligned(ctx, conn, d); done || err != nil {
			return err
		}
	}
	_, err := c.add(ctx, conn, d, false)
	return err
}

// listed returns the SQL of a list of booleans: which joined records were modified, in the order of their keys.
func (d *Difference) listed() string {
	return "list(coalesce(in_a AND in_b AND " + d.Differs() + ", false) ORDER BY " + d.joinedKey() + ")"
}

// joinedKey returns the SQL of the key of a joined row.
func (d *Difference) joinedKey() string {
	var key []string
	for _, k := range d.Schema.KeyColumns() {
		key = append(key, eitherSide(k))
	}
	return strings.Join(key, ", ")
}

// add counts what differs in the columns of d. For a slice, it also returns which of the joined records were modified.
// Each count has a CASE rather than a FILTER: for every FILTER, DuckDB keeps all columns that any of them uses, which
// takes memory quadratic in the number of columns.
func (c *Counts) add(ctx context.Context, conn *duck.Conn, d *Difference, slice bool) (modified []bool, err error) {
	columns := d.compared()
	list := []string{countIf("in_a IS NULL"), countIf("in_b IS NULL"), countIf("in_a AND in_b AND " + d.Differs())}
	for _, c := range columns {
		list = append(list, countIf("in_a AND in_b AND "+differsIn(c)))
	}
	if slice {
		list = append(list, d.listed())
	}
	batch, err := conn.Batch(ctx, "SELECT "+strings.Join(list, ", ")+" FROM ("+d.Joined()+")")
	if err != nil {
		return nil, err
	}
	defer batch.Release()
	c.Added, c.Removed, c.Modified = countIn(batch, 0), countIn(batch, 1), countIn(batch, 2)
	c.addColumns(columns, batch)
	if !slice {
		return nil, nil
	}
	return booleans(batch.Column(int(batch.NumCols()) - 1).(*array.List).ListValues().(*array.Boolean)), nil
}

// addColumns counts the records that differ in each column, which a batch has after the three counts of all.
func (c *Counts) addColumns(columns []schema.Column, batch arrow.RecordBatch) {
	for i, column := range columns {
		if n := countIn(batch, 3+i); n > 0 {
			c.Columns[column.Name] = n
		}
	}
}

// countIf returns the SQL of the number of rows that meet a condition.
func countIf(condition string) string { return "count(CASE WHEN " + condition + " THEN 1 END)" }

func countIn(batch arrow.RecordBatch, column int) int64 {
	return batch.Column(column).(*array.Int64).Value(0)
}

func booleans(a *array.Boolean) []bool {
	out := make([]bool, a.Len())
	for i := range out {
		out[i] = a.Value(i)
	}
	return out
}

// either is the element-wise "or" of two lists of the same length. The first may be nil.
func either(a, b []bool) []bool {
	if a == nil {
		return b
	}
	for i, is := range b {
		a[i] = a[i] || is
	}
	return a
}

// compared returns the columns that can differ: all but the key.
func (d *Difference) compared() []schema.Column {
	return slices.DeleteFunc(slices.Clone(d.Schema.Columns), func(c schema.Column) bool { return d.Schema.IsKey(c.ID) })
}
