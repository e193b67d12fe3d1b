package expression

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

var errTooLarge = errors.New("what it makes is too large")

// FromJSON returns a value of JSON as expressions have it: whole numbers are int64 where they fit.
func FromJSON(v any) any {
	return replaced(v, func(one any) any {
		written, ok := one.(json.Number)
		if !ok {
			return one
		}
		if n, err := strconv.ParseInt(written.String(), 10, 64); err == nil {
			return n
		}
		n, _ := written.Float64() // it is a number
		return n
	})
}

// ToJSON returns a value as encoding/json is to write it: a number that may have a fraction shows that.
func ToJSON(v any) any {
	return replaced(v, func(one any) any {
		f, ok := one.(float64)
		switch {
		case !ok:
			return one
		case math.IsNaN(f) || math.IsInf(f, 0): // which JSON does not have
			return nil
		}
		return json.Number(floatText(f))
	})
}

// replaced returns a copy of a value in which every value but lists and objects is replaced, at any depth.
func replaced(v any, plain func(any) any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = replaced(one, plain)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, one := range v {
			out[k] = replaced(one, plain)
		}
		return out
	}
	return plain(v)
}

// truth reports whether a value counts as true: what is empty, zero or None does not.
func truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// typeOf names the type of a value.
func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []any:
		return "list"
	}
	return "dict"
}

// text returns a value as str() does.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case string:
		return v
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return floatText(v)
	}
	out, err := json.Marshal(v)
	if err != nil { // a number that is not finite
		return fmt.Sprint(v)
	}
	return string(out)
}

// floatText writes a number that may have a fraction as Python does: it always shows that.
func floatText(v float64) string {
	switch {
	case math.IsNaN(v):
		return "nan"
	case math.IsInf(v, 0):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(v, 'g', -1, 64)), "+")
	}
	form := byte('f')
	if size := math.Abs(v); size != 0 && (size < 1e-4 || size >= 1e16) {
		form = 'e'
	}
	out := strconv.FormatFloat(v, form, -1, 64)
	if !strings.ContainsAny(out, ".e") {
		out += ".0"
	}
	return out
}

// number returns a value as a number; whole says that it is exactly n.
func number(v any) (n int64, f float64, whole, ok bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, 1, true, true
		}
		return 0, 0, true, true
	case int64:
		return v, float64(v), true, true
	case float64:
		return 0, v, false, true
	}
	return 0, 0, false, false
}

// compare reports whether two values are as an operator says.
func compare(operator string, a, b any) (bool, error) {
	switch operator {
	case "==":
		return same(a, b), nil
	case "!=":
		return !same(a, b), nil
	case "is":
		return typeOf(a) == typeOf(b) && same(a, b), nil
	case "is not":
		return typeOf(a) != typeOf(b) || !same(a, b), nil
	case "in", "not in":
		is, err := contains(b, a)
		return is == (operator == "in"), err
	}
	order, err := ordered(a, b)
	if err != nil {
		return false, fmt.Errorf("%s %w", operator, err)
	}
	switch operator {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	}
	return order >= 0, nil
}

// same reports whether two values are equal. Numbers are, whatever their type.
func same(a, b any) bool {
	_, x, _, isA := number(a)
	_, y, _, isB := number(b)
	if isA && isB {
		m, _, wholeA, _ := number(a)
		n, _, wholeB, _ := number(b)
		if wholeA && wholeB {
			return m == n
		}
		return x == y
	}
	switch left := a.(type) {
	case nil:
		return b == nil
	case string:
		right, ok := b.(string)
		return ok && left == right
	case []any:
		right, ok := b.([]any)
		return ok && slices.EqualFunc(left, right, same)
	case map[string]any:
		right, ok := b.(map[string]any)
		return ok && maps.EqualFunc(left, right, same)
	}
	return false
}

// ordered compares two numbers or two texts.
func ordered(a, b any) (int, error) {
	m, x, wholeA, isA := number(a)
	n, y, wholeB, isB := number(b)
	switch {
	case isA && isB && wholeA && wholeB:
		return cmp.Compare(m, n), nil
	case isA && isB:
		return cmp.Compare(x, y), nil
	}
	left, isText := a.(string)
	right, isBoth := b.(string)
	if isText && isBoth {
		return strings.Compare(left, right), nil
	}
	return 0, fmt.Errorf("is not for %s and %s", typeOf(a), typeOf(b))
}

// contains reports whether a text, a list or an object has something.
func contains(in, what any) (bool, error) {
	switch in := in.(type) {
	case string:
		if part, ok := what.(string); ok {
			return strings.Contains(in, part), nil
		}
	case []any:
		return slices.ContainsFunc(in, func(one any) bool { return same(one, what) }), nil
	case map[string]any:
		_, ok := in[text(what)]
		return ok, nil
	}
	return false, fmt.Errorf("in is not for %s and %s", typeOf(what), typeOf(in))
}

// listOf returns the elements of a list, the characters of a text, or the keys of an object.
func listOf(v any) ([]any, error) {
	switch v := v.(type) {
	case []any:
		return v, nil
	case string:
		if len(v) > maxSteps && utf8.RuneCountInString(v) > maxSteps {
			return nil, errTooLarge
		}
		out := []any{}
		for _, c := range v {
			out = append(out, string(c))
		}
		return out, nil
	case map[string]any:
		out := []any{}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out = append(out, key)
		}
		return out, nil
	}
	return nil, fmt.Errorf("%s is not a list", typeOf(v))
}

// member returns a member of an object; of one that has no such member, None.
func member(v any, name string) (any, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s has no .%s", typeOf(v), name)
	}
	return object[name], nil
}

// itemOf returns an item of an object by its key, or of a list or a text by its index, which counts from the end where
// it is negative.
func itemOf(v, key any) (any, error) {
	if object, ok := v.(map[string]any); ok {
		return object[text(key)], nil
	}
	n, _, isWhole, ok := number(key)
	if !ok || !isWhole {
		return nil, fmt.Errorf("[%s] is not for %s", typeOf(key), typeOf(v))
	}
	s, isText := v.(string)
	list, isList := v.([]any)
	if !isText && !isList {
		return nil, fmt.Errorf("%s has no items", typeOf(v))
	}
	size := int64(len(list) + utf8.RuneCountInString(s)) // one of them is empty
	if n < 0 {
		n += size
	}
	if n < 0 || n >= size {
		return nil, fmt.Errorf("there is no item %s in %d", text(key), size)
	}
	if isText {
		from := characterAt(s, n)
		_, width := utf8.DecodeRuneInString(s[from:])
		return s[from : from+width], nil
	}
	return list[n], nil
}

// characterAt returns the byte at which the nth character of a text begins; of the one after the last, its length.
func characterAt(s string, n int64) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// slice returns a part of a list or a text.
func slice(v, from, to any) (any, error) {
	s, isText := v.(string)
	list, isList := v.([]any)
	if !isText && !isList {
		return nil, fmt.Errorf("%s has no items", typeOf(v))
	}
	size := int64(len(list) + utf8.RuneCountInString(s)) // one of them is empty
	bounds := [2]int64{0, size}
	for i, given := range []any{from, to} {
		if given == nil {
			continue
		}
		n, _, isWhole, ok := number(given)
		if !ok || !isWhole {
			return nil, fmt.Errorf("a slice is not for %s", typeOf(given))
		}
		if n < 0 {
			n += size
		}
		bounds[i] = min(max(n, 0), size)
	}
	bounds[1] = max(bounds[0], bounds[1])
	if isText {
		s = s[characterAt(s, bounds[0]):]
		return s[:characterAt(s, bounds[1]-bounds[0])], nil
	}
	return slices.Clone(list[bounds[0]:bounds[1]]), nil
}

// Text returns a value as str() does.
func Text(v any) string { return text(v) }

// Truth reports whether a value counts as true.
func Truth(v any) bool { return truth(v) }

// Number returns a value as a number, read from a text where it is one; whole: without a fraction.
func Number(v any, whole bool) (any, error) {
	if !whole {
		return toFloat(v)
	}
	if f, ok := v.(float64); ok && f != math.Trunc(f) {
		return nil, fmt.Errorf("%s is not a whole number", text(v))
	}
	return toInt(v)
}
