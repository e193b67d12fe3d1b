package cli

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/rowback/rowback/server/profile"
	"github.com/rowback/rowback/server/terminal"
)

// completionCmd prints a script for a shell.
type completionCmd struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish"`
}

// Help says where the script goes.
func (cmd *completionCmd) Help() string {
	return "Where the script goes: bash ~/.local/share/bash-completion/completions/rowback, zsh a file _rowback in a " +
		"directory of $fpath, fish ~/.config/fish/completions/rowback.fish. Commands, flags, and names of datasets, refs " +
		"and profiles are completed."
}

// completionScripts have each shell ask the program what a word may be.
var completionScripts = map[string]string{
	"bash": `_rowback() {
  local IFS=$' \t\n' words cur
  # Bash splits words at = and : as well, and what it wants is the end of the last part.
  read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
  [[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && words+=("")
  cur=${words[${#words[@]}-1]}
  IFS=$'\n'
  COMPREPLY=($(rowback __complete -- "${words[@]:1}" 2>/dev/null | cut -f1))
  if [ ${#COMPREPLY[@]} -eq 0 ]; then
    COMPREPLY=($(compgen -f -- "${cur##*=}"))
  elif [[ $cur == *[=:]* ]]; then
    COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*[=:]}"}"}")
  fi
}
complete -o filenames -F _rowback rowback
`,
	"zsh": `#compdef rowback
_rowback() {
  local -a found
  local line
  for line in ${(f)"$(rowback __complete -- "${words[@]:1:$((CURRENT-1))}" 2>/dev/null)"}; do
    found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done
  if (( ${#found} )); then _describe rowback found; else _files; fi
}
if [ "$funcstack[1]" = _rowback ]; then _rowback "$@"; else compdef _rowback rowback; fi
`,
	"fish": `function __rowback
  set -l words (commandline -opc) (commandline -ct)
  set -l found (rowback __complete -- $words[2..-1] 2>/dev/null)
  if set -q found[1]
    printf '%s\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c rowback -f -a '(__rowback)'
`,
}

// Run prints the script.
func (cmd *completionCmd) Run(c console) error {
	_, err := fmt.Fprint(c.out, completionScripts[cmd.Shell])
	return err
}

// completeCmd prints what the last of the words of a command line may be, a line each, with what it means after a tab.
type completeCmd struct {
	Words []string `arg:"" optional:""`
}

// Run prints completions.
func (cmd *completeCmd) Run(c console) error {
	parser, err := newParser(&program{}, c, func(int) {})
	if err != nil {
		return err
	}
	words := cmd.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	for _, line := range complete(parser.Model.Node, words) {
		fmt.Fprintln(c.out, line)
	}
	return nil
}

// complete returns what the last word may be.
func complete(root *kong.Node, words []string) (list []string) {
	before, last := words[:len(words)-1], words[len(words)-1]
	at := wordsSoFar(root, before)
	if name, _, ok := strings.Cut(last, "="); ok && strings.HasPrefix(name, "--") {
		if f := flagOf(at.node, name); f != nil {
			for _, v := range at.values(f.Value, f.Name) {
				list = append(list, name+"="+v)
			}
		}
		return withPrefix(list, last)
	}
	switch {
	case at.flag != nil:
		list = at.values(at.flag.Value, at.flag.Name)
	case strings.HasPrefix(last, "-"):
		for _, f := range visibleFlags(at.node) {
			list = append(list, "--"+f.Name+"\t"+f.Help)
		}
	default:
		for _, child := range at.node.Children {
			if !child.Hidden && at.positional == 0 {
				list = append(list, child.Name+"\t"+child.Help)
			}
		}
		if p := at.argument(); p != nil {
			list = append(list, at.values(p, p.Name)...)
		}
	}
	return withPrefix(list, last)
}

// soFar is what the words before the last have said.
type soFar struct {
	node       *kong.Node
	flag       *kong.Flag        // that still needs its value
	given      map[string]string // values of flags
	positional int               // arguments that were given
}

// wordsSoFar reads the words before the last.
func wordsSoFar(root *kong.Node, words []string) soFar {
	at := soFar{node: root, given: map[string]string{}}
	for _, w := range words {
		switch {
		case at.flag != nil:
			at.given[at.flag.Name], at.flag = w, nil
		case strings.HasPrefix(w, "-"):
			name, value, has := strings.Cut(w, "=")
			f := flagOf(at.node, name)
			if f != nil && has {
				at.given[f.Name] = value
			} else if f != nil && !f.IsBool() {
				at.flag = f
			}
		default:
			if child := childOf(at.node, w); child != nil && at.positional == 0 {
				at.node = child
			} else {
				at.positional++
			}
		}
	}
	return at
}

// argument returns the argument that the word would be; nil if there is none.
func (at soFar) argument() *kong.Value {
	node := at.node
	if node.DefaultCmd != nil {
		node = node.DefaultCmd
	}
	switch n := len(node.Positional); {
	case at.positional < n:
		return node.Positional[at.positional]
	case n > 0 && node.Positional[n-1].IsCumulative():
		return node.Positional[n-1]
	}
	return nil
}

// visibleFlags returns the flags that a command takes.
func visibleFlags(node *kong.Node) (list []*kong.Flag) {
	for n := node; n != nil; n = n.Parent {
		for _, f := range n.Flags {
			if !f.Hidden {
				list = append(list, f)
			}
		}
	}
	if node.DefaultCmd != nil {
		list = append(list, node.DefaultCmd.Flags...)
	}
	return list
}

// flagOf returns the flag that is written as name; nil if there is none.
func flagOf(node *kong.Node, name string) *kong.Flag {
	for _, f := range visibleFlags(node) {
		if name == "--"+f.Name || f.Short != 0 && name == "-"+string(f.Short) {
			return f
		}
	}
	return nil
}

// withPrefix returns the completions that begin with a word.
func withPrefix(list []string, word string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return !strings.HasPrefix(s, word) })
}

// completionTime is how long the server may take to say what names there are: somebody waits at the shell.
const completionTime = 2 * time.Second

// values returns what a flag or an argument may be: what it lists itself, or what the server or the profiles have.
func (at soFar) values(v *kong.Value, name string) (list []string) {
	if v.Enum != "" {
		for _, s := range v.EnumSlice() {
			if s != "" {
				list = append(list, s)
			}
		}
		return list
	}
	if name == "profile" || at.node.Name == "use" {
		return profileNames()
	}
	asked := make(chan []string, 1)
	go func() { asked <- at.served(name) }()
	select {
	case list = <-asked:
	case <-time.After(completionTime):
	}
	for i, s := range list {
		list[i] = terminal.Escape(s)
	}
	return list
}

// profileNames returns the names of the user's profiles.
func profileNames() []string {
	path, err := profile.Path()
	if err != nil {
		return nil
	}
	known, err := profile.Load(path)
	if err != nil {
		return nil
	}
	return sorted(known.By)
}

// served returns the names that the server has for a flag or an argument. If it does not answer there are none.
func (at soFar) served(name string) []string {
	r := remote{Server: at.or("server", ""), APIKey: at.or("api-key", ""), Profile: at.or("profile", "")}
	if r.connect() != nil {
		return nil
	}
	project := projectRef(at.or("project-id", at.or("project", "1")))
	switch name {
	case "dataset", "to-dataset":
		names, _ := r.datasetNames(project)
		return names
	case "from", "to", "ref", "savepoint":
		if at.or("dataset", "") == "" {
			return nil
		}
		return datasetFlags{r, at.or("dataset", ""), project}.refNames()
	}
	return nil
}

// or returns the value of a flag: that which was given, or that of its variable.
func (at soFar) or(name, otherwise string) string {
	if value, ok := at.given[name]; ok {
		return value
	}
	if value := os.Getenv("ROWBACK_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))); value != "" {
		return value
	}
	return otherwise
}

// datasetNames returns the names of the datasets of a project.
func (r remote) datasetNames(project projectRef) (names []string, err error) {
	var page datasetPage
	err = r.get(datasetsPath, url.Values{"project_id": {fmt.Sprint(project)}, "limit": {"1000"}}, &page)
	for _, d := range page.Datasets {
		names = append(names, d.Name)
	}
	return names, err
}

// refNames returns the names of a dataset's states; none if the server does not answer.
func (d datasetFlags) refNames() []string {
	var answer struct {
		Versions []struct {
			Version string `json:"version"`
		} `json:"versions"`
		Savepoints []savepointAnswer `json:"savepoints"`
		Tags       []tagAnswer       `json:"tags"`
	}
	if d.get(d.path("refs"), d.query(), &answer) != nil {
		return nil
	}
	names := []string{"head", "latest", "previous"}
	for _, v := range answer.Versions {
		names = append(names, v.Version)
	}
	for _, s := range answer.Savepoints {
		names = append(names, s.Version)
	}
	for _, t := range answer.Tags {
		names = append(names, t.Name)
	}
	return names
}
