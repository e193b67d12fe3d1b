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
	texts := []string{"", "a", "'", "''", `"`, "\\'", "$1", "?", "--", "/*", "\n", "é", "'; DROP TABLE x; --"}
	for _, text := range texts {
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
		query := "SELECT " + Text(text) + ", " + Texts([]string{text, text}) + "[2]"
		if err := conn.Row(context.Background(), query, &back, &list); err != nil {
			t.Fatal(err)
		}
		if back != text || list != text {
			t.Fatalf("%q came back as %q and %q", text, back, list)
		}
		if text == "" {
			return
		}
		query = "SELECT column_name FROM (DESCRIBE SELECT 1 AS " + Ident(text) + ")"
		if err := conn.Row(context.Background(), query, &back); err != nil || back != text {
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
			t.Error("a missing part did not panic")
		}
	}()
	Fill("SELECT {missing}", Parts{})
}
