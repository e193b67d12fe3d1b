package expression

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// calculate applies an operator to two values.
func calculate(sign string, a, b any) (any, error) {
	m, x, wholeA, isA := number(a)
	n, y, wholeB, isB := number(b)
	switch {
	case isA && isB && wholeA && wholeB && sign != "/":
		return whole(sign, m, n)
	case isA && isB:
		return fraction(sign, x, y)
	}
	if sign == "+" {
		switch left := a.(type) {
		case string:
			if right, ok := b.(string); ok {
				return left + right, checkSizes(len(left), len(right))
			}
		case []any:
			if right, ok := b.([]any); ok {
				return slices.Concat(left, right), nil
			}
		}
	}
	if sign == "*" {
		if left, ok := a.(string); ok && isB && wholeB {
			return repeated(left, n)
		}
	}
	return nil, fmt.Errorf("%s is not for %s and %s", sign, typeOf(a), typeOf(b))
}

// checkSizes refuses a text that is to be made of parts with these sizes, if it is too large.
func checkSizes(sizes ...int) error {
	total := 0
	for _, size := range sizes {
		if total += size; total > maxSize {
			return errTooLarge
		}
	}
	return nil
}

// repeated returns a text n times.
func repeated(s string, n int64) (any, error) {
	if n > 0 && int64(len(s)) > maxSize/n {
		return nil, errTooLarge
	}
	return strings.Repeat(s, int(max(n, 0))), nil
}

var errOverflow = errors.New("a number is larger than 64 bits")

// whole calculates with whole numbers, which do not wrap around.
func whole(sign string, a, b int64) (any, error) {
	switch sign {
	case "+":
		if c := a + b; (c > a) == (b > 0) {
			return c, nil
		}
	case "-":
		if c := a - b; (c < a) == (b > 0) {
			return c, nil
		}
	case "*":
		if a == 0 || b == 0 {
			return int64(0), nil
		}
		if c := a * b; c/b == a && (a != -1 || b != math.MinInt64) && (b != -1 || a != math.MinInt64) {
			return c, nil
		}
	case "//", "%":
		return divided(sign, a, b)
	case "**":
		return power(a, b)
	}
	return nil, errOverflow
}

var errZero = errors.New("division by zero")

// divided divides towards minus infinity; the remainder has the divisor's sign.
func divided(sign string, a, b int64) (any, error) {
	if b == 0 {
		return nil, errZero
	}
	if b == -1 { // the least number has no positive one
		if sign == "%" {
			return int64(0), nil
		}
		return whole("-", 0, a)
	}
	quotient, rest := a/b, a%b
	if rest != 0 && (rest < 0) != (b < 0) {
		quotient, rest = quotient-1, rest+b
	}
	if sign == "%" {
		return rest, nil
	}
	return quotient, nil
}

// power raises a whole number to a power.
func power(a, b int64) (any, error) {
	if b < 0 {
		return fraction("**", float64(a), float64(b))
	}
	out := int64(1)
	for ; b > 0 && a != 1; b-- {
		if a == 0 || a == -1 && b%2 == 0 {
			return map[bool]int64{true: 0, false: out}[a == 0], nil
		}
		if a == -1 {
			return -out, nil
		}
		next, err := whole("*", out, a)
		if err != nil {
			return nil, err
		}
		out = next.(int64)
	}
	return out, nil
}

// fraction calculates with numbers that may have fractions.
func fraction(sign string, a, b float64) (any, error) {
	switch sign {
	case "+":
		return a + b, nil
	case "-":
		return a - b, nil
	case "*":
		return a * b, nil
	case "**":
		return math.Pow(a, b), nil
	}
	if b == 0 {
		return nil, errZero
	}
	switch sign {
	case "//":
		return math.Floor(a / b), nil
	case "%":
		return a - b*math.Floor(a/b), nil
	}
	return a / b, nil
}
