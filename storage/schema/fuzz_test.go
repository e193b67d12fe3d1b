package schema

import (
	"strings"
	"testing"
)

// Every text that parses as a type round-trips: its String parses as the same type.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"BIGINT", "DECIMAL(38,10)", "VARCHAR[]", "INTEGER[3][]", `STRUCT("a b" BIGINT, c VARCHAR[])`,
		"MAP(VARCHAR, STRUCT(a DATE))",
		"ENUM('a', 'b)')", "UNION(a BIGINT)", `"NULL"`, "TIMESTAMP WITH TIME ZONE", "STRUCT(a ", "[", "DECIMAL(,)",
		strings.Repeat("STRUCT(a ", 100_000), "BIGINT" + strings.Repeat("[]", 100_000),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		typ, err := Parse(text)
		if err != nil || typ.Name == "ENUM" || typ.Name == "UNION" {
			return
		}
		again, err := Parse(typ.String())
		if err != nil {
			t.Fatalf("%q was read, and %q is not: %v", text, typ, err)
		}
		if !again.Equal(typ) {
			t.Fatalf("%q is %q, and then %q", text, typ, again)
		}
	})
}
