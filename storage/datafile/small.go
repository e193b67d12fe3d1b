package datafile

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"

	"github.com/rowback/rowback/storage/schema"
)

// Encode returns the bytes of a file with the rows of a batch, whose columns must be those that Copy requires of a
// query.
func Encode(batch arrow.RecordBatch, spec Spec) ([]byte, error) {
	columns := spec.All()
	options := []parquet.WriterOption{
		parquet.DataPageVersion(int(cmp.Or(spec.Pages, PagesV2))), parquet.Compression(&parquet.Zstd), fileSchema(columns),
	}
	if spec.Pages == PagesV1 { // its default for texts is a delta encoding in either version
		options = append(options, parquet.DefaultEncodingFor(parquet.ByteArray, &parquet.Plain))
	}
	for k, v := range spec.metadata() {
		options = append(options, parquet.KeyValueMetadata(k, v))
	}
	var out bytes.Buffer
	w := parquet.NewWriter(&out, options...)
	s := shredder{arrays: batch.Columns(), columns: columns}
	for i := range int(batch.NumRows()) {
		if _, err := w.WriteRows([]parquet.Row{s.row(i)}); err != nil {
			return nil, err
		}
	}
	err := errors.Join(s.err, w.Close())
	return out.Bytes(), err
}

// group is a Parquet group whose fields keep their order; parquet.Group sorts them by name.
type group struct {
	parquet.Group
	fields []parquet.Field
}

func (g group) Fields() []parquet.Field { return g.fields }

// newGroup is a group of fields in the order of their names here.
func newGroup(names []string, nodes []parquet.Node) group {
	g := group{Group: parquet.Group{}}
	for i, name := range names {
		g.Group[name] = nodes[i]
	}
	byName := map[string]parquet.Field{}
	for _, f := range g.Group.Fields() {
		byName[f.Name()] = f
	}
	for _, name := range names {
		g.fields = append(g.fields, byName[name])
	}
	return g
}

// fileSchema is the Parquet schema of columns. All are optional, as those that DuckDB writes: a column that has no null
// today may have one in the next file, and readers of both should see one type.
func fileSchema(columns []schema.Column) *parquet.Schema {
	names := make([]string, len(columns))
	nodes := make([]parquet.Node, len(columns))
	for i, c := range columns {
		names[i] = c.Name
		nodes[i] = parquet.FieldID(parquet.Optional(node(c.Type)), c.ID)
	}
	return parquet.NewSchema("rowback", newGroup(names, nodes))
}

// node returns the Parquet type that DuckDB writes for t, so that files by both writers read the same.
func node(t schema.Type) parquet.Node {
	switch t.Name {
	case schema.Boolean:
		return parquet.Leaf(parquet.BooleanType)
	case "TINYINT":
		return parquet.Int(8)
	case "SMALLINT":
		return parquet.Int(16)
	case schema.Integer, schema.Null:
		return parquet.Int(32)
	case schema.Bigint:
		return parquet.Int(64)
	case "UTINYINT":
		return parquet.Uint(8)
	case "USMALLINT":
		return parquet.Uint(16)
	case "UINTEGER":
		return parquet.Uint(32)
	case schema.Ubigint:
		return parquet.Uint(64)
	case schema.Float:
		return parquet.Leaf(parquet.FloatType)
	case schema.Double:
		return parquet.Leaf(parquet.DoubleType)
	case schema.Decimal:
		return decimalNode(t)
	case schema.Blob:
		return parquet.Leaf(parquet.ByteArrayType)
	case schema.JSON:
		return parquet.JSON()
	case schema.UUID:
		return parquet.UUID()
	case schema.Date:
		return parquet.Date()
	case schema.Time:
		return parquet.TimeAdjusted(parquet.Microsecond, false)
	case schema.Timestamp:
		return parquet.TimestampAdjusted(parquet.Microsecond, false)
	case schema.TimestampTZ:
		return parquet.Timestamp(parquet.Microsecond)
	case schema.TimestampNS:
		return parquet.TimestampAdjusted(parquet.Nanosecond, false)
	case schema.List:
		return parquet.List(parquet.Optional(node(*t.Elem)))
	case schema.Map:
		return parquet.Map(node(*t.Key), parquet.Optional(node(*t.Elem)))
	case schema.Struct:
		names := make([]string, len(t.Fields))
		nodes := make([]parquet.Node, len(t.Fields))
		for i, f := range t.Fields {
			names[i], nodes[i] = f.Name, parquet.Optional(node(f.Type))
		}
		return newGroup(names, nodes)
	}
	return parquet.String()
}

// decimalNode has decimals in the smallest type that holds their digits, as DuckDB does.
func decimalNode(t schema.Type) parquet.Node {
	switch {
	case t.Width <= 9:
		return parquet.Decimal(t.Scale, t.Width, parquet.Int32Type)
	case t.Width <= 18:
		return parquet.Decimal(t.Scale, t.Width, parquet.Int64Type)
	}
	return parquet.Decimal(t.Scale, t.Width, parquet.FixedLenByteArrayType(16))
}

// shredder converts rows of Arrow arrays to Parquet rows: values with repetition and definition levels.
type shredder struct {
	arrays  []arrow.Array
	columns []schema.Column
	leaves  [][]parquet.Value // the row's values, by leaf column
	leaf    int               // the next leaf column
	err     error
}

// row shreds row i. The row that it returns is a copy: the slices of values are used again for the next one.
func (s *shredder) row(i int) parquet.Row {
	for l := range s.leaves {
		s.leaves[l] = s.leaves[l][:0]
	}
	s.leaf = 0
	for c, a := range s.arrays {
		s.optional(s.columns[c].Type, a, i, 0, 0, 0)
	}
	return slices.Concat(s.leaves...)
}

// optional emits element i of a. rep and def are its repetition and definition levels, depth the number of lists that
// enclose it.
func (s *shredder) optional(t schema.Type, a arrow.Array, i, rep, def, depth int) {
	if a.IsNull(i) {
		s.null(t, rep, def)
		return
	}
	s.value(t, a, i, rep, def+1, depth)
}

// value is optional for an element that is not null.
func (s *shredder) value(t schema.Type, a arrow.Array, i, rep, def, depth int) {
	switch t.Name {
	case schema.Struct:
		for f, field := range t.Fields {
			s.optional(field.Type, a.(*array.Struct).Field(f), i, rep, def, depth)
		}
	case schema.List:
		list := a.(*array.List)
		start, end := list.ValueOffsets(i)
		s.repeated(start, end, rep, def, depth, t, func(j, rep int) {
			s.optional(*t.Elem, list.ListValues(), j, rep, def+1, depth+1)
		})
	case schema.Map:
		m := a.(*array.Map)
		start, end := m.ValueOffsets(i)
		s.repeated(start, end, rep, def, depth, t, func(j, rep int) {
			s.value(*t.Key, m.Keys(), j, rep, def+1, depth+1)
			s.optional(*t.Elem, m.Items(), j, rep, def+1, depth+1)
		})
	default:
		s.emit(s.scalar(t, a, i), rep, def)
	}
}

// repeated emits the elements of a list from start to end: the first at the level of the list, the others as its
// repetitions.
func (s *shredder) repeated(start, end int64, rep, def, depth int, t schema.Type, element func(j, rep int)) {
	if start == end {
		s.null(t, rep, def)
		return
	}
	first := s.leaf
	for j := start; j < end; j++ {
		s.leaf = first
		element(int(j), rep)
		rep = depth + 1
	}
}

// null emits the absence of a value for every leaf below it.
func (s *shredder) null(t schema.Type, rep, def int) {
	switch t.Name {
	case schema.Struct:
		for _, f := range t.Fields {
			s.null(f.Type, rep, def)
		}
	case schema.Map:
		s.null(*t.Key, rep, def)
		s.null(*t.Elem, rep, def)
	case schema.List:
		s.null(*t.Elem, rep, def)
	default:
		s.emit(parquet.NullValue(), rep, def)
	}
}

// emit appends a value to the next leaf column.
func (s *shredder) emit(v parquet.Value, rep, def int) {
	if s.leaf == len(s.leaves) {
		s.leaves = append(s.leaves, nil)
	}
	s.leaves[s.leaf] = append(s.leaves[s.leaf], v.Level(rep, def, s.leaf))
	s.leaf++
}

// scalar returns element i of a, which is not null, in the physical type of node(t).
func (s *shredder) scalar(t schema.Type, a arrow.Array, i int) parquet.Value {
	switch v := a.(type) {
	case *array.Boolean:
		return parquet.BooleanValue(v.Value(i))
	case *array.Int8:
		return parquet.Int32Value(int32(v.Value(i)))
	case *array.Int16:
		return parquet.Int32Value(int32(v.Value(i)))
	case *array.Int32:
		return parquet.Int32Value(v.Value(i))
	case *array.Int64:
		return parquet.Int64Value(v.Value(i))
	case *array.Uint8:
		return parquet.Int32Value(int32(v.Value(i)))
	case *array.Uint16:
		return parquet.Int32Value(int32(v.Value(i)))
	case *array.Uint32:
		return parquet.Int32Value(int32(v.Value(i)))
	case *array.Uint64:
		return parquet.Int64Value(int64(v.Value(i)))
	case *array.Float32:
		return parquet.FloatValue(v.Value(i))
	case *array.Float64:
		return parquet.DoubleValue(v.Value(i))
	case *array.Date32:
		return parquet.Int32Value(int32(v.Value(i)))
	case *array.Time64:
		return parquet.Int64Value(int64(v.Value(i)))
	case *array.Timestamp:
		return parquet.Int64Value(int64(v.Value(i)))
	case *array.Decimal128:
		return decimalValue(t, v, i)
	case *array.Binary:
		return parquet.ByteArrayValue(v.Value(i))
	case *array.String:
		return s.text(t, v.Value(i))
	}
	s.err = errors.Join(s.err, errors.New("datafile: no Parquet value for Arrow type "+a.DataType().String()))
	return parquet.NullValue()
}

// text is a value that Arrow has as text; a UUID has 16 bytes in Parquet.
func (s *shredder) text(t schema.Type, text string) parquet.Value {
	if t.Name != schema.UUID {
		return parquet.ByteArrayValue([]byte(text))
	}
	id, err := uuid.Parse(text)
	s.err = errors.Join(s.err, err)
	return parquet.FixedLenByteArrayValue(id[:])
}

// decimalValue returns a decimal in the physical type of decimalNode(t); 16 bytes are big-endian.
func decimalValue(t schema.Type, a *array.Decimal128, i int) parquet.Value {
	n := a.Value(i)
	switch {
	case t.Width <= 9:
		return parquet.Int32Value(int32(n.LowBits()))
	case t.Width <= 18:
		return parquet.Int64Value(int64(n.LowBits()))
	}
	b := make([]byte, 16)
	for k := range 8 {
		b[7-k] = byte(n.HighBits() >> (8 * k))
		b[15-k] = byte(n.LowBits() >> (8 * k))
	}
	return parquet.FixedLenByteArrayValue(b)
}
