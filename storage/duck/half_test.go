//go:build duckdb_arrow

package duck

import (
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/float16"
)

// Every half float that is a number becomes the float that is equal to it, by the definition of IEEE 754.
func TestHalfFloatsKeepTheirValue(t *testing.T) {
	for bits := range 1 << 16 {
		exponent, fraction := bits>>10&0x1f, float64(bits&0x3ff)
		want := math.Ldexp(1024+fraction, exponent-25)
		switch {
		case exponent == 0:
			want = math.Ldexp(fraction, -24)
		case exponent == 0x1f && fraction == 0:
			want = math.Inf(1)
		case exponent == 0x1f:
			want = math.NaN()
		}
		got := float64(Half(float16.FromBits(uint16(bits))))
		isNegative := bits>>15 == 1
		if math.IsNaN(want) && math.IsNaN(got) {
			continue
		}
		if math.Abs(got) != want || math.Signbit(got) != isNegative {
			t.Fatalf("%#04x is %v, not %v (negative: %v)", bits, got, want, isNegative)
		}
	}
}
