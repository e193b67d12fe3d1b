package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/gate"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// checkType refuses a column whose values can't be stored, whatever they are.
func checkType(name string, t schema.Type) error {
	if why := gate.Type(t); why != "" {
		return fault.Errorf(fault.Invalid, "unsupported_type", "Column %q %s.", name, why).With("column", name)
	}
	return nil
}

// CheckDepth refuses JSON that many readers could not read when it is given back: it is too deep.
func CheckDepth(body []byte) error {
	if gate.Depth(body) > gate.MaxJSONDepth {
		return fault.Errorf(fault.Malformed, "malformed_json",
			"The JSON has more than %d arrays and objects inside one another.", gate.MaxJSONDepth)
	}
	return nil
}

// checkValues makes sure that every incoming value can be read once it is stored. It reads what is to be stored, so
// what DuckDB has made of the values is checked, too. Only columns whose type has values that can't be stored are
// looked at; JSON that is kept as it came was decoded strictly.
func (a arriving) checkValues(ctx context.Context) error {
	if batch, ok := a.in.kept.(keptBatch); ok {
		return checkBatch(a.in.doubtful(), a.inBatch(batch))
	}
	return valueCheck{a.conn}.relation(ctx, a.in.of, a.in.doubtful())
}

// doubtful are the columns that came whose values have to be looked at.
func (in *incoming) doubtful() (columns []schema.Column) {
	for _, c := range in.columns {
		o := in.offered[c.from]
		if decoded := o.Format == intake.JSON && o.Type.Equal(c.Type); !decoded && gate.Checked(c.Type) {
			columns = append(columns, c.Column)
		}
	}
	return columns
}

// inTable returns the values of a column in the rows of the table incoming.
func (in *incoming) inTable(batch arrow.RecordBatch) func(id int) arrow.Array {
	return func(id int) arrow.Array { return batch.Column(in.index(id)) }
}

// valueCheck looks at values by statements.
type valueCheck struct{ conn *duck.Conn }

// relation is checkValues for columns, by field id, of a relation that numbers its records as _n: relation is its
// SQL with no more than some of the columns.
func (v valueCheck) relation(
	ctx context.Context, relation func([]schema.Column) string, columns []schema.Column,
) error {
	// DuckDB keeps 2,048 values of each column that a statement reads.
	for some := range slices.Chunk(columns, partColumns) {
		all, err := v.beyondEnds(ctx, relation(some), some)
		if err != nil {
			return err
		}
		if err := v.each(ctx, relation(all), all); err != nil {
			return err
		}
	}
	return nil
}

// whole is a relation of few columns.
func whole(format string, args ...any) func([]schema.Column) string {
	relation := fmt.Sprintf(format, args...)
	return func([]schema.Column) string { return relation }
}

// beyondEnds leaves out the columns whose least and greatest value show that all can be stored. Dates and times that
// are out of range are greater or less than all others, so that the ends show them.
func (v valueCheck) beyondEnds(
	ctx context.Context, relation string, columns []schema.Column,
) (rest []schema.Column, err error) {
	var ends []string
	var ordered []schema.Column
	for _, c := range columns {
		if !gate.Ordered(c.Type) {
			rest = append(rest, c)
			continue
		}
		ordered = append(ordered, c)
		ends = append(ends, fmt.Sprintf("min(%[1]s), max(%[1]s)", schema.ColumnName(c.ID)))
	}
	if len(ordered) == 0 {
		return rest, nil
	}
	batch, err := v.conn.Batch(ctx, "SELECT "+strings.Join(ends, ", ")+" FROM "+relation)
	if err != nil {
		return nil, err
	}
	defer batch.Release()
	for i, c := range ordered {
		if gate.Value(c.Type, batch.Column(2*i), 0) != "" || gate.Value(c.Type, batch.Column(2*i+1), 0) != "" {
			rest = append(rest, c)
		}
	}
	return rest, nil
}

// each looks at every value of some columns.
func (v valueCheck) each(ctx context.Context, relation string, columns []schema.Column) error {
	if len(columns) == 0 {
		return nil
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = schema.ColumnName(c.ID)
	}
	r, err := v.conn.Stream(ctx, "SELECT "+strings.Join(names, ", ")+", _n FROM "+relation)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		batch, err := r.Next()
		if err != nil || batch == nil {
			return err
		}
		err = checkNumbered(columns, batch)
		batch.Release()
		if err != nil {
			return err
		}
	}
}

// checkNumbered is checkBatch for records that come with their numbers, in the last column.
func checkNumbered(columns []schema.Column, batch arrow.RecordBatch) error {
	numbers := batch.Column(len(columns)).(*array.Int64)
	for k, c := range columns {
		if i, why := firstUnstorable(c.Type, batch.Column(k)); why != "" {
			return unstorable(c, numbers.Value(i), why)
		}
	}
	return nil
}

// checkBatch looks at every value of some columns of records that are in memory. at returns the values of a column.
func checkBatch(columns []schema.Column, at func(id int) arrow.Array) error {
	for _, c := range columns {
		if i, why := firstUnstorable(c.Type, at(c.ID)); why != "" {
			return unstorable(c, int64(i), why)
		}
	}
	return nil
}

// firstUnstorable finds the first value of an array that can't be stored, and says what is wrong with it.
func firstUnstorable(t schema.Type, a arrow.Array) (i int, why string) {
	for i := range a.Len() {
		if why := gate.Value(t, a, i); why != "" {
			return i, why
		}
	}
	return 0, ""
}

// unstorable refuses a value; record is its record's number from 0.
func unstorable(c schema.Column, record int64, why string) error {
	return fault.Errorf(fault.Invalid, "unstorable_value",
		"Column %q (%s) has in record %d %s. Correct or convert it, and send the records again.",
		c.Name, c.Type, record+1, why).
		With("column", c.Name).With("record", record+1)
}
