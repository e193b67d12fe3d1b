package schema

import "slices"

// integer returns the bits of an integer type and whether it is signed; bits is 0 for every other type.
func integer(t Type) (bits int, signed bool) {
	switch t.Name {
	case "TINYINT":
		return 8, true
	case "SMALLINT":
		return 16, true
	case Integer:
		return 32, true
	case Bigint:
		return 64, true
	case "UTINYINT":
		return 8, false
	case "USMALLINT":
		return 16, false
	case "UINTEGER":
		return 32, false
	case Ubigint:
		return 64, false
	}
	return 0, false
}

// digits returns the most decimal digits of an integer with the given number of bits.
func digits(bits int, signed bool) int {
	switch {
	case bits == 8:
		return 3
	case bits == 16:
		return 5
	case bits == 32:
		return 10
	case signed:
		return 19
	}
	return 20
}

// signedOf returns the signed integer type of a number of bits.
func signedOf(bits int) Type {
	return Of(map[int]string{8: "TINYINT", 16: "SMALLINT", 32: Integer, 64: Bigint}[bits])
}

// decimalFor returns the decimal type that holds every value of an integer or decimal type; ok is false for other
// types.
func decimalFor(t Type) (d Type, ok bool) {
	if t.Name == Decimal {
		return t, true
	}
	bits, signed := integer(t)
	return DecimalOf(digits(bits, signed), 0), bits > 0
}

// IsInteger reports whether the type is one of the integers.
func (t Type) IsInteger() bool { bits, _ := integer(t); return bits > 0 }

// HoldsIntegers reports whether the type is one of the integers and has every number from least to greatest.
func (t Type) HoldsIntegers(least, greatest int64) bool {
	bits, signed := integer(t)
	switch {
	case bits == 0:
		return false
	case !signed:
		return least >= 0 && (bits == 64 || greatest < 1<<bits)
	}
	return bits == 64 || least >= -1<<(bits-1) && greatest < 1<<(bits-1)
}

// IsMoment reports whether the type is a date or a timestamp without a time zone.
func (t Type) IsMoment() bool { return t.Name == Date || t.Name == Timestamp || t.Name == TimestampNS }

// IsNumber reports whether the type is an integer, a decimal or a floating-point number.
func (t Type) IsNumber() bool {
	return t.IsInteger() || t.Name == Decimal || t.Name == Float || t.Name == Double
}

// Holds reports whether every value of o is a value of t, so that a cast changes nothing.
func (t Type) Holds(o Type) bool {
	if o.Name == Null || t.Equal(o) {
		return true
	}
	switch t.Name {
	case List:
		return o.Name == List && t.Elem.Holds(*o.Elem)
	case Map:
		return o.Name == Map && t.Key.Holds(*o.Key) && t.Elem.Holds(*o.Elem)
	case Struct:
		return o.Name == Struct && t.holdsFields(o)
	case Decimal:
		d, ok := decimalFor(o)
		return ok && d.Width-d.Scale <= t.Width-t.Scale && d.Scale <= t.Scale
	case Double:
		bits, _ := integer(o)
		return o.Name == Float || bits > 0 && bits <= 32
	case Float:
		bits, _ := integer(o)
		return bits > 0 && bits <= 16
	case Timestamp:
		return o.Name == Date
	}
	return holdsInteger(t, o)
}

// holdsInteger reports whether one integer type holds all values of another.
func holdsInteger(t, o Type) bool {
	tBits, tSigned := integer(t)
	oBits, oSigned := integer(o)
	if tBits == 0 || oBits == 0 || oSigned && !tSigned {
		return false
	}
	return oBits < tBits || oBits == tBits && oSigned == tSigned
}

// holdsFields reports whether a STRUCT has all fields of another, in types that hold theirs.
func (t Type) holdsFields(o Type) bool {
	return !slices.ContainsFunc(o.Fields, func(f Field) bool {
		mine, ok := t.Field(f.Name)
		return !ok || !mine.Type.Holds(f.Type)
	})
}

// Widen returns the narrowest type for the values of both; ok is false if there is none. If the result does not Hold
// one of the two (DOUBLE for a BIGINT and a DOUBLE), it depends on the values, which the caller must check.
func Widen(a, b Type) (w Type, ok bool) {
	switch {
	case a.Holds(b):
		return a, true
	case a.Name == List && b.Name == List:
		elem, ok := Widen(*a.Elem, *b.Elem)
		return ListOf(elem), ok
	case a.Name == Map && b.Name == Map:
		key, okKey := Widen(*a.Key, *b.Key)
		elem, okElem := Widen(*a.Elem, *b.Elem)
		return Type{Name: Map, Key: &key, Elem: &elem}, okKey && okElem
	case a.Name == Struct && b.Name == Struct:
		return widenStruct(a, b)
	case b.Holds(a):
		return b, true
	case a.IsInteger() && b.IsInteger():
		return widenIntegers(a, b), true
	case a.IsNumber() && b.IsNumber():
		return widenNumbers(a, b)
	case temporal(a) > 0 && temporal(b) > 0:
		if temporal(a) > temporal(b) {
			return a, true
		}
		return b, true
	}
	return Type{}, false
}

// widenStruct returns the STRUCT with the fields of both: one that only one side has is null in the other's values.
func widenStruct(a, b Type) (Type, bool) {
	w := Type{Name: Struct, Fields: slices.Clone(a.Fields)}
	for _, f := range b.Fields {
		i := slices.IndexFunc(w.Fields, func(g Field) bool { return g.Name == f.Name })
		if _, clash := a.Field(f.Name); i < 0 && clash {
			return Type{}, false // the same name in another case, which SQL does not distinguish
		}
		if i < 0 {
			w.Fields = append(w.Fields, f)
			continue
		}
		typ, ok := Widen(w.Fields[i].Type, f.Type)
		if !ok {
			return Type{}, false
		}
		w.Fields[i].Type = typ
	}
	return w, true
}

// widenIntegers is Widen for integers that do not hold each other: one is signed, the other is not.
func widenIntegers(a, b Type) Type {
	aBits, aSigned := integer(a)
	bBits, _ := integer(b)
	unsigned := aBits
	if aSigned {
		unsigned = bBits
	}
	if unsigned == 64 {
		return DecimalOf(20, 0)
	}
	return signedOf(max(aBits, bBits, unsigned*2))
}

// widenNumbers returns the decimal that holds the values of two numeric types exactly, or DOUBLE where one of them is a
// floating-point type. The second result is false where it would need more than 38 digits.
func widenNumbers(a, b Type) (Type, bool) {
	da, okA := decimalFor(a)
	db, okB := decimalFor(b)
	if !okA || !okB {
		return Of(Double), true
	}
	scale := max(da.Scale, db.Scale)
	width := scale + max(da.Width-da.Scale, db.Width-db.Scale)
	return DecimalOf(width, scale), width <= 38
}

// temporal ranks dates and timestamps without a zone by what they hold; 0 for other types.
func temporal(t Type) int { return slices.Index([]string{"", Date, Timestamp, TimestampNS}, t.Name) }

// Stored returns the type in which values of t are stored: t if Parquet can hold it, else one that it can. ok is false
// if none keeps the values exact.
func Stored(t Type) (s Type, ok bool) {
	switch t.Name {
	case "HUGEINT", "UHUGEINT":
		return DecimalOf(38, 0), true
	case "ENUM", "BIT", "BIGNUM", "TIME WITH TIME ZONE":
		return Of(Varchar), true
	case "TIMESTAMP_S", "TIMESTAMP_MS":
		return Of(Timestamp), true
	case "UNION", "VARIANT", "INTERVAL", "TIME_NS", "GEOMETRY":
		return Type{}, false
	case List:
		elem, ok := Stored(*t.Elem)
		return ListOf(elem), ok
	case Map:
		key, okKey := Stored(*t.Key)
		elem, okElem := Stored(*t.Elem)
		return Type{Name: Map, Key: &key, Elem: &elem}, okKey && okElem
	case Struct:
		s = Type{Name: Struct}
		for _, f := range t.Fields {
			typ, ok := Stored(f.Type)
			if !ok {
				return Type{}, false
			}
			s.Fields = append(s.Fields, Field{Name: f.Name, Type: typ})
		}
		return s, true
	}
	return t, true
}

// Settled returns the type in which a column of t is stored: objects without known fields become JSON.
func (t Type) Settled() Type {
	switch t.Name {
	case List:
		return ListOf(t.Elem.Settled())
	case Map:
		elem := t.Elem.Settled()
		t.Elem = &elem
	case Struct:
		if len(t.Fields) == 0 {
			return Of(JSON)
		}
		fields := slices.Clone(t.Fields)
		for i := range fields {
			fields[i].Type = fields[i].Type.Settled()
		}
		t.Fields = fields
	}
	return t
}
