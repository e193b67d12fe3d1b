package digest

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Marks of what follows in an encoding. Numbers are in number.go.
const (
	markNull   = 'n' // only in lists and maps; elsewhere nulls are left out
	markFalse  = 'f'
	markTrue   = 't'
	markText   = 's' // its length in bytes, and the bytes; also of JSON and UUIDs
	markBytes  = 'x' // the same
	markMoment = 'd' // of a date or a timestamp: the day since 1970, and the nanosecond of the day
	markZoned  = 'z' // the same of a timestamp with a time zone, in UTC
	markTime   = 'c' // the nanosecond of the day
	markList   = '[' // the number of elements, and each
	markStruct = '{' // the number of fields with a value, and each, as in a row
	markMap    = 'm' // the number of entries, and the key and the value of each, in order
)

// appender appends the encoding of value i, which is not null.
type appender func(to []byte, i int) []byte

// Table digests rows of batches with the same columns.
type Table struct{ names []string }

// NewTable returns a table with columns of these names, the first ones of its batches.
func NewTable(names []string) *Table { return &Table{names} }

// Add adds the digest of each row of a batch to the sum that sumOf returns for it.
func (t *Table) Add(batch arrow.RecordBatch, sumOf func(row int) *Sum) error {
	row, err := fieldsOf(t.names, func(i int) arrow.Array { return batch.Column(i) })
	if err != nil {
		return err
	}
	var text []byte
	for i := range int(batch.NumRows()) {
		text = row.append(text[:0], i)
		sum := sumOf(i)
		*sum = sum.Plus(of(text))
	}
	return nil
}

// fields are the columns of a table or the fields of a struct, in the order of their names.
type fields []field

type field struct {
	name   string
	prefix []byte // the name's length and the name
	values arrow.Array
	append appender
}

func fieldsOf(names []string, values func(i int) arrow.Array) (out fields, err error) {
	for i, name := range names {
		f := field{name: name, values: values(i)}
		f.prefix = append(binary.AppendUvarint(nil, uint64(len(name))), name...)
		if f.append, err = appenderOf(f.values); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(f, g field) int { return cmp.Compare(f.name, g.name) })
	return out, nil
}

// append appends the name and the value of each field that is not null.
func (fs fields) append(to []byte, i int) []byte {
	for _, f := range fs {
		if f.values.IsValid(i) {
			to = f.append(append(to, f.prefix...), i)
		}
	}
	return to
}

// count returns how many fields are not null.
func (fs fields) count(i int) (n uint64) {
	for _, f := range fs {
		if f.values.IsValid(i) {
			n++
		}
	}
	return n
}

// appenderOf returns what appends the values of an array.
func appenderOf(a arrow.Array) (appender, error) {
	if number := numbersOf(a); number != nil {
		return number, nil
	}
	switch v := a.(type) {
	case *array.Boolean:
		return func(to []byte, i int) []byte {
			if v.Value(i) {
				return append(to, markTrue)
			}
			return append(to, markFalse)
		}, nil
	case *array.String:
		return func(to []byte, i int) []byte { return appendBytes(to, markText, v.Value(i)) }, nil
	case *array.Binary:
		return func(to []byte, i int) []byte { return appendBytes(to, markBytes, v.Value(i)) }, nil
	case *array.Date32:
		return func(to []byte, i int) []byte { return appendMoment(to, markMoment, int64(v.Value(i)), 0) }, nil
	case *array.Timestamp:
		return momentsOf(v), nil
	case *array.Time64:
		unit := int64(v.DataType().(*arrow.Time64Type).Unit.Multiplier())
		return func(to []byte, i int) []byte {
			return binary.AppendUvarint(append(to, markTime), uint64(int64(v.Value(i))*unit))
		}, nil
	}
	return nestedOf(a)
}

// nestedOf is appenderOf for types that have parts.
func nestedOf(a arrow.Array) (appender, error) {
	switch v := a.(type) {
	case *array.Map:
		keys, err := appenderOf(v.Keys())
		if err != nil {
			return nil, err
		}
		items, err := appenderOf(v.Items())
		return func(to []byte, i int) []byte {
			start, end := v.ValueOffsets(i)
			to = binary.AppendUvarint(append(to, markMap), uint64(end-start))
			for j := int(start); j < int(end); j++ {
				to = appendElement(to, v.Keys(), keys, j)
				to = appendElement(to, v.Items(), items, j)
			}
			return to
		}, err
	case *array.List:
		elements, err := appenderOf(v.ListValues())
		return func(to []byte, i int) []byte {
			start, end := v.ValueOffsets(i)
			to = binary.AppendUvarint(append(to, markList), uint64(end-start))
			for j := int(start); j < int(end); j++ {
				to = appendElement(to, v.ListValues(), elements, j)
			}
			return to
		}, err
	case *array.Struct:
		names := make([]string, v.NumField())
		for i, f := range v.DataType().(*arrow.StructType).Fields() {
			names[i] = f.Name
		}
		parts, err := fieldsOf(names, v.Field)
		return func(to []byte, i int) []byte {
			return parts.append(binary.AppendUvarint(append(to, markStruct), parts.count(i)), i)
		}, err
	}
	return nil, fmt.Errorf("values of type %s have no digest", a.DataType())
}

func appendElement(to []byte, values arrow.Array, one appender, i int) []byte {
	if values.IsNull(i) {
		return append(to, markNull)
	}
	return one(to, i)
}

func appendBytes[T string | []byte](to []byte, mark byte, value T) []byte {
	return append(binary.AppendUvarint(append(to, mark), uint64(len(value))), value...)
}

func appendMoment(to []byte, mark byte, day, nanosecond int64) []byte {
	return binary.AppendUvarint(binary.AppendVarint(append(to, mark), day), uint64(nanosecond))
}

// momentsOf appends timestamps, whatever their unit: the same instant is the same in all of them.
func momentsOf(v *array.Timestamp) appender {
	t := v.DataType().(*arrow.TimestampType)
	mark, unit := byte(markMoment), int64(t.Unit.Multiplier())
	if t.TimeZone != "" {
		mark = markZoned
	}
	perDay := int64(24*time.Hour) / unit
	return func(to []byte, i int) []byte {
		n := int64(v.Value(i))
		day, rest := n/perDay, n%perDay
		if rest < 0 {
			day, rest = day-1, rest+perDay
		}
		return appendMoment(to, mark, day, rest*unit)
	}
}
