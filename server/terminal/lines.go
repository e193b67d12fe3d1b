package terminal

import (
	"io"
	"strings"
)

// isTooWide reports whether an id would be cut, although all that may give way has.
func (t *Table) isTooWide(widths []int) bool {
	if t.screen.Width == 0 || t.drops {
		return false
	}
	taken, hasID := t.indent+gap*(len(widths)-1), false
	firm := t.firm()
	for i, w := range widths {
		if !firm[i] {
			w = min(w, least)
		}
		taken += w
		hasID = hasID || t.isID(i)
	}
	return hasID && taken > t.screen.Width
}

// isID reports whether a column has ids.
func (t *Table) isID(column int) bool {
	for _, row := range t.rows {
		if column < len(row) && row[column].whole {
			return true
		}
	}
	return false
}

// printLines writes each row as lines, one for each value that is not empty, and an empty line between rows.
func (t *Table) printLines(out io.Writer) error {
	names := 0
	for _, name := range t.names {
		names = max(names, measure.StringWidth(name))
	}
	space := max(1, t.screen.Width-t.indent-names-gap)
	for i, row := range t.rows {
		var text strings.Builder
		if i > 0 || t.again {
			text.WriteString("\n")
		}
		for j, c := range row {
			if c.text != "" {
				text.WriteString(t.namedLine(t.names[j], names, c, space))
			}
		}
		if note := t.notes[i]; note != "" {
			text.WriteString(t.note(note, names+gap))
		}
		if _, err := io.WriteString(out, text.String()); err != nil {
			return err
		}
	}
	return nil
}

// namedLine returns a value as a line, after its name.
func (t *Table) namedLine(name string, width int, c cell, space int) string {
	pad := strings.Repeat(" ", width-measure.StringWidth(name)+gap)
	text := c.text
	if !c.whole {
		text = Fit(text, space)
	}
	if t.screen.Human {
		text = isolated(text)
	}
	return strings.Repeat(" ", t.indent) + t.screen.Styled(Bold, name) + pad + t.screen.Styled(c.colored, text) + "\n"
}
