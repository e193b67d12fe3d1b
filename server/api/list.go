package api

import "strings"

// list returns the parts of a comma-separated list, without spaces around them and without empty ones. What is in
// double quotes is one part, whatever it contains.
func list(text string) (parts []string) {
	isQuoted := false
	all := strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			isQuoted = !isQuoted
		}
		return r == ',' && !isQuoted
	})
	for _, part := range all {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// unquoted returns the name that a part of a list stands for: in double quotes, in which two are one, as in SQL, or as
// it is.
func unquoted(part string) string {
	inner, begins := strings.CutPrefix(part, `"`)
	inner, ends := strings.CutSuffix(inner, `"`)
	if !begins || !ends {
		return part
	}
	return strings.ReplaceAll(inner, `""`, `"`)
}
