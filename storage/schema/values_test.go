package schema_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/schema"
)

// span is the values of a numeric type: those between two numbers that have at most some digits after the point.
type span struct {
	least, greatest *big.Rat
	scale           int
}

// within reports whether every value of s is one of o.
func (s span) within(o span) bool {
	return s.least.Cmp(o.least) >= 0 && s.greatest.Cmp(o.greatest) <= 0 && s.scale <= o.scale
}

func power(base, exponent int64) *big.Int {
	return new(big.Int).Exp(big.NewInt(base), big.NewInt(exponent), nil)
}

// spanOf computes the values of an integer or decimal type from its definition, not from the package's tables.
func spanOf(t *testing.T, typ schema.Type) span {
	t.Helper()
	if typ.Name == schema.Decimal {
		greatest := new(big.Rat).SetFrac(new(big.Int).Sub(power(10, int64(typ.Width)), big.NewInt(1)),
			power(10, int64(typ.Scale)))
		return span{new(big.Rat).Neg(greatest), greatest, typ.Scale}
	}
	sizes := map[string]int64{"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64}
	bits, ok := sizes[strings.TrimPrefix(typ.Name, "U")]
	if !ok {
		t.Fatalf("%s is not exact", typ)
	}
	least, greatest := new(big.Int), new(big.Int).Sub(power(2, bits), big.NewInt(1))
	if !strings.HasPrefix(typ.Name, "U") {
		least, greatest = new(big.Int).Neg(power(2, bits-1)), new(big.Int).Sub(power(2, bits-1), big.NewInt(1))
	}
	return span{new(big.Rat).SetInt(least), new(big.Rat).SetInt(greatest), 0}
}

var integers = []string{"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}

// exact are the integers, and decimals around the limits of each of them.
func exact(t *testing.T) (types []schema.Type) {
	for _, name := range integers {
		types = append(types, mustParse(t, name))
	}
	for _, width := range []int{1, 2, 3, 4, 5, 9, 10, 18, 19, 20, 21, 37, 38} {
		for _, scale := range []int{0, 1, 2, width - 1, width} {
			if 0 <= scale && scale <= width {
				types = append(types, schema.DecimalOf(width, scale))
			}
		}
	}
	return types
}

// A type holds another exactly if every value of the other is one of its own. An integer type is not asked to hold
// decimals without digits after the point: whoever declared them meant decimals.
func TestExactTypesHoldWhatTheirValuesAllow(t *testing.T) {
	for _, a := range exact(t) {
		for _, b := range exact(t) {
			want := spanOf(t, b).within(spanOf(t, a))
			if a.IsInteger() && b.Name == schema.Decimal {
				want = false
			}
			if got := a.Holds(b); got != want {
				t.Errorf("%s holds %s: %v, not %v", a, b, got, want)
			}
		}
	}
}

// The widened type of two exact types has the values of both, and no narrower integer type has.
func TestExactTypesWidenToTheNarrowestThatHasBoth(t *testing.T) {
	for _, a := range exact(t) {
		for _, b := range exact(t) {
			w, ok := schema.Widen(a, b)
			if !ok {
				if whole := wholeDigits(t, a, b); whole+max(a.Scale, b.Scale) <= 38 {
					t.Errorf("%s and %s have no common type, and %d digits before the point", a, b, whole)
				}
				continue
			}
			if !spanOf(t, a).within(spanOf(t, w)) || !spanOf(t, b).within(spanOf(t, w)) || w.Width > 38 {
				t.Errorf("%s and %s widen to %s, which has not the values of both", a, b, w)
			}
			if i := slices.IndexFunc(integers, func(name string) bool {
				n := schema.Of(name)
				return n.Holds(a) && n.Holds(b) && !n.Holds(w)
			}); i >= 0 {
				t.Errorf("%s and %s widen to %s, and %s is narrower", a, b, w, integers[i])
			}
		}
	}
}

// wholeDigits is the most digits before the point of the values of two types.
func wholeDigits(t *testing.T, types ...schema.Type) (most int) {
	for _, typ := range types {
		whole := new(big.Int).Quo(spanOf(t, typ).greatest.Num(), spanOf(t, typ).greatest.Denom())
		if digits := len(whole.String()); whole.Sign() > 0 {
			most = max(most, digits)
		}
	}
	return most
}

// A floating-point type holds an integer type if it has the greatest of its values exactly.
func TestFloatingPointHoldsIntegersUpToItsPrecision(t *testing.T) {
	for _, name := range integers {
		greatest, _ := spanOf(t, schema.Of(name)).greatest.Float64()
		small, _ := spanOf(t, schema.Of(name)).greatest.Float32()
		exactly := func(x float64) bool {
			return new(big.Rat).SetFloat64(x).Cmp(spanOf(t, schema.Of(name)).greatest) == 0
		}
		if got := schema.Of(schema.Double).Holds(schema.Of(name)); got != exactly(greatest) {
			t.Errorf("DOUBLE holds %s: %v", name, got)
		}
		if got := schema.Of(schema.Float).Holds(schema.Of(name)); got != exactly(float64(small)) {
			t.Errorf("FLOAT holds %s: %v", name, got)
		}
	}
}

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"VARCHAR", "NULL", true},
		{"NULL", "VARCHAR", false},
		{"DOUBLE", "FLOAT", true},
		{"FLOAT", "DOUBLE", false},
		{"DOUBLE", "DECIMAL(4,2)", false}, // 0.1 is not a double
		{"TIMESTAMP", "DATE", true},
		{"DATE", "TIMESTAMP", false},
		{"TIMESTAMP_NS", "TIMESTAMP", false}, // which has years that nanoseconds do not reach
		{"TIMESTAMP WITH TIME ZONE", "TIMESTAMP", false},
		{"VARCHAR", "INTEGER", false},
		{"VARCHAR", "JSON", false},
		{"BIGINT[]", "INTEGER[]", true},
		{"BIGINT[]", "NULL[]", true},
		{"BIGINT[]", "INTEGER", false},
		{"BIGINT[]", "BIGINT[][]", false},
		{"MAP(VARCHAR, BIGINT)", "MAP(VARCHAR, INTEGER)", true},
		{"MAP(VARCHAR, BIGINT)", "MAP(INTEGER, BIGINT)", false},
		{"MAP(BIGINT, BIGINT)", "MAP(INTEGER, DOUBLE)", false},
		{"STRUCT(a BIGINT, b DATE)", "STRUCT(b DATE)", true}, // a missing field is null
		{"STRUCT(a BIGINT, b DATE)", "STRUCT(b DATE, A INTEGER)", true},
		{"STRUCT(a BIGINT)", "STRUCT(a BIGINT, b DATE)", false},
		{"STRUCT(a INTEGER)", "STRUCT(a BIGINT)", false},
		{"STRUCT(a INTEGER)", "INTEGER", false},
	} {
		if got := mustParse(t, c.a).Holds(mustParse(t, c.b)); got != c.want {
			t.Errorf("%s holds %s: %v", c.a, c.b, got)
		}
	}
}

var scalars = slices.Concat(integers, []string{
	"NULL", "BOOLEAN", "FLOAT", "DOUBLE", "VARCHAR", "BLOB", "JSON", "UUID", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_NS",
	"TIMESTAMP WITH TIME ZONE",
})

// randomType returns any type that a column can have, nested up to depth times. Names of fields include those that
// need quotes, but not two that SQL takes for the same.
func randomType(random *rand.Rand, depth int) schema.Type {
	if depth == 0 || random.IntN(3) > 0 {
		if random.IntN(4) == 0 {
			width := 1 + random.IntN(38)
			return schema.DecimalOf(width, random.IntN(width+1))
		}
		return schema.Of(scalars[random.IntN(len(scalars))])
	}
	switch random.IntN(3) {
	case 0:
		return schema.ListOf(randomType(random, depth-1))
	case 1:
		key, value := schema.Of(schema.Varchar), randomType(random, depth-1)
		return schema.Type{Name: schema.Map, Key: &key, Elem: &value}
	}
	names := []string{"a", "b c", `q"q`, "ü,)", "[]", ""}
	out := schema.Type{Name: schema.Struct}
	for _, i := range random.Perm(len(names))[:1+random.IntN(3)] {
		out.Fields = append(out.Fields, schema.Field{Name: names[i], Type: randomType(random, depth-1)})
	}
	return out
}

// sorted returns the type with its fields in the order of their names.
func sorted(t schema.Type) schema.Type {
	if t.Elem != nil {
		elem := sorted(*t.Elem)
		t.Elem = &elem
	}
	t.Fields = slices.Clone(t.Fields)
	for i := range t.Fields {
		t.Fields[i].Type = sorted(t.Fields[i].Type)
	}
	slices.SortFunc(t.Fields, func(f, g schema.Field) int { return strings.Compare(f.Name, g.Name) })
	return t
}

// similar returns the type with some of its scalars replaced, so that pairs of random types often widen.
func similar(random *rand.Rand, t schema.Type) schema.Type {
	switch t.Name {
	case schema.List, schema.Map:
		elem := similar(random, *t.Elem)
		t.Elem = &elem
	case schema.Struct:
		t.Fields = slices.Clone(t.Fields)
		random.Shuffle(len(t.Fields), func(i, j int) { t.Fields[i], t.Fields[j] = t.Fields[j], t.Fields[i] })
		t.Fields = t.Fields[:1+random.IntN(len(t.Fields))]
		for i := range t.Fields {
			t.Fields[i].Type = similar(random, t.Fields[i].Type)
		}
	default:
		if random.IntN(2) == 0 {
			return randomType(random, 0)
		}
	}
	return t
}

// randomly runs a test with many pairs of similar types.
func randomly(t *testing.T, test func(random *rand.Rand, a, b schema.Type)) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 3000 {
		a := randomType(random, 3)
		test(random, a, similar(random, a))
	}
}

func TestRandomTypesRoundTrip(t *testing.T) {
	randomly(t, func(_ *rand.Rand, a, _ schema.Type) {
		back, err := schema.Parse(a.String())
		if err != nil || back.String() != a.String() || !back.Equal(a) || back.Depth() != a.Depth() {
			t.Errorf("%s reads as %s, %v", a, back, err)
		}
	})
}

// Both orders of widening give one type, but for the order of fields. It widens no further with either of the two.
func TestWideningIsSymmetricAndStable(t *testing.T) {
	widened := 0
	randomly(t, func(_ *rand.Rand, a, b schema.Type) {
		w, ok := schema.Widen(a, b)
		v, okBack := schema.Widen(b, a)
		if ok != okBack || ok && !sorted(w).Equal(sorted(v)) {
			t.Errorf("%s and %s widen to %s (%v), the other way round to %s (%v)", a, b, w, ok, v, okBack)
		}
		if !ok {
			return
		}
		widened++
		for _, one := range []schema.Type{a, b} {
			if again, ok := schema.Widen(w, one); !ok || !again.Equal(w) {
				t.Errorf("%s and %s widen to %s, and with %s again to %s", a, b, w, one, again)
			}
		}
	})
	if widened < 500 {
		t.Errorf("only %d pairs have a common type", widened)
	}
}

// Holding is an order: every type holds itself, and what is held by a held type is held.
func TestHoldingIsAnOrder(t *testing.T) {
	chains := 0
	randomly(t, func(random *rand.Rand, a, b schema.Type) {
		if !a.Holds(a) || !a.Holds(schema.Of(schema.Null)) {
			t.Errorf("%s does not hold itself, or nulls", a)
		}
		w, ok := schema.Widen(a, b)
		if c := similar(random, b); ok && w.Holds(b) && b.Holds(c) {
			if chains++; !w.Holds(c) {
				t.Errorf("%s holds %s, which holds %s", w, b, c)
			}
		}
	})
	if chains < 100 {
		t.Errorf("only %d chains were tried", chains)
	}
}

// What is stored can be stored, and Widen's argument is not changed through shared fields.
func TestStoringAndSettlingAreIdempotent(t *testing.T) {
	randomly(t, func(_ *rand.Rand, a, b schema.Type) {
		before := a.String()
		stored, ok := schema.Stored(a)
		if again, okAgain := schema.Stored(stored); !ok || !okAgain || !again.Equal(stored) || !stored.Equal(a) {
			t.Errorf("%s is stored as %s, and that as %s", a, stored, again)
		}
		if settled := a.Settled(); !settled.Settled().Equal(settled) {
			t.Errorf("%s settles as %s, and that as %s", a, settled, settled.Settled())
		}
		schema.Widen(a, b)
		if a.String() != before {
			t.Errorf("%s became %s", before, a)
		}
	})
}

// Objects whose fields are not known are stored as JSON wherever they are, and the type itself stays as it was.
func TestObjectsWithoutFieldsSettleAsJSON(t *testing.T) {
	empty := schema.Type{Name: schema.Struct}
	outer := schema.Type{Name: schema.Struct, Fields: []schema.Field{
		{Name: "o", Type: empty}, {Name: "l", Type: schema.ListOf(empty)}, {Name: "n", Type: schema.Of(schema.Bigint)},
	}}
	if got := outer.Settled().String(); got != `STRUCT("o" JSON, "l" JSON[], "n" BIGINT)` || len(empty.Fields) != 0 {
		t.Errorf("settles as %s", got)
	}
	if got := outer.SQL(); got != `STRUCT("o" JSON, "l" JSON[], "n" BIGINT)` {
		t.Errorf("is cast to %s", got)
	}
	if outer.Fields[0].Type.Name != schema.Struct {
		t.Errorf("became %s", outer)
	}
	for hollow, want := range map[*schema.Type]bool{&empty: true, &outer: true} {
		if hollow.Hollow() != want || hollow.Settled().Hollow() {
			t.Errorf("%s is hollow: %v, settled: %v", hollow, hollow.Hollow(), hollow.Settled().Hollow())
		}
	}
}

// NULL is not a type of SQL: nulls are stored as INTEGER, at any depth.
func TestTypesForCasts(t *testing.T) {
	for text, want := range map[string]string{
		"NULL": "INTEGER", "NULL[][]": "INTEGER[][]", "MAP(VARCHAR, NULL)": "MAP(VARCHAR, INTEGER)",
		"STRUCT(a NULL, b DECIMAL(3,1))": `STRUCT("a" INTEGER, "b" DECIMAL(3,1))`,
		"TIMESTAMP WITH TIME ZONE":       "TIMESTAMP WITH TIME ZONE",
	} {
		if got := mustParse(t, text).SQL(); got != want {
			t.Errorf("%s is cast to %s, not %s", text, got, want)
		}
	}
}

func TestKindsOfTypes(t *testing.T) {
	for text, want := range map[string]string{
		"UTINYINT": "integer number", "BIGINT": "integer number", "DECIMAL(5,0)": "number", "FLOAT": "number",
		"DOUBLE": "number", "DATE": "moment", "TIMESTAMP": "moment", "TIMESTAMP_NS": "moment",
		"TIMESTAMP WITH TIME ZONE": "", "TIME": "", "VARCHAR": "", "BOOLEAN": "", "NULL": "hollow",
		"NULL[]": "nested hollow", "INTEGER[]": "nested", "MAP(VARCHAR, INTEGER)": "nested",
		"STRUCT(a NULL, b INTEGER)": "nested hollow", "STRUCT(b INTEGER)": "nested",
	} {
		typ := mustParse(t, text)
		var got []string
		for _, of := range []struct {
			name string
			is   bool
		}{
			{"integer", typ.IsInteger()}, {"number", typ.IsNumber()}, {"moment", typ.IsMoment()},
			{"nested", typ.Nested()}, {"hollow", typ.Hollow()},
		} {
			if of.is {
				got = append(got, of.name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, not %q", text, got, want)
		}
	}
}

func TestTypesThatParquetCanNotHold(t *testing.T) {
	for _, name := range []string{"UNION(a DATE)", "VARIANT", "INTERVAL", "TIME_NS", "GEOMETRY"} {
		for _, around := range []string{"%s", "%s[]", "STRUCT(a INTEGER, b %s)", "MAP(VARCHAR, %s)", "MAP(%s, VARCHAR)"} {
			text := fmt.Sprintf(around, name)
			if got, ok := schema.Stored(mustParse(t, text)); ok {
				t.Errorf("%s is stored as %s", text, got)
			}
		}
	}
	for name, want := range map[string]string{
		"UHUGEINT": "DECIMAL(38,0)", "BIT": "VARCHAR", "BIGNUM": "VARCHAR", "TIME WITH TIME ZONE": "VARCHAR",
		"TIMESTAMP_MS": "TIMESTAMP",
	} {
		got, ok := schema.Stored(schema.ListOf(schema.Of(name)))
		if !ok || got.String() != want+"[]" {
			t.Errorf("%s[] is stored as %s, %v", name, got, ok)
		}
	}
}

func TestDepth(t *testing.T) {
	for text, want := range map[string]int{
		"INTEGER": 1, "INTEGER[]": 2, "INTEGER[][]": 3, "STRUCT(a INTEGER, b INTEGER[][])": 4,
		"MAP(VARCHAR, INTEGER[])": 3, "MAP(INTEGER[][], INTEGER)": 4,
	} {
		if got := mustParse(t, text).Depth(); got != want {
			t.Errorf("%s is %d deep, not %d", text, got, want)
		}
	}
}
