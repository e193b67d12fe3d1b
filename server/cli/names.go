package cli

import "strings"

// quoted returns names as the server reads lists of them: separated by commas, each in double quotes.
func quoted(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return strings.Join(list, ",")
}
