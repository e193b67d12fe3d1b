package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// formatFlag selects how a list is printed.
type formatFlag struct {
	Format string `help:"Print as table or json." enum:"table,json" default:"table"`
}

// print writes value as JSON, or the rows as a table.
func (f formatFlag) print(out io.Writer, value any, header string, rows func(row func(cells ...any))) error {
	if f.Format == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(value)
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, header)
	rows(func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			fmt.Fprint(t, c)
		}
		fmt.Fprintln(t)
	})
	return t.Flush()
}
