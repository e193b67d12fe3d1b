package digest

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// A number is encoded by its value, whatever its type: as n·2^a·5^b, where neither 2 nor 5 divides n. That is exact for
// integers, decimals and floating-point numbers, and the same for 1, 1.00 and 1e0. After the mark come n, a and b.
const (
	markPositive = '+'
	markNegative = '-'
	markZero     = '0' // of either sign
	markNaN      = 'N' // any of them
	markInfinity = 'I'
	markLeast    = 'J' // minus infinity
)

// numbersOf returns what appends the values of an array of numbers; nil for other types.
func numbersOf(a arrow.Array) appender {
	switch v := a.(type) {
	case *array.Int8:
		return signed(v.Value)
	case *array.Int16:
		return signed(v.Value)
	case *array.Int32:
		return signed(v.Value)
	case *array.Int64:
		return signed(v.Value)
	case *array.Uint8:
		return unsigned(v.Value)
	case *array.Uint16:
		return unsigned(v.Value)
	case *array.Uint32:
		return unsigned(v.Value)
	case *array.Uint64:
		return unsigned(v.Value)
	case *array.Float32:
		return func(to []byte, i int) []byte { return appendFloat(to, float64(v.Value(i))) }
	case *array.Float64:
		return func(to []byte, i int) []byte { return appendFloat(to, v.Value(i)) }
	case *array.Decimal128:
		places := int64(v.DataType().(*arrow.Decimal128Type).Scale)
		return func(to []byte, i int) []byte {
			n := v.Value(i)
			size := n.Abs()
			return appendNumber(to, n.Sign() < 0, uint64(size.HighBits()), size.LowBits(), -places, -places)
		}
	}
	return nil
}

func signed[T int8 | int16 | int32 | int64](value func(int) T) appender {
	return func(to []byte, i int) []byte {
		n := int64(value(i))
		size := uint64(n)
		if n < 0 {
			size = -size
		}
		return appendNumber(to, n < 0, 0, size, 0, 0)
	}
}

func unsigned[T uint8 | uint16 | uint32 | uint64](value func(int) T) appender {
	return func(to []byte, i int) []byte { return appendNumber(to, false, 0, uint64(value(i)), 0, 0) }
}

func appendFloat(to []byte, x float64) []byte {
	switch {
	case math.IsNaN(x):
		return append(to, markNaN)
	case math.IsInf(x, 1):
		return append(to, markInfinity)
	case math.IsInf(x, -1):
		return append(to, markLeast)
	}
	const fraction, bias = 52, 1075 // of a double: bits, and what its exponent exceeds that of a whole number by
	n, exponent := math.Float64bits(x)&(1<<fraction-1), int64(math.Float64bits(x)>>fraction&0x7ff)
	if exponent == 0 {
		exponent = 1 // subnormal
	} else {
		n |= 1 << fraction
	}
	return appendNumber(to, x < 0, 0, n, exponent-bias, 0)
}

// appendNumber appends the number (high·2^64 + low)·2^twos·5^fives, or minus that.
func appendNumber(to []byte, negative bool, high, low uint64, twos, fives int64) []byte {
	if high|low == 0 {
		return append(to, markZero)
	}
	if low == 0 {
		high, low, twos = 0, high, twos+64
	}
	shift := bits.TrailingZeros64(low)
	high, low, twos = high>>shift, low>>shift|high<<(64-shift), twos+int64(shift)
	for high > 0 {
		quotient, rest := bits.Div64(high%5, low, 5)
		if rest != 0 {
			break
		}
		high, low, fives = high/5, quotient, fives+1
	}
	for high == 0 && low%5 == 0 {
		low, fives = low/5, fives+1
	}
	mark := byte(markPositive)
	if negative {
		mark = markNegative
	}
	to = appendWide(append(to, mark), high, low)
	return binary.AppendVarint(binary.AppendVarint(to, twos), fives)
}

// appendWide is binary.AppendUvarint of 128 bits.
func appendWide(to []byte, high, low uint64) []byte {
	for high > 0 {
		to = append(to, byte(low)|0x80)
		high, low = high>>7, low>>7|high<<57
	}
	return binary.AppendUvarint(to, low)
}
