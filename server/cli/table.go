package cli

import (
	"strings"
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
		rows(t.Row)
		return t.Print(c.out)
	})
}
