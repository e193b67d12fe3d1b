package expression

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// listOf returns the items of a JSON list.
func listOf(text json.RawMessage) (list []json.RawMessage, ok bool) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] != '[' {
		return nil, false
	}
	return list, json.Unmarshal(text, &list) == nil
}

// isMissing reports whether a value is none: null, or {"?": reason}.
func isMissing(v json.RawMessage) bool {
	if bytes.Equal(bytes.TrimSpace(v), []byte("null")) {
		return true
	}
	var reason map[string]json.RawMessage
	return json.Unmarshal(v, &reason) == nil && len(reason) == 1 && reason["?"] != nil
}

// literal writes a value in SQL, as it is to stand beside a column of a type.
func literal(v json.RawMessage, beside schema.Type) (string, error) {
	if isMissing(v) {
		return "NULL", nil
	}
	var value any
	d := json.NewDecoder(bytes.NewReader(v))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return "", refuse("%s is not a value", fault.Clip(string(v)))
	}
	switch value := value.(type) {
	case string:
		if strings.ContainsRune(value, 0) {
			return "", refuse("a value has no NUL characters")
		}
		if _, err := strconv.ParseFloat(value, 64); err != nil && beside.IsNumber() {
			return "", refuse("%q is not a number, and stands beside numbers", fault.Clip(value))
		}
		return duck.Text(value), nil
	case json.Number:
		if beside.Name == schema.Varchar {
			return duck.Text(value.String()), nil
		}
		return numberText(value), nil
	case bool:
		if value {
			return "TRUE", nil
		}
		return "FALSE", nil
	}
	return "", refuse("%s is not one value", fault.Clip(string(v)))
}

// numberText writes a number in SQL. A whole one is written as an integer, however it came (1e18): DuckDB would compare
// a DOUBLE with integers as DOUBLEs, where neighbours are equal.
func numberText(n json.Number) string {
	text := n.String()
	f, err := n.Float64()
	if isInteger(text) || err != nil || math.Abs(f) >= 1e38 || strings.ContainsAny(text, "-") {
		return text // Rat would take the memory of all digits of 1e-999999999
	}
	if exact, ok := new(big.Rat).SetString(text); ok && exact.IsInt() {
		return exact.Num().String()
	}
	return text
}

// isInteger reports whether SQL text is an integer that a HUGEINT holds.
func isInteger(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	return digits != "" && len(digits) < 39 && strings.Trim(digits, "0123456789") == ""
}
