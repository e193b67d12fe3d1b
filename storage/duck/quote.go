package duck

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Ident quotes a name for SQL.
func Ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Text quotes a string for SQL.
func Text(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

// Texts writes a list of strings for SQL.
func Texts(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = Text(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// Int writes a BIGINT for SQL: a plain number would be of the narrowest type that holds it.
func Int(n int64) string { return "CAST(" + strconv.FormatInt(n, 10) + " AS BIGINT)" }

// Ints writes a list of BIGINTs for SQL.
func Ints(list []int64) string {
	text := make([]string, len(list))
	for i, n := range list {
		text[i] = strconv.FormatInt(n, 10)
	}
	return "CAST([" + strings.Join(text, ", ") + "] AS BIGINT[])"
}

// Parts are what Fill puts into a text of SQL, by name: SQL, or numbers.
type Parts map[string]any

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// Fill returns a text of SQL with its named parts in the places {name}. A part that is not given is a mistake of ours, and
// panics; what a part is made of is not looked at, so it may have braces.
func Fill(sql string, parts Parts) string {
	return placeholder.ReplaceAllStringFunc(sql, func(place string) string {
		part, ok := parts[strings.Trim(place, "{}")]
		if !ok {
			panic(fmt.Sprintf("no part %s for %s", place, sql))
		}
		return fmt.Sprint(part)
	})
}
