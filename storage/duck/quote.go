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

// Texts formats a list of strings for SQL.
func Texts(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = Text(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// Int formats a BIGINT for SQL: a plain number has the narrowest type that holds it.
func Int(n int64) string { return "CAST(" + strconv.FormatInt(n, 10) + " AS BIGINT)" }

// Ints formats a list of BIGINTs for SQL.
func Ints(list []int64) string {
	text := make([]string, len(list))
	for i, n := range list {
		text[i] = strconv.FormatInt(n, 10)
	}
	return "CAST([" + strings.Join(text, ", ") + "] AS BIGINT[])"
}

// Parts are the named parts of a text of SQL: more SQL, or numbers.
type Parts map[string]any

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// Fill replaces the placeholders {name} of a text of SQL by its parts. A missing part is a bug and panics. Placeholders
// inside a part are left alone, so parts may contain braces.
func Fill(sql string, parts Parts) string {
	return placeholder.ReplaceAllStringFunc(sql, func(place string) string {
		part, ok := parts[strings.Trim(place, "{}")]
		if !ok {
			panic(fmt.Sprintf("no part %s for %s", place, sql))
		}
		return fmt.Sprint(part)
	})
}
