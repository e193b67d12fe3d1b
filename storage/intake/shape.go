package intake

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rowback/rowback/storage/gate"
	"github.com/rowback/rowback/storage/schema"
)

// shape is what has been seen at one place in JSON records: enough to choose its type.
type shape struct {
	bools, ints, reals, texts, lists, objects bool

	least    int64 // of the integers that fit an int64, and zero
	greatest int64
	negative bool  // an integer below zero
	digits   int   // the most digits before the point
	places   int   // the most digits after the point
	unsigned bool  // an integer that fits a uint64 but no int64
	beyond   bool  // an integer that fits neither
	inexact  bool  // a number that is not exactly a double
	wide     bool  // an integer that is not exactly a double
	forms    forms // of the texts
	depth    int

	seen int // number of values, nulls included

	elem   *shape
	fields []*fieldShape
	byName map[string]*fieldShape

	known schema.Type // the type chosen by settle
}

// fieldShape is a field of the objects at one place. index is its place in the order in which fields were first seen:
// that becomes the order of columns.
type fieldShape struct {
	name  string
	index int
	shape *shape
	seen  int64 // number of objects that have it
}

const (
	maxDepth  = 12   // deeper values are stored as JSON
	maxFields = 1000 // objects with more different names are maps, stored as JSON
)

// learn adds one value to what has been seen.
func (s *shape) learn(value jsontext.Value) error {
	s.seen++
	switch kind := value.Kind(); kind {
	case 't', 'f':
		s.bools = true
	case '0':
		s.learnNumber(string(value))
	case '"':
		s.learnText(value)
	case '[':
		return s.learnList(value)
	case '{':
		return s.learnObject(value)
	}
	return nil
}

// learnText adds a text. One with escapes is no date.
func (s *shape) learnText(value jsontext.Value) {
	s.texts = true
	s.forms.see(string(value[1 : len(value)-1]))
}

// learnList adds the elements of a list. Below maxDepth they are stored as text, so that only their nesting matters.
func (s *shape) learnList(value jsontext.Value) error {
	s.lists = true
	if s.elem == nil {
		s.elem = &shape{depth: s.depth + 1}
	}
	if s.depth >= maxDepth {
		return checkDepth(value)
	}
	return eachElement(value, s.elem.learn)
}

// learnObject adds the fields of an object.
func (s *shape) learnObject(value jsontext.Value) error {
	s.objects = true
	if s.byName == nil {
		s.byName = map[string]*fieldShape{}
	}
	if s.depth >= maxDepth {
		return checkDepth(value)
	}
	return eachField(value, func(name string, value jsontext.Value) error {
		f, ok := s.byName[name]
		if !ok {
			f = &fieldShape{name: name, index: len(s.fields), shape: &shape{depth: s.depth + 1}}
			s.byName[name] = f
			s.fields = append(s.fields, f)
		}
		f.seen++
		return f.shape.learn(value)
	})
}

// checkDepth refuses a value that would be stored as JSON and is nested too deeply for readers.
func checkDepth(value jsontext.Value) error {
	if gate.Depth(value) > gate.MaxJSONDepth-maxDepth {
		return errTooDeep
	}
	return nil
}

var errTooDeep = fmt.Errorf("it has more than %d levels of arrays and objects", gate.MaxJSONDepth)

// learnNumber adds a number by its text: as a double it might have lost digits already.
func (s *shape) learnNumber(text string) {
	if !strings.ContainsAny(text, ".eE") {
		s.learnInteger(text)
		return
	}
	s.reals = true
	digits, exponent := significant(text)
	s.digits = max(s.digits, len(digits)+exponent)
	s.places = max(s.places, -exponent)
	s.inexact = s.inexact || len(digits) > exactDigits && exponent > -400 && exponent < 400 && !isDouble(text)
}

// exactDigits is the most digits in the shortest text of a double: numbers with up to as many round-trip.
const exactDigits = 17

// significant returns the digits of a number without leading and trailing zeros, and the power of ten to multiply them
// by.
func significant(text string) (digits string, exponent int) {
	mantissa, power, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(text, "-")), "e")
	exponent, err := strconv.Atoi(cmp.Or(power, "0"))
	if err != nil || exponent > 9999 || exponent < -9999 {
		exponent = 9999 // far out of any decimal
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	all := strings.TrimLeft(whole+frac, "0")
	digits = strings.TrimRight(all, "0")
	if digits == "" {
		return "", 0
	}
	return digits, exponent - len(frac) + len(all) - len(digits)
}

// isDouble reports whether a number is exactly a double, such as one printed with all its digits.
func isDouble(text string) bool {
	f, err := strconv.ParseFloat(text, 64)
	exact, ok := new(big.Rat).SetString(text)
	return err == nil && ok && new(big.Rat).SetFloat64(f).Cmp(exact) == 0
}

// learnInteger adds a number that is written without a point and an exponent.
func (s *shape) learnInteger(text string) {
	s.ints = true
	negative := strings.HasPrefix(text, "-")
	s.negative = s.negative || negative
	s.digits = max(s.digits, len(strings.TrimPrefix(text, "-")))
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		s.least, s.greatest = min(s.least, n), max(s.greatest, n)
		if n > 1<<53 || n < -(1<<53) {
			s.inexact, s.wide = true, true
		}
		return
	}
	s.inexact, s.wide = true, true
	if _, err := strconv.ParseUint(text, 10, 64); err == nil {
		s.unsigned = true
		return
	}
	s.beyond = true
}

// slots returns the number of values at this place in Arrow: one for every field of each record, absent ones included,
// and the same for each element of a list.
func (s *shape) slots() int { return s.seen*s.width() + s.inLists() }

// width returns the number of Arrow values of one value here, without those in lists.
func (s *shape) width() int {
	n := 1
	for _, f := range s.fields {
		n += f.shape.width()
	}
	return n
}

// inLists returns the number of Arrow values in lists below this place.
func (s *shape) inLists() (n int) {
	if s.elem != nil {
		n = s.elem.slots()
	}
	for _, f := range s.fields {
		n += f.shape.inLists()
	}
	return n
}

// settle chooses the types, here and below, once everything has been seen. Values of several kinds at one place are
// JSON.
func (s *shape) settle() schema.Type {
	if s.elem != nil {
		s.elem.settle()
	}
	for _, f := range s.fields {
		f.shape.settle()
	}
	s.known = s.typ()
	return s.known
}

// typ chooses the type of this place, once those below it are chosen.
func (s *shape) typ() schema.Type {
	kinds := 0
	for _, seen := range []bool{s.bools, s.ints || s.reals, s.texts, s.lists, s.objects} {
		if seen {
			kinds++
		}
	}
	switch {
	case kinds == 0:
		return schema.Of(schema.Null)
	case kinds > 1 || s.depth >= maxDepth && (s.lists || s.objects):
		return schema.Of(schema.JSON)
	case s.bools:
		return schema.Of(schema.Boolean)
	case s.texts:
		return schema.Of(schema.Varchar)
	case s.lists:
		return schema.ListOf(s.elem.known)
	case s.objects:
		return s.structType()
	}
	return s.numberType()
}

// numberType chooses a type that is exact: BIGINT, UBIGINT or DECIMAL for integers, and with fractions among them
// DOUBLE only if all values are doubles. Numbers that fit no type are stored as JSON, which is text.
func (s *shape) numberType() schema.Type {
	whole := max(s.digits, 1)
	switch {
	case s.reals && !s.inexact:
		return schema.Of(schema.Double)
	case s.reals && whole+s.places <= 38:
		return schema.DecimalOf(whole+s.places, s.places)
	case s.reals && !s.wide:
		return schema.Of(schema.Double) // fractions with more digits than any type has
	case s.reals:
		return schema.Of(schema.JSON)
	case !s.beyond && !s.unsigned:
		return schema.Of(schema.Bigint)
	case !s.beyond && !s.negative:
		return schema.Of(schema.Ubigint)
	case s.digits <= 38:
		return schema.DecimalOf(38, 0)
	}
	return schema.Of(schema.JSON)
}

// impose chooses the types again for a place whose stored type is known, and returns the result.
func (s *shape) impose(stored schema.Type) schema.Type {
	switch {
	case s.known.Name == schema.Null:
	case s.isExactly(stored):
		s.known = stored // so that no statement has to convert it
	case stored.Name == schema.JSON, stored.Name == schema.Map && s.objects:
		s.known = schema.Of(schema.JSON)
	case stored.Name == schema.Decimal && !s.objects && !s.lists &&
		(s.known.Name == schema.Double || s.known.Name == schema.JSON):
		s.known = schema.Of(schema.Varchar)
	case stored.Name == schema.Double && s.known.Name == schema.Decimal && s.reals && !s.wide:
		s.known = stored // a column of doubles stores the nearest one
	case stored.Name == schema.List && s.known.Name == schema.List:
		s.known = schema.ListOf(s.elem.imposePart(*stored.Elem))
	case stored.Name == schema.Struct && s.known.Name == schema.Struct:
		s.known.Fields = slices.Clone(s.known.Fields)
		for i, f := range s.fields {
			if own, ok := stored.Field(f.name); ok {
				s.known.Fields[i].Type = f.shape.imposePart(own.Type)
			}
		}
	}
	return s.known
}

// isExactly reports whether every value, which JSON writes in another form, is one of the stored type: dates and
// moments in their plain form, integers that are doubles or fit a smaller type, numbers with no more digits than a
// decimal.
func (s *shape) isExactly(stored schema.Type) bool {
	switch s.known.Name {
	case schema.Varchar:
		return s.texts && s.forms.are(stored)
	case schema.Bigint, schema.Double, schema.Decimal:
		if stored.Name == schema.Decimal {
			return s.digits <= stored.Width-stored.Scale && s.places <= stored.Scale
		}
		if s.known.Name == schema.Bigint && stored.IsInteger() {
			return stored.HoldsIntegers(s.least, s.greatest)
		}
		return stored.Name == schema.Double && !s.reals && !s.wide
	}
	return false
}

// imposePart is impose for a part of a value: decimals there are not checked one by one, so all must fit by their
// digits.
func (s *shape) imposePart(stored schema.Type) schema.Type {
	if stored.Name == schema.Decimal && (s.places > stored.Scale || s.digits > stored.Width-stored.Scale) {
		return s.known
	}
	return s.impose(stored)
}

// structType has a field for each name. Names that differ only in case, or that DuckDB could not have, make it JSON.
func (s *shape) structType() schema.Type {
	t := schema.Type{Name: schema.Struct}
	for _, f := range s.fields {
		if _, clash := t.Field(f.name); clash || gate.Name(f.name) != "" || len(s.fields) > maxFields {
			return schema.Of(schema.JSON)
		}
		t.Fields = append(t.Fields, schema.Field{Name: f.name, Type: f.shape.known})
	}
	return t
}
