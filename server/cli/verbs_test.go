package cli

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// quotedWords matches the words of the manual that are typed.
var quotedWords = regexp.MustCompile("`([a-z]+)`")

// manualVerbs reads the table of the manual: the verbs of each resource, and all words of it.
func manualVerbs(t *testing.T) (verbs map[string][]string, all []string) {
	t.Helper()
	text, err := os.ReadFile("../web/manual/terminal.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| resource | verbs |")
	table, _, _ = strings.Cut(table, "\n\n")
	words := func(text string) (list []string) {
		for _, m := range quotedWords.FindAllStringSubmatch(text, -1) {
			list = append(list, m[1])
		}
		return list
	}
	verbs = map[string][]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		all = append(all, words(line)...)
		if resource := words(cells[1]); len(resource) == 1 {
			own, _, _ := strings.Cut(cells[2], ";")
			verbs[resource[0]] = words(own)
		}
	}
	return verbs, all
}

func TestTheManualListsEveryCommandAndVerb(t *testing.T) {
	parser, err := newParser(&program{}, console{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	listed, all := manualVerbs(t)
	for _, node := range parser.Model.Node.Children {
		if node.Hidden {
			continue
		}
		if !slices.Contains(all, node.Name) {
			t.Errorf("the manual does not list %s", node.Name)
		}
		if got := strings.Join(listed[node.Name], ", "); len(node.Children) > 0 && got != verbsOf(node) {
			t.Errorf("%s has the verbs %s; the manual lists %s", node.Name, verbsOf(node), got)
		}
	}
}

// One grammar: what has a list is listed when it is called without a verb, or creates, as its help says; a verb that
// names what it makes takes -m.
func TestResourcesShareOneGrammar(t *testing.T) {
	parser, err := newParser(&program{}, console{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range parser.Model.Node.Children {
		if list := childOf(node, "list"); list != nil && node.DefaultCmd == nil {
			t.Errorf("%s without a verb is refused", node.Name)
		}
		if d := node.DefaultCmd; d != nil && !d.Hidden && !strings.HasSuffix(d.Help, "(the default).") {
			t.Errorf("the help of %s %s does not say that it is the default: %s", node.Name, d.Name, d.Help)
		}
		checkTextFlags(t, node)
	}
}

// checkTextFlags fails the test if a command says what something is for with --message or --description, and has no -m.
func checkTextFlags(t *testing.T, node *kong.Node) {
	t.Helper()
	names := map[string]bool{}
	for _, f := range node.Flags {
		names[f.Name] = true
		names["-"+string(f.Short)] = f.Short != 0
	}
	isUnsaid := names["message"] || names["description"] && slices.Contains([]string{"create", "edit", "move"}, node.Name)
	// A dataset's description is not a message: the -m of dataset edit is that of its commit.
	if isUnsaid && !names["-m"] && commandPath(node) != "rowback dataset create" {
		t.Errorf("%s has no -m", commandPath(node))
	}
	for _, child := range node.Children {
		checkTextFlags(t, child)
	}
}

func TestCountsAgreeWithTheirNouns(t *testing.T) {
	for want, got := range map[string]string{
		"0 files": countOf(0, "file"), "1 file": countOf(1, "file"), "1,234 entries": countOf(int64(1234), "entry"),
		"1 more record": countOf(1, "more record"), "2 days": countOf(2, "day"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
