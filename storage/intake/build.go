package intake

// The second reading of JSON records: their values go into Arrow, in the types that their shape has.

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/rowback/rowback/storage/schema"
)

// eachElement calls f for each element of a JSON array.
func eachElement(list jsontext.Value, f func(jsontext.Value) error) error {
	d := jsontext.NewDecoder(bytes.NewReader(list))
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		if err := f(value); err != nil {
			return err
		}
	}
	return nil
}

// eachField calls f for each member of a JSON object.
func eachField(object jsontext.Value, f func(name string, value jsontext.Value) error) error {
	d := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		if err := f(key, value); err != nil {
			return err
		}
	}
	return nil
}

// arrowType returns the Arrow type in which values of t are passed to DuckDB. JSON is passed as text.
func arrowType(t schema.Type) arrow.DataType {
	switch t.Name {
	case schema.Null, schema.Integer:
		return arrow.PrimitiveTypes.Int32
	case "TINYINT":
		return arrow.PrimitiveTypes.Int8
	case "SMALLINT":
		return arrow.PrimitiveTypes.Int16
	case "UTINYINT":
		return arrow.PrimitiveTypes.Uint8
	case "USMALLINT":
		return arrow.PrimitiveTypes.Uint16
	case "UINTEGER":
		return arrow.PrimitiveTypes.Uint32
	case schema.Boolean:
		return arrow.FixedWidthTypes.Boolean
	case schema.Bigint:
		return arrow.PrimitiveTypes.Int64
	case schema.Ubigint:
		return arrow.PrimitiveTypes.Uint64
	case schema.Double:
		return arrow.PrimitiveTypes.Float64
	case schema.Date:
		return arrow.FixedWidthTypes.Date32
	case schema.Timestamp:
		return &arrow.TimestampType{Unit: arrow.Microsecond}
	case schema.TimestampTZ:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	case schema.Decimal:
		return &arrow.Decimal128Type{Precision: int32(t.Width), Scale: int32(t.Scale)}
	case schema.List:
		return arrow.ListOf(arrowType(*t.Elem))
	case schema.Struct:
		if len(t.Fields) == 0 {
			return arrow.BinaryTypes.String
		}
		fields := make([]arrow.Field, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = arrow.Field{Name: f.Name, Type: arrowType(f.Type), Nullable: true}
		}
		return arrow.StructOf(fields...)
	}
	return arrow.BinaryTypes.String
}

// appendFields appends an object's values to the builders of its fields, and null for each field it lacks.
func appendFields(s *shape, builders []array.Builder, object jsontext.Value) error {
	if len(builders) == 0 {
		return nil
	}
	before := builders[0].Len()
	if err := eachField(object, func(name string, value jsontext.Value) error {
		f := s.byName[name]
		return appendValue(f.shape, builders[f.index], value)
	}); err != nil {
		return err
	}
	for _, b := range builders {
		if b.Len() == before {
			b.AppendNull()
		}
	}
	return nil
}

// appendValue appends a value to the builder of the type that was chosen for its place.
func appendValue(s *shape, b array.Builder, value jsontext.Value) error {
	if value.Kind() == 'n' {
		b.AppendNull()
		return nil
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(value.Kind() == 't')
	case *array.Int8Builder, *array.Int16Builder, *array.Int32Builder, *array.Int64Builder,
		*array.Uint8Builder, *array.Uint16Builder, *array.Uint32Builder, *array.Uint64Builder:
		return b.AppendValueFromString(string(value))
	case *array.Float64Builder:
		f, err := strconv.ParseFloat(string(value), 64)
		if math.IsInf(f, 0) {
			return misshapen("the number %s is too large for a DOUBLE", value)
		}
		b.Append(f)
		return err
	case *array.Decimal128Builder:
		t := b.Type().(*arrow.Decimal128Type)
		n, err := decimal128.FromString(plain(string(value), int(t.Scale)), t.Precision, t.Scale)
		b.Append(n)
		return err
	case *array.Date32Builder:
		days, ok := plainDate(string(value[1 : len(value)-1]))
		b.Append(days)
		return readAgain(ok)
	case *array.TimestampBuilder:
		read := plainMoment
		if b.Type().(*arrow.TimestampType).TimeZone != "" {
			read = plainZoned
		}
		micros, ok := read(string(value[1 : len(value)-1]))
		b.Append(micros)
		return readAgain(ok)
	case *array.ListBuilder:
		b.Append(true)
		return eachElement(value, func(v jsontext.Value) error { return appendValue(s.elem, b.ValueBuilder(), v) })
	case *array.StructBuilder:
		b.Append(true)
		builders := make([]array.Builder, b.NumField())
		for i := range builders {
			builders[i] = b.FieldBuilder(i)
		}
		return appendFields(s, builders, value)
	case *array.StringBuilder:
		return appendText(s, b, value)
	}
	return nil
}

// readAgain is the error of a text that the first reading found to have another form: the file has changed since.
func readAgain(ok bool) error {
	if ok {
		return nil
	}
	return errors.New("it is not what it was when it was read first")
}

// plain returns a number without an exponent.
func plain(text string, places int) string {
	if !strings.ContainsAny(text, "eE") {
		return text
	}
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		return text
	}
	return exact.FloatString(places)
}

// written returns a number without an exponent, unless that would be very long.
func written(text string) string {
	if _, exponent := significant(text); exponent > -60 && exponent < 60 {
		return plain(text, max(0, -exponent))
	}
	return text
}

// appendText appends a string, or the text of the value itself if the place has the type JSON.
func appendText(s *shape, b *array.StringBuilder, value jsontext.Value) error {
	if value.Kind() == '0' && s.known.Name == schema.Varchar {
		b.Append(written(string(value)))
		return nil
	}
	if value.Kind() != '"' || s.known.Name == schema.JSON {
		value = value.Clone()
		err := value.Compact()
		b.Append(string(value))
		return err
	}
	text, err := jsontext.AppendUnquote(nil, value)
	b.Append(string(text))
	return err
}
