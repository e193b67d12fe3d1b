package cli

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/server/profile"
)

func TestTheShellCompletesWordsOfACommandLine(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	if _, err := changeProfiles(func(p *profile.Profiles) error {
		p.By["work"] = profile.Profile{Server: "http://127.0.0.1:1"}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	s := &canned{t: t, answers: map[string][]string{
		"GET /api/v1/datasets": {`200 {"datasets":[{"name":"employees"},{"name":"entries"},{"name":"x\u001b[31m"}]}`},
		"GET " + d + "/refs":   {`200 {"versions":[{"version":"1.0.0"}],"savepoints":[{"version":"master__000001"}],"tags":[]}`},
	}}
	server := httptest.NewServer(s)
	defer server.Close()
	t.Setenv("ROWBACK_SERVER", server.URL)
	parser, err := newParser(&program{}, console{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"dat":                                "dataset",
		"dataset un":                         "undelete",
		"dataset show e":                     "employees entries",
		"dataset show x":                     `x\x1b[31m`,
		"log --da":                           "--dataset",
		"log -d em":                          "employees",
		"log --dataset=em":                   "--dataset=employees",
		"diff -d employees mas":              "master__000001",
		"diff -d employees head 1":           "1.0.0",
		"tag golden -d employees --ref 1":    "1.0.0",
		"import --mode up":                   "upsert",
		"query --format n":                   "ndjson",
		"profile use w":                      "work",
		"log --profile w":                    "work",
		"__comp":                             "",
		"completion ":                        "bash zsh fish",
		"log --server http://127.0.0.1:1 -d": "",
	} {
		var got []string
		for _, found := range complete(parser.Model.Node, strings.Split(line, " ")) {
			word, _, _ := strings.Cut(found, "\t")
			got = append(got, word)
		}
		if !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestEveryExampleIsACommandLine(t *testing.T) {
	parser, err := newParser(&program{}, console{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for path, list := range examples {
		for _, line := range list {
			words := shellWords(line)
			if words[0] != "rowback" {
				t.Errorf("%s does not begin with the program", line)
			}
			parsed, err := parser.Parse(words[1:])
			if err != nil {
				t.Errorf("%s: %v", line, err)
				continue
			}
			if got := strings.TrimPrefix(commandPath(parsed.Selected()), "rowback "); got != path {
				t.Errorf("%s is an example of %s, and is listed at %s", line, got, path)
			}
		}
	}
}

// What --help and help print fits 80 columns, with an example for each command. The line of usage is left out: it has
// every argument and flag that is needed.
func TestTheHelpOfEachCommandHasAnExampleAndFits(t *testing.T) {
	parser, err := newParser(&program{}, console{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(true) {
		path := strings.TrimPrefix(commandPath(leaf), "rowback ")
		isShown := !leaf.Hidden && !leaf.Parent.Hidden
		if isShown && len(examples[path]) == 0 {
			t.Errorf("%s has no example", path)
		}
		for _, line := range examples[path] {
			if len(line) > 78 {
				t.Errorf("with its margin this is too wide for 80 columns: %s", line)
			}
		}
	}
	var list strings.Builder
	if err := (&helpCmd{}).Run(console{out: &list}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(list.String()) {
		if len(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("too wide for 80 columns: %s", line)
		}
	}
}

// shellWords splits a command line with quotes, up to a redirection.
func shellWords(line string) (words []string) {
	var word strings.Builder
	quote := rune(0)
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case quote == 0 && (r == '<' || r == '>'):
			return words
		case quote == 0 && r == ' ':
			words = append(words, word.String())
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	return words
}
