package snapshot

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// Few records of many columns are compared here: DuckDB takes far longer to plan a join of so many columns, and what is
// counted of them, than to read them. A slice of the columns is read of each side at a time.

// Columns from which on, and values of the files opened up to which, records are compared here.
const (
	columnsHere = 100
	valuesHere  = 1_000_000
)

// isCountedHere reports whether the records are compared here: few, of many columns, whose values are plain.
func (d *Difference) isCountedHere(columns []schema.Column) bool {
	if len(columns) < columnsHere || d.Opened()*int64(len(columns)) > valuesHere {
		return false
	}
	for _, k := range d.Schema.KeyColumns() {
		if !k.Type.IsInteger() && k.Type.Name != schema.Varchar && k.Type.Name != schema.Date {
			return false
		}
	}
	for _, c := range columns {
		switch c.Type.Name {
		case schema.Boolean, schema.Float, schema.Double, schema.Decimal, schema.Varchar, schema.Date, schema.Timestamp,
			schema.TimestampTZ:
		default:
			if !c.Type.IsInteger() {
				return false
			}
		}
	}
	return true
}

// countHere is Count for such records.
func (d *Difference) countHere(ctx context.Context, conn *duck.Conn, columns []schema.Column) (Counts, error) {
	out, modified := Counts{Columns: map[string]int64{}}, map[string]bool{}
	for _, some := range SlicesOf(columns, stripColumns) {
		if err := out.addHere(ctx, conn, d, some, modified); err != nil {
			return out, err
		}
	}
	out.Modified = int64(len(modified))
	return out, nil
}

// addHere counts what differs in some columns, and notes the keys of modified records.
func (c *Counts) addHere(
	ctx context.Context, conn *duck.Conn, d *Difference, columns []schema.Column, modified map[string]bool,
) error {
	part := d.Narrow(columns)
	a, err := part.sideHere(ctx, conn, part.SideA(), columns)
	if err != nil {
		return err
	}
	defer a.rows.Release()
	b, err := part.sideHere(ctx, conn, part.SideB(), columns)
	if err != nil {
		return err
	}
	defer b.rows.Release()
	c.Added, c.Removed = 0, 0
	for key := range a.at {
		if _, ok := b.at[key]; !ok {
			c.Removed++
		}
	}
	for key, row := range b.at {
		was, ok := a.at[key]
		if !ok {
			c.Added++
			continue
		}
		for i, column := range columns {
			if !sameValue(a.rows.Column(a.keys+i), was, b.rows.Column(b.keys+i), row) {
				c.Columns[column.Name]++
				modified[key] = true
			}
		}
	}
	return nil
}

// sideHere is a side with some columns: its key first, and where each key is.
type sideHere struct {
	rows arrow.RecordBatch
	keys int
	at   map[string]int
}

// sideHere reads the columns of a side.
func (d *Difference) sideHere(
	ctx context.Context, conn *duck.Conn, side string, columns []schema.Column,
) (out sideHere, err error) {
	var list []string
	for _, k := range d.Schema.KeyColumns() {
		list = append(list, schema.ColumnName(k.ID))
	}
	out.keys = len(list)
	for _, c := range columns {
		list = append(list, schema.ColumnName(c.ID))
	}
	if out.rows, err = conn.Batch(ctx, "SELECT "+strings.Join(list, ", ")+" FROM ("+side+")"); err != nil {
		return out, err
	}
	out.at = make(map[string]int, out.rows.NumRows())
	for row := range int(out.rows.NumRows()) {
		var key strings.Builder
		for i := range out.keys {
			text := out.rows.Column(i).ValueStr(row)
			fmt.Fprintf(&key, "%d:%s", len(text), text)
		}
		out.at[key.String()] = row
	}
	return out, nil
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
