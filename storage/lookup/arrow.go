package lookup

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"

	"github.com/rowback/rowback/storage/schema"
)

// arrowTypes are the Arrow types of columns, as DuckDB has them, but for decimals.
var arrowTypes = map[string]arrow.DataType{
	schema.Boolean: arrow.FixedWidthTypes.Boolean,
	"TINYINT":      arrow.PrimitiveTypes.Int8, "SMALLINT": arrow.PrimitiveTypes.Int16,
	schema.Integer: arrow.PrimitiveTypes.Int32, schema.Bigint: arrow.PrimitiveTypes.Int64,
	"UTINYINT": arrow.PrimitiveTypes.Uint8, "USMALLINT": arrow.PrimitiveTypes.Uint16,
	"UINTEGER": arrow.PrimitiveTypes.Uint32, schema.Ubigint: arrow.PrimitiveTypes.Uint64,
	schema.Float: arrow.PrimitiveTypes.Float32, schema.Double: arrow.PrimitiveTypes.Float64,
	schema.Date: arrow.FixedWidthTypes.Date32, schema.Time: arrow.FixedWidthTypes.Time64us,
	schema.Timestamp:   &arrow.TimestampType{Unit: arrow.Microsecond},
	schema.TimestampNS: &arrow.TimestampType{Unit: arrow.Nanosecond},
	schema.TimestampTZ: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
	schema.Varchar:     arrow.BinaryTypes.String, schema.JSON: arrow.BinaryTypes.String,
	schema.UUID: arrow.BinaryTypes.String, schema.Null: arrow.PrimitiveTypes.Int32,
}

// ArrowType returns the Arrow type of a column; nil, if Array makes none.
func ArrowType(t schema.Type) arrow.DataType {
	if t.Name == schema.Decimal {
		return &arrow.Decimal128Type{Precision: int32(t.Width), Scale: int32(t.Scale)}
	}
	return arrowTypes[t.Name]
}

// Array returns a value, or null, of a column of a type that has an Arrow type, as an array of one.
func Array(v parquet.Value, t schema.Type) arrow.Array {
	b := array.NewBuilder(memory.DefaultAllocator, ArrowType(t))
	defer b.Release()
	appendTo(b, v, t)
	return b.NewArray()
}

// appendTo appends a value, or null, of a column of a type to a builder of its Arrow type.
func appendTo(b array.Builder, v parquet.Value, t schema.Type) {
	if v.IsNull() {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v.Boolean())
	case *array.Int8Builder:
		b.Append(int8(v.Int32()))
	case *array.Int16Builder:
		b.Append(int16(v.Int32()))
	case *array.Int32Builder:
		b.Append(v.Int32())
	case *array.Int64Builder:
		b.Append(v.Int64())
	case *array.Uint8Builder:
		b.Append(uint8(v.Uint32()))
	case *array.Uint16Builder:
		b.Append(uint16(v.Uint32()))
	case *array.Uint32Builder:
		b.Append(v.Uint32())
	case *array.Uint64Builder:
		b.Append(v.Uint64())
	case *array.Float32Builder:
		b.Append(v.Float())
	case *array.Float64Builder:
		b.Append(v.Double())
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.Int32()))
	case *array.Time64Builder:
		b.Append(arrow.Time64(v.Int64()))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.Int64()))
	case *array.Decimal128Builder:
		b.Append(decimalOf(v))
	case *array.StringBuilder:
		b.Append(textOf(v, t))
	}
}

func decimalOf(v parquet.Value) decimal128.Num {
	switch v.Kind() {
	case parquet.Int32:
		return decimal128.FromI64(int64(v.Int32()))
	case parquet.Int64:
		return decimal128.FromI64(v.Int64())
	}
	return decimal128.FromBigInt(signedBytes(v.ByteArray()))
}

func textOf(v parquet.Value, t schema.Type) string {
	if t.Name != schema.UUID {
		return string(v.ByteArray())
	}
	var id uuid.UUID
	copy(id[:], v.ByteArray())
	return id.String()
}
