package flight

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/arrow/util"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
)

// The most that may be bound to one statement: rows, and bytes as Arrow.
const (
	maxBoundRows  = 10_000
	maxBoundBytes = 1 << 20
)

// binding reads rows of parameters.
type binding struct {
	parameters []string
	columns    []int // the stream's column of each parameter
	rows       [][]duck.Param
	every      []duck.Param // for each column a value that is not null
	bytes      int64
}

// read reads all rows of values. A statement with parameters needs at least one row.
func (b *binding) read(r array.RecordReader) error {
	for r.Next() {
		if err := b.batch(r.RecordBatch()); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil {
		return errUnreadable
	}
	if len(b.parameters) > 0 && len(b.rows) == 0 {
		return badParams("there are no rows of values. Send at least one")
	}
	return nil
}

// batch adds the rows of a batch. Together they are bounded: they stay in memory until the statement runs.
func (b *binding) batch(batch arrow.RecordBatch) error {
	b.bytes += util.TotalRecordSize(batch)
	if int64(len(b.rows))+batch.NumRows() > maxBoundRows || b.bytes > maxBoundBytes {
		return errManyBound
	}
	if b.columns == nil {
		if err := b.match(batch.Schema()); err != nil {
			return err
		}
	}
	for i := range int(batch.NumRows()) {
		row := make([]duck.Param, len(b.parameters))
		for k, name := range b.parameters {
			value, err := valueOf(batch.Column(b.columns[k]), i)
			if err != nil {
				return badParams("$%s %s", name, err)
			}
			row[k] = duck.Param{Name: name, Value: value}
			if b.every[k].Value == nil || len(b.rows) == 0 && value != nil {
				b.every[k].Value = value
			}
		}
		b.rows = append(b.rows, row)
	}
	return b.typed(batch)
}

// match finds the column of each parameter: by position where the parameters have numbers, by name where they have
// names.
func (b *binding) match(s *arrow.Schema) error {
	if s.NumFields() != len(b.parameters) {
		return badParams("the statement has %d parameters, and the rows have %d columns", len(b.parameters), s.NumFields())
	}
	b.columns = make([]int, len(b.parameters))
	b.every = make([]duck.Param, len(b.parameters))
	for i, name := range b.parameters {
		b.columns[i], b.every[i] = i, duck.Param{Name: name}
		if _, err := strconv.Atoi(name); err == nil {
			continue
		}
		b.columns[i] = slices.IndexFunc(s.Fields(), func(f arrow.Field) bool { return f.Name == name })
		if b.columns[i] < 0 {
			return badParams("the statement has $%s, but no column of the rows has that name", name)
		}
	}
	return nil
}

// typed gives parameters whose values have all been null a value of their type, which decides on the result's types.
func (b *binding) typed(batch arrow.RecordBatch) error {
	for k, p := range b.every {
		if p.Value != nil {
			continue
		}
		builder := array.NewBuilder(memory.DefaultAllocator, batch.Column(b.columns[k]).DataType())
		builder.AppendEmptyValue()
		one := builder.NewArray()
		value, err := valueOf(one, 0)
		one.Release()
		builder.Release()
		if err != nil {
			return badParams("$%s %s", p.Name, err)
		}
		b.every[k].Value = value
	}
	return nil
}

var errManyBound = errTooLarge.Sayf(
	"The parameters have more than %d rows or %d bytes. Bind fewer at a time.", maxBoundRows, maxBoundBytes)

// badParams returns the refusal of parameters. The text follows "parameters:" and gets a full stop.
func badParams(format string, args ...any) error {
	return refuse(fault.Invalid, "invalid_params", "parameters: %s.", fmt.Sprintf(format, args...))
}
