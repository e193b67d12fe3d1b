package gate

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/rowback/rowback/storage/schema"
)

// The limits of what DuckDB can write as text. Integers beyond them stand for infinity or have no meaning.
const (
	dateMost      = math.MaxInt32 - 1 // days since 1970, to either side
	timestampLow  = -9223372022400000000
	nanosecondLow = -9223286400000000000
	momentMost    = math.MaxInt64 - 1
	dayMicros     = 86_400_000_000
)

// MaxJSONDepth is how deeply arrays and objects may be nested in JSON: many readers fail on deeper ones.
const MaxJSONDepth = 500

// Value returns what is wrong with value i of an array of type t, as the object of "has"; "" if it can be stored.
func Value(t schema.Type, a arrow.Array, i int) string {
	if a.IsNull(i) {
		return ""
	}
	switch v := a.(type) {
	case *array.List:
		start, end := v.ValueOffsets(i)
		return elements(*t.Elem, v.ListValues(), start, end)
	case *array.Map:
		start, end := v.ValueOffsets(i)
		if why := keys(v.Keys(), start, end); why != "" {
			return why
		}
		if why := elements(*t.Key, v.Keys(), start, end); why != "" {
			return why
		}
		return elements(*t.Elem, v.Items(), start, end)
	case *array.Struct:
		for f, field := range t.Fields {
			if why := Value(field.Type, v.Field(f), i); why != "" {
				return why
			}
		}
		return ""
	}
	return scalar(t, a, i)
}

func elements(t schema.Type, a arrow.Array, start, end int64) string {
	if !Checked(t) {
		return ""
	}
	for j := start; j < end; j++ {
		if why := Value(t, a, int(j)); why != "" {
			return why
		}
	}
	return ""
}

// keys returns what is wrong with the keys of a map, which must be distinct and not null.
func keys(a arrow.Array, start, end int64) string {
	seen := make(map[string]bool, end-start)
	for j := int(start); j < int(end); j++ {
		key := a.ValueStr(j)
		if key == "-0" {
			key = "0" // SQL takes them for the same number
		}
		switch {
		case a.IsNull(j):
			return "a map with a key that is null"
		case seen[key]:
			return fmt.Sprintf("a map with the key %q twice", clip(key))
		}
		seen[key] = true
	}
	return ""
}

func scalar(t schema.Type, a arrow.Array, i int) string {
	switch v := a.(type) {
	case *array.String:
		if t.Name == schema.JSON {
			return text(v.Value(i))
		}
	case *array.Decimal128:
		if d := v.DataType().(*arrow.Decimal128Type); !v.Value(i).FitsInPrecision(d.Precision) {
			return fmt.Sprintf("a decimal with more digits than %s has", t)
		}
	case *array.Date32:
		return within("a date", int64(v.Value(i)), -dateMost, dateMost)
	case *array.Time64:
		if n := int64(v.Value(i)); n < 0 || n >= dayMicros {
			return fmt.Sprintf("a time of day of %d microseconds; a day has %d", n, int64(dayMicros))
		}
	case *array.Timestamp:
		if t.Name == schema.TimestampNS {
			return within("a moment in nanoseconds", int64(v.Value(i)), nanosecondLow, momentMost)
		}
		return within("a moment in microseconds", int64(v.Value(i)), timestampLow, momentMost)
	}
	return ""
}

func within(what string, n, least, most int64) string {
	if n < least || n > most {
		return fmt.Sprintf("%s of %d, and those that can be stored range from %d to %d", what, n, least, most)
	}
	return ""
}

// text returns what is wrong with text of type JSON.
func text(s string) string {
	value := jsontext.Value(s)
	if !value.IsValid() {
		return fmt.Sprintf("the text %q, which is not JSON", clip(s))
	}
	if Depth(value) > MaxJSONDepth {
		return fmt.Sprintf("JSON with more than %d levels of arrays and objects", MaxJSONDepth)
	}
	return ""
}

// Depth returns how deeply arrays and objects are nested in valid JSON; 0 for a scalar.
func Depth(value jsontext.Value) (deepest int) {
	depth, quoted := 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[', c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']', c == '}':
			depth--
		}
	}
	return deepest
}

// clip shortens a text for a message.
func clip(s string) string {
	const most = 60
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most]) + "…"
}
