package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/reeflective/readline"

	"github.com/rowback/rowback/server/terminal"
)

// sqlWords are what the prompt completes besides names.
var sqlWords = strings.Fields(`SELECT FROM WHERE GROUP ORDER BY HAVING LIMIT OFFSET JOIN LEFT INNER FULL OUTER CROSS ON
	USING UNION ALL DISTINCT AS AND OR NOT IN IS NULL LIKE ILIKE BETWEEN CASE WHEN THEN ELSE END WITH EXCEPT INTERSECT
	count sum avg min max DESC ASC VERSION TIMESTAMP AT`)

// prompt asks for statements and runs each, until the end of input. A statement ends with a semicolon.
func (cmd *queryCmd) prompt(c console) error {
	shell := readline.NewShell()
	shell.Prompt.Primary(func() string { return "rowback> " })
	shell.Prompt.Secondary(func() string { return "      -> " })
	shell.AcceptMultiline = func(line []rune) bool { return isWhole(string(line)) }
	names := &namesAt{cmd: cmd}
	shell.Completer = func(line []rune, cursor int) readline.Completions {
		return readline.CompleteValues(names.completions(string(line), lastWord(string(line[:cursor])))...)
	}
	if file, err := historyFile(); err == nil {
		shell.History.AddFromFile("rowback", file)
	}
	about := "SQL at " + cmd.Server + `. End a statement with ;  Tab completes, \d lists datasets, \q quits.`
	c.printf("%s\n", c.styled(terminal.Faint, about))
	for {
		line, err := shell.Readline()
		switch {
		case errors.Is(err, readline.ErrInterrupt):
			continue
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if quit := cmd.obey(c, strings.TrimSpace(line)); quit {
			return nil
		}
	}
}

// isWhole reports whether what was typed is all of a statement.
func isWhole(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || strings.HasPrefix(line, `\`) || isWord(line) || strings.HasSuffix(line, ";")
}

// isWord reports whether a line is one of the words that end the prompt.
func isWord(line string) bool { return slices.Contains([]string{"quit", "exit", "help"}, line) }

// obey runs what was typed, and reports whether that was to quit.
func (cmd *queryCmd) obey(c console, line string) (quit bool) {
	switch strings.TrimSuffix(line, ";") {
	case "":
		return false
	case `\q`, "quit", "exit":
		return true
	case `\d`:
		if err := (&datasetListCmd{remote: cmd.remote, ProjectID: &cmd.ProjectID}).Run(c); err != nil {
			c.fail(err)
		}
		return false
	case `\?`, "help":
		c.println(`A statement ends with ;   \d lists datasets, \q quits. "employees@2" is the dataset at commit 2.`)
		return false
	}
	began := time.Now()
	if err := cmd.runStatement(c, line); err != nil {
		c.fail(err)
		return false
	}
	c.printf("%s\n\n", c.styled(terminal.Faint, "in "+time.Since(began).Round(time.Millisecond).String()))
	return false
}

// historyFile is where the statements that were typed are kept. It is for the user alone, as statements have values.
func historyFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "rowback", "history")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // #nosec G304 -- the user's own configuration
	if err != nil {
		return "", err
	}
	return path, f.Close()
}

// namesAt are the names of the datasets, their columns and their refs, read when they are first needed.
type namesAt struct {
	cmd      *queryCmd
	datasets []string
	columns  map[string][]string
	refs     map[string][]string
}

// completions returns what a word of a line may be: datasets, columns of those that the line names, refs after an @,
// words of SQL.
func (n *namesAt) completions(line, word string) (list []string) {
	n.read()
	if name, _, ok := strings.Cut(strings.TrimPrefix(word, `"`), "@"); ok {
		for _, ref := range n.refsOf(name) {
			list = append(list, `"`+name+"@"+ref+`"`)
		}
		return starting(list, word)
	}
	names := slices.Clone(n.datasets)
	for _, name := range n.datasets {
		if strings.Contains(line, name) {
			names = append(names, n.columnsOf(name)...)
		}
	}
	for _, name := range names {
		if strings.HasPrefix(word, `"`) || !plainName.MatchString(name) {
			name = quoted([]string{name})
		}
		list = append(list, name)
	}
	return starting(append(list, sqlWords...), word)
}

// plainName is a name that SQL takes without quotes.
var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// lastWord returns what follows the last space, comma or bracket.
func lastWord(line string) string {
	return line[strings.LastIndexAny(line, " \t\n,()=<>")+1:]
}

// starting returns the names that begin with a word, in the case of either.
func starting(names []string, word string) (list []string) {
	for _, name := range names {
		if len(name) >= len(word) && strings.EqualFold(name[:len(word)], word) && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// read reads the names of the datasets. Without them the words of SQL are completed.
func (n *namesAt) read() {
	if n.columns != nil {
		return
	}
	n.columns, n.refs = map[string][]string{}, map[string][]string{}
	n.datasets, _ = n.cmd.datasetNames(n.cmd.ProjectID)
}

// columnsOf returns the columns of a dataset.
func (n *namesAt) columnsOf(name string) []string {
	if list, ok := n.columns[name]; ok {
		return list
	}
	n.columns[name] = nil
	one := datasetFlags{n.cmd.remote, name, n.cmd.ProjectID}
	var state schemaAnswer
	if one.get(one.path("schema"), one.query(), &state) == nil {
		for _, k := range state.Columns {
			n.columns[name] = append(n.columns[name], k.Name)
		}
	}
	return n.columns[name]
}

// refsOf returns the refs of a dataset.
func (n *namesAt) refsOf(name string) []string {
	if _, ok := n.refs[name]; !ok {
		n.refs[name] = datasetFlags{n.cmd.remote, name, n.cmd.ProjectID}.refNames()
	}
	return n.refs[name]
}
