package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/mattn/go-isatty"

	"github.com/rowback/rowback/server/terminal"
)

// console is where a command reads and writes. What comes from users or the server is printed by printf, println and
// tables, which let nothing in it control the terminal.
type console struct {
	in       io.Reader
	out, err io.Writer
	screen   terminal.Screen
	json     bool // answers are printed as JSON
	pages    bool // long answers go through the pager
}

// shownFlags say how answers are printed. Every command has them.
type shownFlags struct {
	JSON  bool   `name:"json" help:"Print the answer as JSON." group:"Global flags"`
	Color string `help:"auto, always or never." enum:"auto,always,never" default:"auto" group:"Global flags"`
	Pager bool   `help:"Page long answers." default:"true" negatable:"" group:"Global flags"`
}

// as returns the console as the flags say.
func (f shownFlags) as(c console) console {
	c.screen = terminal.ScreenOf(c.out, f.Color, os.Getenv)
	c.json = f.JSON
	c.pages = f.Pager && c.screen.Human
	return c
}

// printf prints text with values from anywhere.
func (c console) printf(format string, values ...any) {
	for i, v := range values {
		values[i] = c.shown(v)
	}
	fmt.Fprintf(c.out, format, values...)
}

// println prints values from anywhere on one line.
func (c console) println(values ...any) {
	for i, v := range values {
		values[i] = c.shown(v)
	}
	fmt.Fprintln(c.out, values...)
}

// shown is a value as it may be printed.
func (c console) shown(value any) any {
	switch v := value.(type) {
	case string:
		return terminal.Escape(v)
	case styled:
		return string(v)
	case terminal.Moment:
		return c.screen.Moment(v)
	case error:
		return terminal.Escape(v.Error())
	case fmt.Stringer:
		return terminal.Escape(v.String())
	}
	if v := reflect.ValueOf(value); v.IsValid() && v.Kind() == reflect.String {
		return terminal.Escape(v.String())
	}
	return value
}

// styled is text that is escaped already, and may have colours.
type styled string

// styled returns a value in a style.
func (c console) styled(style terminal.Style, value any) styled {
	return styled(c.screen.Styled(style, fmt.Sprint(c.shown(value))))
}

// answer prints a value as JSON if that is wanted, and otherwise as text.
func (c console) answer(value any, text func()) error {
	if c.json {
		return c.printJSON(value)
	}
	text()
	return nil
}

// fact prints what is known of something after its name, on a line; nothing where it is empty.
func (c console) fact(name string, value any) {
	if fmt.Sprint(value) != "" {
		c.printf("%-12s %s\n", name, value)
	}
}

// paragraph prints text that people wrote, each of its lines indented.
func (c console) paragraph(text string) {
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		c.printf("    %s\n", strings.TrimSuffix(line, "\r"))
	}
}

// removed says that something is removed.
func (c console) removed(what string, name any) error {
	return c.answer(map[string]any{"removed": what, "name": name}, func() { c.printf("%s %v is removed\n", what, name) })
}

// note prints a line that goes without saying in JSON.
func (c console) note(line string) {
	if !c.json {
		c.println(line)
	}
}

// printJSON prints a value as indented JSON.
func (c console) printJSON(value any) error {
	e := json.NewEncoder(c.out)
	e.SetIndent("", "  ")
	return e.Encode(value)
}

// fail prints an error, each of its lines after the name of the program.
func (c console) fail(err error) {
	fmt.Fprintf(c.err, "rowback: %s\n", c.screenOfErrors().Styled(terminal.Red, terminal.EscapeLines(err.Error())))
}

// screenOfErrors is how errors are printed: in colour only where standard error is a terminal itself.
func (c console) screenOfErrors() terminal.Screen {
	return terminal.Screen{Color: c.screen.Color && c.isTerminal()}
}

// paged prints by way of the pager, if standard output is a terminal.
func (c console) paged(print func(console) error) error {
	if !c.pages {
		return print(c)
	}
	pager := terminal.OpenPager(c.out, c.err, os.LookupEnv)
	if pager == nil {
		return print(c)
	}
	inside := c
	inside.out = pager
	err := print(inside)
	if terminal.IsClosed(err) {
		err = nil
	}
	return errors.Join(err, pager.Close())
}

// isInteractive reports whether a person types into standard input and reads standard output.
func (c console) isInteractive() bool {
	f, ok := c.in.(*os.File)
	return ok && isatty.IsTerminal(f.Fd()) && c.screen.Human
}

// countOf says how many of something there are, such as "1 file" and "1,234 entries".
func countOf[N int | int64](n N, what string) string {
	return comma(int64(n)) + " " + english.PluralWord(int(n), what, "")
}

// comma writes a count with thousands separators, for sentences.
func comma(n int64) string { return humanize.Comma(n) }
