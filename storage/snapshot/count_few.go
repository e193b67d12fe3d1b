package snapshot

import (
	"context"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// Few records of many columns are compared here: DuckDB takes far longer to plan a join of so many columns, and what is
// counted of them, than to read them. Both sides are read without statements; where that can't be, by a statement for
// each slice of the columns.

// isCountedHere reports whether the records are compared here: few, of many columns, whose values are plain.
func (d *Difference) isCountedHere(columns []schema.Column) bool {
	return arePlain(columns) && d.Opened()*int64(len(columns)) <= valuesHere && arePlainKeys(d.Schema.KeyColumns())
}

// countHere is Count for such records.
func (d *Difference) countHere(ctx context.Context, conn *duck.Conn, columns []schema.Column) (Counts, error) {
	out, modified := newNoted(), map[string]bool{}
	done, err := out.addRead(ctx, d, columns, modified)
	if err != nil {
		return out, err
	}
	if !done {
		out = newNoted()
		for _, some := range SlicesOf(columns, stripColumns) {
			if err := out.addHere(ctx, conn, d.Narrow(some), some, modified); err != nil {
				return out, err
			}
		}
	}
	out.Modified = int64(len(modified))
	return out, nil
}

func newNoted() Counts {
	return Counts{Columns: map[string]int64{}, noted: true, cleared: map[int]bool{}, filled: map[int]bool{}}
}

// addRead counts what differs in columns of both sides as they are read without statements; done is false where they
// can't be.
func (c *Counts) addRead(
	ctx context.Context, d *Difference, columns []schema.Column, modified map[string]bool,
) (done bool, err error) {
	a, b, err := d.readSides(ctx)
	if a == nil || err != nil {
		return false, err
	}
	defer a.Release()
	defer b.Release()
	c.compare(d.sideOf(a), d.sideOf(b), columns, modified)
	return true, nil
}

// addHere counts what differs in some columns, to which d is narrowed, and notes the keys of modified records.
func (c *Counts) addHere(
	ctx context.Context, conn *duck.Conn, d *Difference, columns []schema.Column, modified map[string]bool,
) error {
	a, err := d.sideHere(ctx, conn, d.SideA())
	if err != nil {
		return err
	}
	defer a.rows.Release()
	b, err := d.sideHere(ctx, conn, d.SideB())
	if err != nil {
		return err
	}
	defer b.rows.Release()
	c.compare(a, b, columns, modified)
	return nil
}

// compare counts what differs in columns of both sides, and notes the keys of modified records.
func (c *Counts) compare(a, b sideHere, columns []schema.Column, modified map[string]bool) {
	c.Added, c.Removed = 0, 0
	var pairs [][2]int
	var keys []string
	for key, row := range b.at {
		if was, ok := a.at[key]; ok {
			pairs, keys = append(pairs, [2]int{was, row}), append(keys, key)
			continue
		}
		c.Added++
	}
	c.Removed = int64(len(a.at) - len(pairs))
	for _, column := range columns {
		before, after := a.column(column), b.column(column)
		for i, pair := range pairs {
			if sameValue(before, pair[0], after, pair[1]) {
				continue
			}
			c.Columns[column.Name]++
			modified[keys[i]] = true
			c.cleared[column.ID] = c.cleared[column.ID] || after.IsNull(pair[1])
			c.filled[column.ID] = c.filled[column.ID] || before.IsNull(pair[0])
		}
	}
}

// sideHere is a side with some columns, by id, and where each key is.
type sideHere struct {
	rows  arrow.RecordBatch
	index map[int]int
	at    map[string]int
}

// column returns the values of a column of the side.
func (s sideHere) column(c schema.Column) arrow.Array { return s.rows.Column(s.index[c.ID]) }

// sideHere reads the columns of a side by a statement.
func (d *Difference) sideHere(ctx context.Context, conn *duck.Conn, side string) (out sideHere, err error) {
	columns := d.Schema.Stored()
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = schema.ColumnName(c.ID)
	}
	rows, err := conn.Batch(ctx, "SELECT "+strings.Join(list, ", ")+" FROM ("+side+")")
	if err != nil {
		return out, err
	}
	return d.sideOf(rows), nil
}

// sideOf finds the keys of a side, which has the columns of the difference.
func (d *Difference) sideOf(rows arrow.RecordBatch) sideHere {
	out := sideHere{rows: rows, index: map[int]int{}, at: make(map[string]int, rows.NumRows())}
	for i, c := range d.Schema.Stored() {
		out.index[c.ID] = i
	}
	for row := range int(rows.NumRows()) {
		var key strings.Builder
		for _, k := range d.Schema.KeyColumns() {
			addKey(&key, out.column(k), row)
		}
		out.at[key.String()] = row
	}
	return out
}

// sameValue reports whether two values are not distinct in SQL: a null is the same as another, and so is a NaN.
func sameValue(a arrow.Array, i int, b arrow.Array, j int) bool {
	if a.IsNull(i) || b.IsNull(j) {
		return a.IsNull(i) && b.IsNull(j)
	}
	switch x := a.(type) {
	case *array.Float64:
		return sameNumber(x.Value(i), b.(*array.Float64).Value(j))
	case *array.Float32:
		return sameNumber(float64(x.Value(i)), float64(b.(*array.Float32).Value(j)))
	}
	return array.SliceEqual(a, int64(i), int64(i)+1, b, int64(j), int64(j)+1)
}

func sameNumber(x, y float64) bool { return x == y || math.IsNaN(x) && math.IsNaN(y) }
