package output

import (
	"bytes"
	"regexp"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rowback/rowback/storage/schema"
)

// DuckDB's type JSON takes text that is not JSON: NaN and infinities, and commas before a closing bracket. What is
// stored was checked (package gate), but a client's query can make such text.

// hasJSON reports whether a type is JSON or has a part that is.
func hasJSON(t schema.Type) bool {
	for _, inner := range []*schema.Type{t.Key, t.Elem} {
		if inner != nil && hasJSON(*inner) {
			return true
		}
	}
	return t.Name == schema.JSON || slices.ContainsFunc(t.Fields, func(f schema.Field) bool { return hasJSON(f.Type) })
}

// loose matches a string, which is left as it is, or what DuckDB takes in JSON and others do not.
var loose = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|(?i:-?(?:nan|infinity|inf)\b)|,(\s*[\]}])`)

// strict turns DuckDB's loose JSON into strict JSON, which every reader takes: numbers that are not finite become
// null, as they are in columns of numbers.
func strict(text string) string {
	if jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true)) {
		return text
	}
	return string(loose.ReplaceAllFunc([]byte(text), func(part []byte) []byte {
		switch part[0] {
		case '"':
			return part
		case ',':
			return bytes.TrimPrefix(part, []byte(","))
		}
		return []byte("null")
	}))
}
