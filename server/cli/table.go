package cli

import (
	"strings"

	"github.com/rowback/rowback/server/terminal"
)

// formatFlag selects how a list is printed, as the commands had it before --json.
type formatFlag struct {
	Format string `help:"Print as table or json." enum:"table,json" default:"table" hidden:""`
}

// print writes value as JSON, or the rows as a table, by way of the pager.
func (f formatFlag) print(c console, value any, header string, rows func(row func(cells ...any))) error {
	if c.json || f.Format == "json" {
		return c.printJSON(value)
	}
	return c.paged(func(c console) error {
		t := c.screen.NewTable(strings.Split(header, "\t")...)
		isEmpty := true
		rows(func(cells ...any) {
			isEmpty = false
			t.Row(cells...)
		})
		err := t.Print(c.out)
		if isEmpty && c.screen.Human { // names without rows look as if something were missing
			c.println(c.styled(terminal.Faint, "none"))
		}
		return err
	})
}
