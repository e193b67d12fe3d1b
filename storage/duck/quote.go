package duck

import (
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

// Ints writes a list of BIGINTs for SQL.
func Ints(list []int64) string {
	text := make([]string, len(list))
	for i, n := range list {
		text[i] = strconv.FormatInt(n, 10)
	}
	return "CAST([" + strings.Join(text, ", ") + "] AS BIGINT[])"
}
