package datafile

import (
	"errors"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Int96 is what a column of the old type of timestamps holds: the nanosecond of the day and the day. DuckDB reads them
// as microseconds.
type Int96 int

// The kinds.
const (
	NoInt96      Int96 = iota
	WholeMicros        // no value has parts of microseconds
	Nanoseconds        // some value has
	UnknownInt96       // parquet-go can't read them: fastparquet pads its pages
)

// With returns what two files have together of one column.
func (kind Int96) With(other Int96) Int96 {
	if kind == Nanoseconds || other == Nanoseconds {
		return Nanoseconds
	}
	return max(kind, other)
}

// int96Of looks at the values of a column. parquet-go panics on some malformed files.
func int96Of(f *parquet.File, c *parquet.Column) (kind Int96) {
	defer func() {
		if recover() != nil {
			kind = UnknownInt96
		}
	}()
	switch fine, err := hasNanoseconds(f, c); {
	case err != nil:
		return UnknownInt96
	case fine:
		return Nanoseconds
	}
	return WholeMicros
}

// int96Size is the size of a value in bytes.
const int96Size = 12

// Plainly writes a copy of an uploaded file to path in which geometries, and the named columns of INT96, are binaries.
// Only the footer differs.
func Plainly(from, path string, int96 []string) (err error) {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	defer func() {
		if p := recover(); p != nil {
			err = errForeign
		}
	}()
	if _, err := out.WriteString(mark); err != nil {
		return err
	}
	footer, _, err := appendBody(out, from)
	if err != nil {
		return err
	}
	for i := range footer.Schema {
		plainGeometry(&footer.Schema[i])
	}
	for _, i := range columnsIn(footer.Schema) {
		plainTimestamps(&footer.Schema[i], int96)
	}
	for _, group := range footer.RowGroups {
		for k := range group.Columns {
			plainChunk(&group.Columns[k].MetaData, int96)
		}
	}
	return writeFooter(out, footer)
}

// columnsIn returns the places of the columns among the elements of a schema, each of which is followed by its parts. A
// part may have the name of a column.
func columnsIn(elements []format.SchemaElement) (at []int) {
	for i := 1; i < len(elements); { // the first is the whole schema
		at = append(at, i)
		for left := int32(1); left > 0 && i < len(elements); i++ {
			left += elements[i].NumChildren.V - 1
		}
	}
	return at
}

func plainGeometry(e *format.SchemaElement) {
	switch e.LogicalType.Value.(type) {
	case *format.GeometryType, *format.GeographyType:
		e.LogicalType = format.LogicalType{}
	}
}

func plainTimestamps(e *format.SchemaElement, int96 []string) {
	if e.Type.Valid && e.Type.V == format.Int96 && slices.Contains(int96, e.Name) {
		e.Type.V = format.FixedLenByteArray
		e.TypeLength.V, e.TypeLength.Valid = int96Size, true
	}
}

func plainChunk(m *format.ColumnMetaData, int96 []string) {
	if m.Type == format.Int96 && len(m.PathInSchema) == 1 && slices.Contains(int96, m.PathInSchema[0]) {
		m.Type, m.Statistics = format.FixedLenByteArray, format.Statistics{}
	}
}
