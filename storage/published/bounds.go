package published

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"

	"github.com/rowback/rowback/storage/schema"
)

// RangeOf returns a range of values of a type that Stored returned, from bounds as texts that the catalog keeps: numbers,
// and dates and timestamps as microseconds since 1970. ok is false where they can't be said in Iceberg's binary form;
// then nothing is known of the column.
func RangeOf(t schema.Type, least, greatest string) (r Range, ok bool) {
	var okLeast, okGreatest bool
	r.Least, okLeast = binaryOf(t, least)
	r.Greatest, okGreatest = binaryOf(t, greatest)
	return r, okLeast && okGreatest
}

// microsOfDay is the number of microseconds of a day.
const microsOfDay = 24 * 60 * 60 * 1_000_000

// binaryOf returns a value in Iceberg's binary form of single values.
func binaryOf(t schema.Type, text string) ([]byte, bool) {
	switch t.Name {
	case schema.Varchar:
		return []byte(text), true
	case schema.Decimal:
		return unscaled(text, t.Scale)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n == math.MaxInt64 && t.Name != schema.Bigint || n == -math.MaxInt64 && t.Name != schema.Bigint {
		return nil, false // of moments, these are infinite
	}
	switch t.Name {
	case schema.Date:
		days := n / microsOfDay
		if n%microsOfDay < 0 {
			days--
		}
		if days != int64(int32(days)) {
			return nil, false
		}
		return binary.LittleEndian.AppendUint32(nil, uint32(int32(days))), true
	case schema.Integer:
		return binary.LittleEndian.AppendUint32(nil, uint32(int32(n))), true
	case schema.Bigint, schema.Timestamp, schema.TimestampTZ:
		return binary.LittleEndian.AppendUint64(nil, uint64(n)), true
	}
	return nil, false
}

// unscaled returns a decimal as the bytes of its unscaled value: two's complement, the greatest first, as few as hold it.
func unscaled(text string, scale int) ([]byte, bool) {
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, false
	}
	value.Mul(value, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
	if !value.IsInt() {
		return nil, false
	}
	n := value.Num()
	size := n.BitLen()/8 + 1 // with the sign's bit
	if n.Sign() < 0 {
		size = new(big.Int).Add(n, big.NewInt(1)).BitLen()/8 + 1
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	return n.FillBytes(make([]byte, size)), true
}
