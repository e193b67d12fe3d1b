package expression

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// errArguments is the refusal of a call with other arguments than there are.
var errArguments = errors.New("a function or method was called with arguments that it does not have")

// namesOf lists what there is.
func namesOf[T any](of map[string]T) string {
	return strings.Join(slices.Sorted(maps.Keys(of)), ", ")
}

// functions are what may be called by name.
var functions = map[string]func([]any) (any, error){
	"abs": one(absolute), "ceil": rounding(math.Ceil), "floor": rounding(math.Floor), "sqrt": numeric(math.Sqrt),
	"log": numeric(math.Log), "log10": numeric(math.Log10), "exp": numeric(math.Exp),
	"len": length, "str": one(func(v any) (any, error) { return text(v), nil }), "int": one(toInt),
	"float": one(toFloat), "bool": one(func(v any) (any, error) { return truth(v), nil }),
	"list": one(func(v any) (any, error) { return listOf(v) }), "set": one(unique), "unique": one(unique),
	"sorted": one(sorted), "reversed": one(reversed), "sum": one(sum), "min": extreme(-1), "max": extreme(1),
	"any": one(anyOf), "all": one(allOf), "round": round, "range": rangeOf, "get": get, "concat": concat,
	"lower": method("lower"), "upper": method("upper"), "split": method("split"), "join": joinList,
	"today": moment("2006-01-02"), "now": moment("2006-01-02T15:04:05.000000"), "coalesce": coalesce,
}

// one makes a function of one argument.
func one(of func(any) (any, error)) func([]any) (any, error) {
	return func(given []any) (any, error) {
		if len(given) != 1 {
			return nil, errArguments
		}
		return of(given[0])
	}
}

// method makes a function of a method.
func method(name string) func([]any) (any, error) {
	return func(given []any) (any, error) {
		if len(given) == 0 {
			return nil, errArguments
		}
		return methods[name](given[0], given[1:])
	}
}

// absolute returns a number without its sign.
func absolute(v any) (any, error) {
	n, f, isWhole, ok := number(v)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s is not a number", typeOf(v))
	case isWhole && n < 0:
		return whole("-", 0, n)
	case isWhole:
		return n, nil
	}
	return math.Abs(f), nil
}

// numeric makes a function of a number.
func numeric(of func(float64) float64) func([]any) (any, error) {
	return one(func(v any) (any, error) {
		_, f, _, ok := number(v)
		if !ok {
			return nil, fmt.Errorf("%s is not a number", typeOf(v))
		}
		out := of(f)
		if math.IsNaN(out) && !math.IsNaN(f) {
			return nil, errors.New("a function is not defined for a number")
		}
		return out, nil
	})
}

// rounding makes a function that returns a whole number.
func rounding(of func(float64) float64) func([]any) (any, error) {
	return one(func(v any) (any, error) {
		n, f, isWhole, ok := number(v)
		if !ok {
			return nil, fmt.Errorf("%s is not a number", typeOf(v))
		}
		if isWhole {
			return n, nil
		}
		return toInt(of(f))
	})
}

// length is how many elements or characters there are.
func length(given []any) (any, error) {
	if len(given) != 1 {
		return nil, errArguments
	}
	switch v := given[0].(type) {
	case string:
		return int64(utf8.RuneCountInString(v)), nil
	case map[string]any:
		return int64(len(v)), nil
	}
	list, err := listOf(given[0])
	return int64(len(list)), err
}

// toInt returns a value as a whole number, without its fraction.
func toInt(v any) (any, error) {
	if s, ok := v.(string); ok {
		n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%.40q is not a whole number", s)
		}
		return n, nil
	}
	n, f, isWhole, ok := number(v)
	switch {
	case isWhole:
		return n, nil
	case !ok:
		return nil, fmt.Errorf("%s is not a number", typeOf(v))
	case math.IsNaN(f) || math.Abs(f) >= 1<<63:
		return nil, errOverflow
	}
	return int64(f), nil
}

// toFloat returns a value as a number.
func toFloat(v any) (any, error) {
	if s, ok := v.(string); ok {
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil {
			return nil, fmt.Errorf("%.40q is not a number", s)
		}
		return f, nil
	}
	_, f, _, ok := number(v)
	if !ok {
		return nil, fmt.Errorf("%s is not a number", typeOf(v))
	}
	return f, nil
}

// unique returns the elements of a list, each once, in their order.
func unique(v any) (any, error) {
	list, err := listOf(v)
	if err != nil {
		return nil, err
	}
	out, seen := []any{}, map[string]bool{}
	for _, one := range list {
		if key := typeOf(one) + text(one); !seen[key] {
			seen[key] = true
			out = append(out, one)
		}
	}
	return out, nil
}

// sorted returns the elements of a list in order.
func sorted(v any) (any, error) {
	list, err := listOf(v)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(a, b any) int {
		order, wrong := ordered(a, b)
		if wrong != nil {
			err = wrong
		}
		return order
	})
	return out, err
}

func reversed(v any) (any, error) {
	list, err := listOf(v)
	out := slices.Clone(list)
	slices.Reverse(out)
	return out, err
}

func sum(v any) (total any, err error) {
	list, err := listOf(v)
	total = int64(0)
	for i := 0; i < len(list) && err == nil; i++ {
		total, err = calculate("+", total, list[i])
	}
	return total, err
}

// extreme makes a function of the least or the greatest, of a list or of its arguments.
func extreme(side int) func([]any) (any, error) {
	return func(given []any) (any, error) {
		if len(given) == 1 {
			list, err := listOf(given[0])
			if err != nil {
				return nil, err
			}
			given = list
		}
		if len(given) == 0 {
			return nil, errors.New("the list is empty")
		}
		best := given[0]
		for _, v := range given[1:] {
			order, err := ordered(v, best)
			if err != nil {
				return nil, err
			}
			if order*side > 0 {
				best = v
			}
		}
		return best, nil
	}
}

func anyOf(v any) (any, error) {
	list, err := listOf(v)
	return slices.ContainsFunc(list, truth), err
}

func allOf(v any) (any, error) {
	list, err := listOf(v)
	return !slices.ContainsFunc(list, func(one any) bool { return !truth(one) }), err
}

// round rounds to a number of digits, halves to the even neighbour; without one, to a whole number.
func round(given []any) (any, error) {
	if len(given) == 0 || len(given) > 2 {
		return nil, errArguments
	}
	n, f, isWhole, ok := number(given[0])
	if !ok {
		return nil, fmt.Errorf("%s is not a number", typeOf(given[0]))
	}
	if len(given) == 1 {
		if isWhole {
			return n, nil
		}
		return toInt(math.RoundToEven(f))
	}
	digits, _, isCount, _ := number(given[1])
	if !isCount || digits < 0 || digits > 17 {
		return nil, errArguments
	}
	if isWhole {
		return n, nil
	}
	return strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(digits), 64), 64)
}

// rangeOf returns whole numbers from one until another, in steps.
func rangeOf(given []any) (any, error) {
	bounds := []int64{0, 0, 1}
	for i, v := range given {
		n, _, isWhole, _ := number(v)
		if !isWhole || i > 2 {
			return nil, errArguments
		}
		bounds[i] = n
	}
	switch len(given) {
	case 0:
		return nil, errArguments
	case 1:
		bounds[0], bounds[1] = 0, bounds[0]
	}
	if bounds[2] == 0 {
		return nil, errArguments
	}
	out := []any{}
	for n := bounds[0]; bounds[2] > 0 && n < bounds[1] || bounds[2] < 0 && n > bounds[1]; {
		if out = append(out, n); len(out) > maxSteps {
			return nil, errTooLarge
		}
		next := n + bounds[2]
		if (next > n) != (bounds[2] > 0) { // there are no numbers behind the last one
			break
		}
		n = next
	}
	return out, nil
}

// get returns a member of an object, or else a default.
func get(given []any) (any, error) {
	if len(given) != 2 && len(given) != 3 {
		return nil, errArguments
	}
	object, ok := given[0].(map[string]any)
	if !ok && given[0] != nil {
		return nil, fmt.Errorf("get is not for %s", typeOf(given[0]))
	}
	var v any = object
	for name := range strings.SplitSeq(text(given[1]), ".") {
		of, _ := v.(map[string]any)
		v = of[name]
	}
	if v == nil && len(given) == 3 {
		v = given[2]
	}
	return v, nil
}

// concat joins texts; None is left out.
func concat(given []any) (any, error) {
	var out strings.Builder
	for _, v := range given {
		if v == nil {
			continue
		}
		part := text(v)
		if err := checkSizes(out.Len(), len(part)); err != nil {
			return nil, err
		}
		out.WriteString(part)
	}
	return out.String(), nil
}

// coalesce returns the first of its arguments that is not None.
func coalesce(given []any) (any, error) {
	for _, v := range given {
		if v != nil {
			return v, nil
		}
	}
	return nil, nil
}

// joinList joins the elements of a list, with a text between them.
func joinList(given []any) (any, error) {
	if len(given) != 2 {
		return nil, errArguments
	}
	return methods["join"](given[1], given[:1])
}

// moment makes a function of the time.
func moment(layout string) func([]any) (any, error) {
	return func(given []any) (any, error) {
		if len(given) > 0 {
			return nil, errArguments
		}
		return time.Now().UTC().Format(layout), nil
	}
}
