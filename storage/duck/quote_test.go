//go:build duckdb_arrow

package duck

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"
)

// Quoted text is that text to DuckDB, and a quoted name that name.
func FuzzQuote(f *testing.F) {
	for _, text := range []string{"", "a", "'", "''", `"`, "\\'", "$1", "?", "--", "/*", "\n", "é", "'; DROP TABLE x; --"} {
		f.Add(text)
	}
	e, err := Open(Limits{Threads: 1, Memory: 256 << 20})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { e.Close() })
	conn, err := e.Conn(context.Background())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { conn.Close() })
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return // refused before it gets here
		}
		var back, list string
		if err := conn.Row(context.Background(), "SELECT "+Text(text)+", "+Texts([]string{text, text})+"[2]", &back, &list); err != nil {
			t.Fatal(err)
		}
		if back != text || list != text {
			t.Fatalf("%q came back as %q and %q", text, back, list)
		}
		if text == "" {
			return
		}
		if err := conn.Row(context.Background(), "SELECT column_name FROM (DESCRIBE SELECT 1 AS "+Ident(text)+")", &back); err != nil || back != text {
			t.Fatalf("the name %q came back as %q, %v", text, back, err)
		}
	})
}

func TestFillPutsPartsIntoTheirPlaces(t *testing.T) {
	got := Fill("SELECT {list}, {list} FROM ({rows}) LIMIT {n}", Parts{"list": "'{rows}'", "rows": "FROM t", "n": 3})
	if want := "SELECT '{rows}', '{rows}' FROM (FROM t) LIMIT 3"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("a part that is not given is left out")
		}
	}()
	Fill("SELECT {missing}", Parts{})
}
