package duck

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Take returns some values of an array of a type that is not nested, in the order of rows, which the caller releases;
// a row of -1 is null.
func Take(from arrow.Array, rows []int) arrow.Array {
	switch a := from.(type) {
	case *array.String:
		b := array.NewStringBuilder(memory.DefaultAllocator)
		defer b.Release()
		b.Reserve(len(rows))
		for _, row := range rows {
			if row < 0 || a.IsNull(row) {
				b.AppendNull()
			} else {
				b.Append(a.Value(row))
			}
		}
		return b.NewArray()
	case *array.Boolean:
		b := array.NewBooleanBuilder(memory.DefaultAllocator)
		defer b.Release()
		b.Reserve(len(rows))
		for _, row := range rows {
			if row < 0 || a.IsNull(row) {
				b.AppendNull()
			} else {
				b.Append(a.Value(row))
			}
		}
		return b.NewArray()
	}
	return takeFixed(from, rows)
}

// takeFixed is Take for values of a fixed number of bytes.
func takeFixed(from arrow.Array, rows []int) arrow.Array {
	width := from.DataType().(arrow.FixedWidthDataType).Bytes()
	values, valid := make([]byte, width*len(rows)), make([]byte, bitutil.BytesForBits(int64(len(rows))))
	var old []byte
	if b := from.Data().Buffers()[1]; b != nil { // an array without values may have none
		old = b.Bytes()
	}
	first, nulls := from.Data().Offset(), 0
	for i, row := range rows {
		if row < 0 || from.IsNull(row) {
			nulls++
			continue
		}
		at := (first + row) * width
		copy(values[i*width:], old[at:at+width])
		bitutil.SetBit(valid, i)
	}
	buffers := []*memory.Buffer{memory.NewBufferBytes(valid), memory.NewBufferBytes(values)}
	data := array.NewData(from.DataType(), len(rows), buffers, nil, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data)
}
