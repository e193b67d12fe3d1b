package lookup

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/big"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"

	"github.com/rowback/rowback/storage/schema"
)

// Value is a value of a key in its canonical form: the same for equal values, whatever type of their family they are
// stored in. So an INTEGER that became a BIGINT keeps its form, and its hash.
type Value struct {
	family family
	number int64  // integers; days, seconds or microseconds; the bits of floating-point numbers
	nanos  int32  // of moments: nanoseconds of the second
	text   string // what has bytes; numbers that are not 64-bit integers, as plain decimals
}

// Key is the values of a record's key, in the order of its columns.
type Key []Value

// family is types whose values may be equal. The letters are part of what is hashed.
type family byte

const (
	none     family = 0
	numbers  family = 'n' // integers and decimals
	floats   family = 'f'
	moments  family = 'm' // dates and timestamps without a zone
	instants family = 'z' // timestamps with one
	times    family = 't'
	booleans family = 'b'
	uuids    family = 'u'
	blobs    family = 'x'
	texts    family = 's'
	jsons    family = 'j'
)

func familyOf(t schema.Type) family {
	if t.IsInteger() || t.Name == schema.Decimal {
		return numbers
	}
	return map[string]family{
		schema.Float: floats, schema.Double: floats, schema.Date: moments, schema.Timestamp: moments,
		schema.TimestampNS: moments, schema.TimestampTZ: instants, schema.Time: times, schema.Boolean: booleans,
		schema.UUID: uuids, schema.Blob: blobs, schema.Varchar: texts, schema.JSON: jsons,
	}[t.Name]
}

// Keeps reports whether values of a type are the same after casts through the types that follow, in their canonical
// form too: only then does a file that has the first type answer for keys of the last.
func Keeps(t schema.Type, since []schema.Type) bool {
	if familyOf(t) == none {
		return false
	}
	for _, next := range since {
		if familyOf(next) != familyOf(t) || !next.Holds(t) {
			return false
		}
		t = next
	}
	return true
}

// Hash is what key filters keep of a key: xxHash64 of, for each value, its family's letter, the number as eight bytes
// and the nanoseconds and the length of the text as four each, all little-endian, then the text.
func (k Key) Hash() uint64 {
	return hashOf(k.appendTo(make([]byte, 0, 64)))
}

func hashOf(canonical []byte) uint64 { return xxhash.Sum64(canonical) }

func (k Key) appendTo(b []byte) []byte {
	for _, v := range k {
		b = append(b, byte(v.family))
		b = binary.LittleEndian.AppendUint64(b, uint64(v.number))
		b = binary.LittleEndian.AppendUint32(b, uint32(v.nanos))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(v.text)))
		b = append(b, v.text...)
	}
	return b
}

// isBelow reports whether a value is surely less than another. Where their order is not known, it is not.
func (v Value) isBelow(o Value) bool {
	switch v.family {
	case numbers:
		if v.text != "" || o.text != "" {
			return false
		}
	case moments, instants, times, texts:
	default:
		return false
	}
	return v.family == o.family &&
		cmp.Or(cmp.Compare(v.number, o.number), cmp.Compare(v.nanos, o.nanos), cmp.Compare(v.text, o.text)) < 0
}

// KeyOf returns the key in row i of the arrays of its columns; ok is false where one is null, or has no canonical form.
func KeyOf(arrays []arrow.Array, types []schema.Type, i int) (k Key, ok bool) {
	for c, a := range arrays {
		v, ok := valueIn(a, types[c], i)
		if !ok {
			return nil, false
		}
		k = append(k, v)
	}
	return k, true
}

// valueIn returns element i of an array.
func valueIn(a arrow.Array, t schema.Type, i int) (Value, bool) {
	if a.IsNull(i) {
		return Value{}, false
	}
	f := familyOf(t)
	switch v := a.(type) {
	case *array.Int8:
		return integer(int64(v.Value(i))), f == numbers
	case *array.Int16:
		return integer(int64(v.Value(i))), f == numbers
	case *array.Int32:
		return integer(int64(v.Value(i))), f == numbers
	case *array.Int64:
		return integer(v.Value(i)), f == numbers
	case *array.Uint8:
		return integer(int64(v.Value(i))), f == numbers
	case *array.Uint16:
		return integer(int64(v.Value(i))), f == numbers
	case *array.Uint32:
		return integer(int64(v.Value(i))), f == numbers
	case *array.Uint64:
		return unsigned(v.Value(i)), f == numbers
	case *array.Decimal128:
		return decimal(v.Value(i).BigInt(), int(v.DataType().(*arrow.Decimal128Type).Scale)), f == numbers
	case *array.Float32:
		return float(float64(v.Value(i))), f == floats
	case *array.Float64:
		return float(v.Value(i)), f == floats
	case *array.Boolean:
		return boolean(v.Value(i)), f == booleans
	case *array.Date32:
		return moment(moments, int64(v.Value(i)), 86400, 0), f == moments
	case *array.Timestamp:
		unit := v.DataType().(*arrow.TimestampType).Unit
		return moment(f, int64(v.Value(i)), 1, int64(1e9)/int64(unit.Multiplier())), f == moments || f == instants
	case *array.Time64:
		return Value{family: times, number: int64(v.Value(i))}, f == times && v.DataType() == arrow.FixedWidthTypes.Time64us
	case *array.String:
		return textual(f, strings.Clone(v.Value(i))) // the array's memory may go before the key does
	case *array.Binary:
		return Value{family: blobs, text: string(v.Value(i))}, f == blobs
	}
	return Value{}, false
}

// stored returns a value, which is not null, as a file has it whose column has type t.
func stored(v parquet.Value, t schema.Type) Value {
	switch f := familyOf(t); f {
	case numbers:
		return storedNumber(v, t)
	case floats:
		if v.Kind() == parquet.Float {
			return float(float64(v.Float()))
		}
		return float(v.Double())
	case booleans:
		return boolean(v.Boolean())
	case moments, instants:
		switch t.Name {
		case schema.Date:
			return moment(f, int64(v.Int32()), 86400, 0)
		case schema.TimestampNS:
			return moment(f, v.Int64(), 1, 1e9)
		}
		return moment(f, v.Int64(), 1, 1e6)
	case times:
		return Value{family: f, number: v.Int64()}
	default:
		return Value{family: f, text: string(v.ByteArray())}
	}
}

func storedNumber(v parquet.Value, t schema.Type) Value {
	switch {
	case v.Kind() == parquet.FixedLenByteArray:
		return decimal(signedBytes(v.ByteArray()), t.Scale)
	case t.Name == schema.Decimal && v.Kind() == parquet.Int32:
		return decimal(big.NewInt(int64(v.Int32())), t.Scale)
	case t.Name == schema.Decimal:
		return decimal(big.NewInt(v.Int64()), t.Scale)
	case t.Name == schema.Ubigint:
		return unsigned(v.Uint64())
	case v.Kind() == parquet.Int32 && strings.HasPrefix(t.Name, "U"):
		return integer(int64(v.Uint32()))
	case v.Kind() == parquet.Int32:
		return integer(int64(v.Int32()))
	}
	return integer(v.Int64())
}

// signedBytes is a number in two's complement, big-endian.
func signedBytes(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

func integer(n int64) Value { return Value{family: numbers, number: n} }

func unsigned(n uint64) Value {
	if n > math.MaxInt64 {
		return Value{family: numbers, text: new(big.Int).SetUint64(n).String()}
	}
	return integer(int64(n))
}

// decimal is a number of which scale digits follow the point.
func decimal(unscaled *big.Int, scale int) Value {
	ten, digit := big.NewInt(10), new(big.Int)
	n := new(big.Int).Set(unscaled)
	for ; scale > 0; scale-- {
		quotient := new(big.Int)
		if quotient.QuoRem(n, ten, digit); digit.Sign() != 0 {
			break
		}
		n = quotient
	}
	switch {
	case scale > 0:
		return Value{family: numbers, text: n.String() + "e-" + big.NewInt(int64(scale)).String()}
	case n.IsInt64():
		return integer(n.Int64())
	}
	return Value{family: numbers, text: n.String()}
}

// float is a floating-point number: 0 equals -0, and one NaN any other.
func float(x float64) Value {
	switch {
	case x == 0:
		x = 0 // without a sign
	case math.IsNaN(x):
		x = math.NaN()
	}
	return Value{family: floats, number: int64(math.Float64bits(x))}
}

func boolean(b bool) Value {
	if b {
		return Value{family: booleans, number: 1}
	}
	return Value{family: booleans}
}

// moment is n units of so many seconds, or, if perSecond is not 0, n of that many a second.
func moment(f family, n, seconds, perSecond int64) Value {
	if perSecond == 0 {
		return Value{family: f, number: n * seconds}
	}
	whole, rest := n/perSecond, n%perSecond
	if rest < 0 {
		whole, rest = whole-1, rest+perSecond
	}
	return Value{family: f, number: whole, nanos: int32(rest * (1e9 / perSecond))}
}

// textual is a value that Arrow has as text: of a UUID, its bytes.
func textual(f family, text string) (Value, bool) {
	switch f {
	case texts, jsons:
		return Value{family: f, text: text}, true
	case uuids:
		id, err := uuid.Parse(text)
		return Value{family: f, text: string(id[:])}, err == nil
	}
	return Value{}, false
}
