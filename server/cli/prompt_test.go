package cli

import (
	"net/http/httptest"
	"slices"
	"testing"
)

// The prompt completes what the server has, and asks for it once.
func TestThePromptCompletesNames(t *testing.T) {
	s := &canned{t: t, answers: map[string][]string{
		"GET /api/v1/datasets": {`200 {"datasets":[{"name":"employees"},{"name":"Odd name"}]}`},
		"GET " + d + "/schema": {`200 {"columns":[{"name":"id"},{"name":"city"},{"name":"Home Town"}]}`},
		"GET " + d + "/refs":   {`200 {"versions":[{"version":"1.0.0"}],"savepoints":[],"tags":[{"name":"golden"}]}`},
	}}
	server := httptest.NewServer(s)
	defer server.Close()
	names := &namesAt{cmd: &queryCmd{remote: remote{Server: server.URL}, ProjectID: "1"}}
	for _, c := range []struct {
		line, word string
		want       []string
	}{
		{"sel", "sel", []string{"SELECT"}},
		{"SELECT * FROM em", "em", []string{"employees"}},
		{`SELECT * FROM "em`, `"em`, []string{`"employees"`}},
		{"SELECT * FROM odd", `"odd`, []string{`"Odd name"`}},
		{"SELECT ci FROM employees", "ci", []string{"city"}},
		{`SELECT "h FROM employees`, `"h`, []string{`"Home Town"`}},
		{`SELECT * FROM "employees@g`, `"employees@g`, []string{`"employees@golden"`}},
		{`SELECT * FROM "employees@1`, `"employees@1`, []string{`"employees@1.0.0"`}},
		{"SELECT zz", "zz", nil},
	} {
		if got := names.completions(c.line, c.word); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
	}
	if len(s.asked) != 3 {
		t.Errorf("the server was asked %q", s.asked)
	}
}

func TestAStatementEndsWithASemicolon(t *testing.T) {
	for line, want := range map[string]bool{
		"SELECT 1": false, "SELECT 1;": true, "SELECT\n1 ; ": true, "": true, `\q`: true, "quit": true, "quit now": false,
	} {
		if isWhole(line) != want {
			t.Errorf("%q is whole: %v", line, !want)
		}
	}
}
