package intake

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// Arrow has types that DuckDB does not read although it has a type for their values. narrow.go replaces them in the
// schema and in every batch, at any depth: half floats become floats, decimals of 256 bits those of 128 bits if their
// precision allows that, and geometries in well-known binary are plain binaries.

// narrowedFields returns fields with types that DuckDB reads.
func narrowedFields(fields []arrow.Field) []arrow.Field {
	out := make([]arrow.Field, len(fields))
	for i, f := range fields {
		out[i] = narrowedField(f)
	}
	return out
}

func narrowedField(f arrow.Field) arrow.Field {
	f.Type = narrowedType(f.Type)
	if isGeometry(f) {
		f.Metadata = arrow.Metadata{}
	}
	return f
}

// isGeometry reports whether a field has geometries as binaries, which DuckDB would read as a type that can't be
// stored.
func isGeometry(f arrow.Field) bool {
	name, _ := f.Metadata.GetValue("ARROW:extension:name")
	return strings.EqualFold(name, "geoarrow.wkb") || strings.EqualFold(name, "ogc.wkb")
}

func narrowedType(t arrow.DataType) arrow.DataType {
	switch t := t.(type) {
	case *arrow.Float16Type:
		return arrow.PrimitiveTypes.Float32
	case *arrow.Decimal256Type:
		if t.Precision <= 38 {
			return &arrow.Decimal128Type{Precision: t.Precision, Scale: t.Scale}
		}
	case *arrow.ListType:
		return arrow.ListOfField(narrowedField(t.ElemField()))
	case *arrow.LargeListType:
		return arrow.LargeListOfField(narrowedField(t.ElemField()))
	case *arrow.ListViewType:
		return arrow.ListViewOfField(narrowedField(t.ElemField()))
	case *arrow.LargeListViewType:
		return arrow.LargeListViewOfField(narrowedField(t.ElemField()))
	case *arrow.FixedSizeListType:
		return arrow.FixedSizeListOfField(t.Len(), narrowedField(t.ElemField()))
	case *arrow.DictionaryType:
		return &arrow.DictionaryType{IndexType: t.IndexType, ValueType: narrowedType(t.ValueType), Ordered: t.Ordered}
	case *arrow.RunEndEncodedType:
		if values := narrowedType(t.Encoded()); !arrow.TypeEqual(values, t.Encoded()) {
			return arrow.RunEndEncodedOf(t.RunEnds(), values)
		}
	case *arrow.MapType:
		out := arrow.MapOfFields(narrowedField(t.KeyField()), narrowedField(t.ItemField()))
		out.KeysSorted = t.KeysSorted
		return out
	case *arrow.StructType:
		return arrow.StructOf(narrowedFields(t.Fields())...)
	}
	return t
}

// narrowed returns a batch that has the fields of narrowedFields; the caller releases it.
func narrowed(s *arrow.Schema, b arrow.RecordBatch) arrow.RecordBatch {
	columns := make([]arrow.Array, b.NumCols())
	for i, c := range b.Columns() {
		data := narrowedData(c.Data(), s.Field(i).Type)
		columns[i] = array.MakeFromData(data)
		data.Release()
		defer columns[i].Release()
	}
	return array.NewRecordBatch(s, columns, b.NumRows())
}

// narrowedData returns values as those of the narrowed type t. The caller releases them.
func narrowedData(d arrow.ArrayData, t arrow.DataType) arrow.ArrayData {
	with := func(values *memory.Buffer) arrow.ArrayData {
		return array.NewData(t, d.Len(), []*memory.Buffer{d.Buffers()[0], values}, nil, d.NullN(), d.Offset())
	}
	switch from := d.DataType().(type) {
	case *arrow.Float16Type:
		return with(floats(d))
	case *arrow.Decimal256Type:
		if from.Precision <= 38 {
			return with(decimals(d))
		}
	case *arrow.DictionaryType:
		return narrowedDictionary(d, t.(*arrow.DictionaryType))
	case arrow.NestedType:
		return narrowedParts(d, t)
	}
	d.Retain()
	return d
}

// narrowedDictionary is narrowedData for a dictionary, whose indexes stay as they are.
func narrowedDictionary(d arrow.ArrayData, t *arrow.DictionaryType) arrow.ArrayData {
	words := narrowedData(d.Dictionary(), t.ValueType)
	defer words.Release()
	return array.NewDataWithDictionary(t, d.Len(), d.Buffers(), d.NullN(), d.Offset(), words.(*array.Data))
}

// narrowedParts is narrowedData for a nested type.
func narrowedParts(d arrow.ArrayData, t arrow.DataType) arrow.ArrayData {
	types := partTypes(t)
	if len(types) != len(d.Children()) {
		d.Retain()
		return d
	}
	children := make([]arrow.ArrayData, len(types))
	for i, child := range d.Children() {
		children[i] = narrowedData(child, types[i])
		defer children[i].Release()
	}
	return array.NewData(t, d.Len(), d.Buffers(), children, d.NullN(), d.Offset())
}

// partTypes returns the types of the children of an array of a type that narrowedType looks into; none of others.
func partTypes(t arrow.DataType) (types []arrow.DataType) {
	switch t := t.(type) {
	case *arrow.MapType:
		return []arrow.DataType{t.Elem()}
	case *arrow.RunEndEncodedType:
		return []arrow.DataType{t.RunEnds(), t.Encoded()}
	case *arrow.ListType, *arrow.LargeListType, *arrow.FixedSizeListType, *arrow.ListViewType, *arrow.LargeListViewType:
		return []arrow.DataType{t.(arrow.ListLikeType).Elem()}
	case *arrow.StructType:
		for _, f := range t.Fields() {
			types = append(types, f.Type)
		}
	}
	return types
}

// floats converts half floats, from the start of their buffer.
func floats(d arrow.ArrayData) *memory.Buffer {
	n := d.Offset() + d.Len()
	out := make([]float32, n)
	if n > 0 {
		for i, v := range float16Values(d)[:n] {
			out[i] = duck.Half(v)
		}
	}
	return memory.NewBufferBytes(arrow.Float32Traits.CastToBytes(out))
}

func float16Values(d arrow.ArrayData) []float16.Num {
	return arrow.Float16Traits.CastFromBytes(d.Buffers()[1].Bytes())
}

// decimals converts decimals of 256 bits, from the start of their buffer. They have as many digits as their type says,
// which validate has checked; what lies under a null may have more, and is cut off.
func decimals(d arrow.ArrayData) *memory.Buffer {
	n := d.Offset() + d.Len()
	if n == 0 {
		return memory.NewBufferBytes(nil)
	}
	out := make([]decimal128.Num, n)
	for i, v := range arrow.Decimal256Traits.CastFromBytes(d.Buffers()[1].Bytes())[:n] {
		words := v.Array()
		out[i] = decimal128.New(int64(words[1]), words[0])
	}
	return memory.NewBufferBytes(arrow.Decimal128Traits.CastToBytes(out))
}

// hollow returns a type of DuckDB's with NULL in each place where Arrow has it: DuckDB reads some other type there,
// which would keep the place from becoming what its first value is.
func hollow(t schema.Type, of arrow.DataType) schema.Type {
	switch of := of.(type) {
	case *arrow.NullType:
		return schema.Of(schema.Null)
	case *arrow.MapType:
		elem := hollow(*t.Elem, of.ItemType())
		t.Elem = &elem
	case *arrow.ListType, *arrow.LargeListType, *arrow.FixedSizeListType, *arrow.ListViewType, *arrow.LargeListViewType:
		return schema.ListOf(hollow(*t.Elem, of.(arrow.ListLikeType).Elem()))
	case *arrow.StructType:
		fields := make([]schema.Field, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = schema.Field{Name: f.Name, Type: hollow(f.Type, of.Field(i).Type)}
		}
		t.Fields = fields
	}
	return t
}
