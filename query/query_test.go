package query_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rowback/rowback/query"
)

var update = flag.Bool("update", false, "write the results that the statements of testdata have now")

// TestStatements runs the files of testdata. Each has cases separated by an empty line: lines of settings (params,
// limit), the statement, "----", and the result as lines of JSON, or the error.
func TestStatements(t *testing.T) {
	w := open(t)
	files, err := filepath.Glob("testdata/*.test")
	if err != nil || len(files) == 0 {
		t.Fatal("no files in testdata", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".test"), func(t *testing.T) { runFile(t, w, file) })
	}
}

func runFile(t *testing.T, w *world, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cases := strings.Split(strings.TrimRight(string(text), "\n"), "\n\n")
	for i, c := range cases {
		if strings.HasPrefix(c, "# ") {
			continue
		}
		asked, want, _ := strings.Cut(c, "\n----")
		want = strings.TrimPrefix(want, "\n")
		got := run(t, w, asked)
		cases[i] = strings.TrimRight(asked+"\n----\n"+got, "\n")
		if got != want && !*update {
			t.Errorf("%s\n got %s\nwant %s", asked, got, want)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(cases, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func run(t *testing.T, w *world, asked string) string {
	var s query.Statement
	for line := range strings.Lines(asked) {
		if value, ok := strings.CutPrefix(line, "params: "); ok {
			s.Params = json.RawMessage(value)
		} else if value, ok := strings.CutPrefix(line, "limit: "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			s.Limit = &n
		} else {
			s.SQL += line
		}
	}
	got, cut, err := w.ask(context.Background(), s)
	if err != nil {
		return "error: " + told(err)
	}
	if cut != "" {
		got += "\ncut: " + string(cut)
	}
	return strings.TrimSpace(got)
}
