package query

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// params reads the values of a statement's parameters from JSON: a list for ? and $1, an object for $name. wanted has
// the statement's parameters. Integers become BIGINT, numbers with a point become decimals as written,
// those with an exponent become DOUBLE.
func params(text json.RawMessage, wanted []string) (out []duck.Param, err error) {
	given, err := decode(text)
	if err != nil {
		return nil, err
	}
	for _, name := range wanted {
		if n, err := strconv.Atoi(name); err == nil && n > 1 && !slices.Contains(wanted, strconv.Itoa(n-1)) {
			return nil, badParams("the statement has $%d but no $%d. Number its parameters from 1, without gaps", n, n-1)
		}
	}
	byName := map[string]any{}
	switch given := given.(type) {
	case nil:
	case []any:
		for i, v := range given {
			byName[strconv.Itoa(i+1)] = v
		}
	case map[string]any:
		byName = given
	default:
		return nil, badParams("must be a list, or an object with the parameters' names")
	}
	for name, v := range byName {
		if !slices.Contains(wanted, name) {
			return nil, badParams("the statement has no parameter $%s; it has %s", clip(name, maxName), listed(wanted))
		}
		value, err := valueOf(v)
		if err != nil {
			return nil, badParams("$%s %s", name, err)
		}
		out = append(out, duck.Param{Name: name, Value: value})
	}
	for _, name := range wanted {
		if _, ok := byName[name]; !ok {
			return nil, badParams("parameter $%s has no value; the statement has %s", name, listed(wanted))
		}
	}
	return out, nil
}

// checkValues refuses values that do not match the statement's parameters.
func checkValues(given []duck.Param, wanted []string) error {
	for _, name := range wanted {
		if !slices.ContainsFunc(given, func(p duck.Param) bool { return p.Name == name }) {
			return badParams("parameter $%s has no value; the statement has %s", name, listed(wanted))
		}
	}
	return nil
}

// decode parses JSON, with numbers as json.Number. Empty text is null.
func decode(text json.RawMessage) (given any, err error) {
	if len(text) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&given); err != nil {
		return nil, badParams("is not valid JSON")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, badParams("is more than one JSON value")
	}
	return given, nil
}

// badParams returns the refusal of parameters. The text follows "params:" and gets a full stop.
func badParams(format string, args ...any) *fault.Error {
	return refuse("invalid_params", "params: %s.", fmt.Sprintf(format, args...)).With("field", "params")
}

// listed names parameters for a sentence.
func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return "$" + strings.Join(names, ", $")
}

// valueOf converts a JSON value to one that DuckDB can bind. A list of plain values has a type of its own in the
// bindings; everything else that is nested goes as one value.
func valueOf(given any) (any, error) {
	v, err := partOf(given, maxDepth)
	switch v := v.(type) {
	case map[string]any:
		return duck.Nested{Value: v}, err
	case []any:
		if slices.ContainsFunc(v, nested) {
			return duck.Nested{Value: v}, err
		}
	}
	return v, err
}

// nested reports whether a list with such a part is more than one of plain values.
func nested(part any) bool {
	switch part.(type) {
	case []any, map[string]any, duck.Decimal:
		return true
	}
	return false
}

// partOf converts a JSON value, or a part of one, to the types that DuckDB's values are made from. depth is how many
// lists and objects may still be nested.
func partOf(given any, depth int) (any, error) {
	if depth == 0 {
		return nil, fmt.Errorf("has more than %d nested lists and objects", maxDepth-1)
	}
	switch v := given.(type) {
	case json.Number:
		return number(v.String())
	case []any:
		out := make([]any, len(v))
		for i, part := range v {
			value, err := partOf(part, depth-1)
			if err != nil {
				return nil, err
			}
			out[i] = value
		}
		return out, nil
	case map[string]any:
		return object(v, depth)
	}
	return given, nil
}

// object converts a JSON object to what a STRUCT is made from.
func object(given map[string]any, depth int) (any, error) {
	if len(given) == 0 {
		return nil, errors.New("has an object without fields, which has no type. Send it as text, and cast it to JSON")
	}
	out, folded := map[string]any{}, map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		value, err := partOf(given[name], depth-1)
		if err != nil {
			return nil, err
		}
		// The fields of a STRUCT ignore case.
		if name == "" || folded[schema.Fold(name)] {
			return nil, fmt.Errorf("has an object with the field %q twice, or a field without a name. SQL ignores case",
				clip(name, maxName))
		}
		folded[schema.Fold(name)] = true
		out[name] = value
	}
	return out, nil
}

// maxDigits is the most digits of a DuckDB decimal.
const maxDigits = 38

// number converts a JSON number: to an int64 or an exact decimal if it fits, else to a double. Doubles are the last
// resort: 0.1 would not stay 0.1, and a key of 20 digits would lose some.
func number(text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	whole, fraction, _ := strings.Cut(text, ".")
	digits, ok := new(big.Int).SetString(whole+fraction, 10)
	d := duck.Decimal{Digits: digits, Scale: len(fraction)}
	if ok && len(strings.TrimPrefix(whole, "-"))+len(fraction) <= maxDigits {
		return d, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, errors.New("is a number that is too large")
	}
	return f, nil
}
