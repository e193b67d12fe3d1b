package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/rowback/rowback/server/terminal"
)

// help prints the help of a command: of the program itself its groups, on one screen; of others what kong says of them,
// with examples.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	node := ctx.Selected()
	if node == nil {
		printOverview(ctx.Stdout, ctx.Model.Node)
		return nil
	}
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	printExamples(ctx.Stdout, examplesOf(node))
	return nil
}

// printExamples prints examples, if there are any.
func printExamples(out io.Writer, list []string) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", headings(out).Styled(terminal.Bold, "Examples:"))
	for _, line := range list {
		fmt.Fprintf(out, "  %s\n", line)
	}
}

// headings is how headings of the help are printed. --help ends the command line before --color is known.
func headings(out io.Writer) terminal.Screen { return terminal.ScreenOf(out, "auto", os.Getenv) }

// examplesOf returns the examples of a command, or of those below it.
func examplesOf(node *kong.Node) []string {
	path := strings.TrimPrefix(commandPath(node), "rowback ")
	list := examples[path]
	for _, child := range node.Children {
		list = append(list[:len(list):len(list)], examples[path+" "+child.Name]...)
	}
	return list
}

// commandPath returns the words that call a command.
func commandPath(node *kong.Node) string {
	if node.Parent == nil {
		return node.Name
	}
	return commandPath(node.Parent) + " " + node.Name
}

// printOverview prints the groups with the names of their commands.
func printOverview(out io.Writer, root *kong.Node) {
	screen := headings(out)
	fmt.Fprintf(out, "Usage: rowback <command> [flags]\n\n%s\n\n", root.Help)
	for _, g := range groups {
		var names []string
		for _, n := range inGroup(root, g.Key) {
			names = append(names, n.Name)
		}
		printWrapped(out, screen.Styled(terminal.Bold, fmt.Sprintf("%-10s", g.Title)), names)
	}
	fmt.Fprint(out, `
Examples:
  rowback serve --demo                              a server with samples
  rowback commit people.csv -d people --create --key id
  rowback log -d employees --graph                  what happened
  rowback diff 2 3 -d employees                     what changed
  rowback query 'SELECT * FROM "employees@2"'       any state, in SQL

rowback help lists the commands with a line each, rowback COMMAND --help explains
one. --json is for programs. Flags of serve, and --server, --api-key, --profile,
--project-id and --dataset have environment variables: ROWBACK_SERVER and so on.
`)
}

// printWrapped prints names after a title, within 80 columns.
func printWrapped(out io.Writer, title string, names []string) {
	const margin, width = 12, 80
	line, taken := title, margin
	for i, name := range names {
		if i < len(names)-1 {
			name += ","
		}
		if taken+len(name)+1 > width {
			fmt.Fprintln(out, line)
			line, taken = strings.Repeat(" ", margin-2), margin
		}
		line += " " + name
		taken += len(name) + 1
	}
	fmt.Fprintln(out, line)
}

// inGroup returns the commands of a group.
func inGroup(root *kong.Node, key string) (list []*kong.Node) {
	for _, child := range root.Children {
		if child.Group != nil && child.Group.Key == key && !child.Hidden {
			list = append(list, child)
		}
	}
	return list
}

// helpCmd lists all commands, or explains one.
type helpCmd struct {
	Command []string `arg:"" optional:"" help:"The command to explain."`
}

// Run prints the list, or what --help prints.
func (cmd *helpCmd) Run(c console) error {
	if len(cmd.Command) > 0 {
		if code := run(append(cmd.Command, "--help"), c); code != 0 {
			return exitError{exitUsage, fmt.Errorf("unknown command %q", strings.Join(cmd.Command, " "))}
		}
		return nil
	}
	parser, err := newParser(&program{}, c, func(int) {})
	if err != nil {
		return err
	}
	return c.paged(func(c console) error {
		for _, g := range groups {
			c.printf("%s\n", c.styled(terminal.Bold, g.Title))
			for _, n := range inGroup(parser.Model.Node, g.Key) {
				c.printf("  %-11s %s\n", n.Name, n.Help)
				if verbs := verbsOf(n); verbs != "" {
					c.printf("  %-11s %s\n", "", c.styled(terminal.Faint, verbs))
				}
			}
			c.println()
		}
		title, codes, _ := strings.Cut(exitCodes, ": ")
		c.printf("%s\n", c.styled(terminal.Bold, title))
		for code := range strings.SplitSeq(strings.TrimSuffix(codes, "."), "; ") {
			c.printf("  %s\n", code)
		}
		return nil
	})
}

// verbsOf lists the verbs of a command.
func verbsOf(node *kong.Node) string {
	var verbs []string
	for _, child := range node.Children {
		if !child.Hidden {
			verbs = append(verbs, child.Name)
		}
	}
	return strings.Join(verbs, ", ")
}
