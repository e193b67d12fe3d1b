package flight

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage/duck"
)

// maxDigits is the most digits of a DuckDB decimal.
const maxDigits = 38

var (
	errFine  = errors.New("has parts of microseconds, which only timestamps without a zone keep")
	errRange = errors.New("is outside the range of its type")
)

// valueOf returns element i of an array as a statement's parameter. An error's text continues the parameter's name.
func valueOf(a arrow.Array, i int) (any, error) {
	if a.IsNull(i) {
		return nil, nil
	}
	switch a := a.(type) {
	case *array.Null: // which has no bitmap
		return nil, nil
	case *array.Boolean:
		return a.Value(i), nil
	case *array.Float16:
		return float64(duck.Half(a.Value(i))), nil
	case *array.Float32:
		return float64(a.Value(i)), nil
	case *array.Float64:
		return a.Value(i), nil
	case array.StringLike:
		return strings.Clone(a.Value(i)), nil
	case interface{ Value(i int) []byte }: // binaries of all kinds
		return slices.Clone(a.Value(i)), nil
	case *array.Dictionary:
		return valueOf(a.Dictionary(), a.GetValueIndex(i))
	case array.ListLike:
		return listOf(a, i)
	case array.ExtensionArray:
		return valueOf(a.Storage(), i)
	}
	if n, ok := integerOf(a, i); ok {
		return n, nil
	}
	if d, ok := decimalOf(a, i); ok {
		if d.Scale < 0 || len(new(big.Int).Abs(d.Digits).String()) > maxDigits || d.Scale > maxDigits {
			return nil, fmt.Errorf("is a decimal of more than %d digits, or of whole tens", maxDigits)
		}
		return d, nil
	}
	return momentOf(a, i)
}

// integerOf returns an integer of any width. An unsigned one may be larger than DuckDB's BIGINT.
func integerOf(a arrow.Array, i int) (any, bool) {
	switch a := a.(type) {
	case *array.Int8:
		return int64(a.Value(i)), true
	case *array.Int16:
		return int64(a.Value(i)), true
	case *array.Int32:
		return int64(a.Value(i)), true
	case *array.Int64:
		return a.Value(i), true
	case *array.Uint8:
		return int64(a.Value(i)), true
	case *array.Uint16:
		return int64(a.Value(i)), true
	case *array.Uint32:
		return int64(a.Value(i)), true
	case *array.Uint64:
		return duck.Decimal{Digits: new(big.Int).SetUint64(a.Value(i))}, true
	}
	return nil, false
}

func decimalOf(a arrow.Array, i int) (d duck.Decimal, ok bool) {
	t, ok := a.DataType().(arrow.DecimalType)
	if !ok {
		return d, false
	}
	d.Scale = int(t.GetScale())
	switch a := a.(type) {
	case *array.Decimal32:
		d.Digits = big.NewInt(int64(a.Value(i)))
	case *array.Decimal64:
		d.Digits = big.NewInt(int64(a.Value(i)))
	case *array.Decimal128:
		d.Digits = a.Value(i).BigInt()
	case *array.Decimal256:
		d.Digits = a.Value(i).BigInt()
	default:
		return d, false
	}
	return d, true
}

// listOf returns a list of plain values.
func listOf(a array.ListLike, i int) (any, error) {
	if _, isMap := a.(*array.Map); isMap {
		return nil, errors.New("is a map. A value is plain, or a list of plain values")
	}
	from, to := a.ValueOffsets(i)
	out, exact := make([]any, 0, to-from), false
	for k := from; k < to; k++ {
		v, err := valueOf(a.ListValues(), int(k))
		if err != nil {
			return nil, err
		}
		switch v.(type) {
		case []any, duck.Nested:
			return nil, errors.New("is a list of lists. A list has plain values")
		case duck.Decimal:
			exact = true
		}
		out = append(out, v)
	}
	if exact { // otherwise they would be doubles
		return duck.Nested{Value: out}, nil
	}
	return out, nil
}

// momentOf returns a date, a time of day or a timestamp.
func momentOf(a arrow.Array, i int) (any, error) {
	switch a := a.(type) {
	case *array.Date32:
		return duck.Moment{Type: "DATE", Count: int64(a.Value(i))}, nil
	case *array.Date64:
		days := math.Floor(float64(a.Value(i)) / (24 * 60 * 60 * 1000))
		if math.Abs(days) > math.MaxInt32 {
			return nil, errRange
		}
		return duck.Moment{Type: "DATE", Count: int64(days)}, nil
	case *array.Time32:
		return micros("TIME", int64(a.Value(i)), a.DataType().(*arrow.Time32Type).Unit)
	case *array.Time64:
		return micros("TIME", int64(a.Value(i)), a.DataType().(*arrow.Time64Type).Unit)
	case *array.Timestamp:
		t := a.DataType().(*arrow.TimestampType)
		switch {
		case t.TimeZone != "":
			return micros("TIMESTAMP WITH TIME ZONE", int64(a.Value(i)), t.Unit)
		case t.Unit == arrow.Nanosecond:
			return duck.Moment{Type: "TIMESTAMP_NS", Count: int64(a.Value(i))}, nil
		}
		return micros("TIMESTAMP", int64(a.Value(i)), t.Unit)
	}
	return nil, fmt.Errorf(
		"has the Arrow type %s. A value is a boolean, a number, a text, a binary, a date, a time, a timestamp, or a list "+
			"of those",
		a.DataType())
}

// micros converts a count of a unit to microseconds.
func micros(typ string, count int64, unit arrow.TimeUnit) (any, error) {
	if day := int64(24 * time.Hour / unit.Multiplier()); typ == "TIME" && (count < 0 || count >= day) {
		return nil, errRange
	}
	if unit == arrow.Nanosecond {
		if count%1000 != 0 {
			return nil, errFine
		}
		return duck.Moment{Type: typ, Count: count / 1000}, nil
	}
	of := map[arrow.TimeUnit]int64{arrow.Second: 1_000_000, arrow.Millisecond: 1000, arrow.Microsecond: 1}[unit]
	if count > math.MaxInt64/of || count < math.MinInt64/of {
		return nil, errRange
	}
	return duck.Moment{Type: typ, Count: count * of}, nil
}
