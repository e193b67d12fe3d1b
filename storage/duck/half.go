//go:build duckdb_arrow

package duck

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow/float16"
)

// Half returns a half float as a float, as DuckDB has no half floats. arrow-go's own conversion is wrong for those
// below 2^-14, which have an exponent of 0.
func Half(n float16.Num) float32 {
	const sign, exponent, fraction = 0x8000, 0x7c00, 0x03ff
	bits := n.Uint16()
	if bits&exponent != 0 {
		return n.Float32()
	}
	return float32(math.Copysign(math.Ldexp(float64(bits&fraction), -24), float64(1-2*int(bits&sign>>15))))
}
