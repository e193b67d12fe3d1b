package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"
)

// manCmd writes the manual pages: rowback.1, and one for each command.
type manCmd struct {
	Dir string `arg:"" help:"The directory, which is made if it is missing." type:"path"`
}

// Run writes the pages.
func (cmd *manCmd) Run(c console) error {
	parser, err := newParser(&program{}, c, func(int) {})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cmd.Dir, 0o755); err != nil { // #nosec G301 -- manual pages are for everybody
		return err
	}
	n := 0
	var write func(node *kong.Node) error
	write = func(node *kong.Node) error {
		if node.Hidden {
			return nil
		}
		name := strings.ReplaceAll(commandPath(node), " ", "-") + ".1"
		n++
		text := []byte(manPage(node))
		if err := os.WriteFile(filepath.Join(cmd.Dir, name), text, 0o644); err != nil { // #nosec G306 -- see above
			return err
		}
		for _, child := range node.Children {
			if err := write(child); err != nil {
				return err
			}
		}
		return nil
	}
	if err := write(parser.Model.Node); err != nil {
		return err
	}
	return c.answer(map[string]any{"pages": n, "directory": cmd.Dir}, func() {
		c.printf("%s in %s. To read one: man -l %s\n", countOf(n, "page"), cmd.Dir, filepath.Join(cmd.Dir, "rowback.1"))
	})
}

// manPage returns the page of a command, in the macros of man(7).
func manPage(node *kong.Node) string {
	var out strings.Builder
	path := commandPath(node)
	name := strings.ReplaceAll(path, " ", "-")
	fmt.Fprintf(&out, ".TH %s 1 \"\" \"Rowback %s\" \"Rowback\"\n", strings.ToUpper(name), version)
	fmt.Fprintf(&out, ".SH NAME\n%s \\- %s\n", roff(name), roff(strings.TrimSuffix(node.Help, ".")))
	words := strings.TrimSpace(strings.TrimPrefix(synopsis(node), path))
	fmt.Fprintf(&out, ".SH SYNOPSIS\n.B %s\n%s\n", roff(path), roff(words))
	if node.Detail != "" {
		fmt.Fprintf(&out, ".SH DESCRIPTION\n%s\n", roff(node.Detail))
	}
	manArguments(&out, node)
	manFlags(&out, node)
	manCommands(&out, node)
	if list := examples[strings.TrimPrefix(path, "rowback ")]; len(list) > 0 {
		out.WriteString(".SH EXAMPLES\n")
		for _, line := range list {
			fmt.Fprintf(&out, ".PP\n.nf\n%s\n.fi\n", roff(line))
		}
	}
	fmt.Fprintf(&out, ".SH EXIT STATUS\n%s\n", roff(exitCodes))
	if node.Parent != nil {
		above := strings.ReplaceAll(commandPath(node.Parent), " ", "-")
		fmt.Fprintf(&out, ".SH SEE ALSO\n.BR %s (1)\n", roff(above))
	}
	return out.String()
}

// synopsis returns how the command is called.
func synopsis(node *kong.Node) string {
	text := commandPath(node)
	if len(node.Children) > 0 {
		return text + " COMMAND [flags]"
	}
	for _, p := range node.Positional {
		text += " " + p.Summary()
	}
	return text + " [flags]"
}

// manArguments describes the arguments.
func manArguments(out *strings.Builder, node *kong.Node) {
	if len(node.Positional) == 0 {
		return
	}
	out.WriteString(".SH ARGUMENTS\n")
	for _, p := range node.Positional {
		fmt.Fprintf(out, ".TP\n.I %s\n%s\n", roff(p.Name), roff(p.Help))
	}
}

// manFlags describes the command's own flags; on the program's page, those of all.
func manFlags(out *strings.Builder, node *kong.Node) {
	if len(node.Flags) == 0 {
		return
	}
	out.WriteString(".SH OPTIONS\n")
	for _, f := range node.Flags {
		if f.Hidden {
			continue
		}
		fmt.Fprintf(out, ".TP\n.B %s\n%s\n", roff(f.String()), roff(f.Help))
		if len(f.Envs) > 0 {
			fmt.Fprintf(out, "Variable: %s.\n", roff(strings.Join(f.Envs, ", ")))
		}
	}
}

// manCommands lists the commands below a command.
func manCommands(out *strings.Builder, node *kong.Node) {
	first := true
	for _, child := range node.Children {
		if child.Hidden {
			continue
		}
		if first {
			out.WriteString(".SH COMMANDS\n")
			first = false
		}
		fmt.Fprintf(out, ".TP\n.BR %s (1)\n%s\n", roff(strings.ReplaceAll(commandPath(child), " ", "-")), roff(child.Help))
	}
}

// roff returns text that the macros leave as it is.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
