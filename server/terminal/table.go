package terminal

import (
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// gap is the space between columns, and least the width that a column keeps if others can give way.
const (
	gap   = 2
	least = 8
)

// measure measures text as terminals do, wherever the program runs.
var measure = &runewidth.Condition{EastAsianWidth: false, StrictEmojiNeutral: true}

// cell is a value of a table as it is shown.
type cell struct {
	text    string
	right   bool
	colored Style
	firm    bool // other columns give way first: cut, it would say something else or nothing
	whole   bool // it is never cut
}

// Colored is a value in a style.
type Colored struct {
	Style Style
	Value any
}

// ID is what a command names something by. It is never cut: where a table with one would not fit, each of its rows is
// printed as lines.
type ID string

// Note is a remark about a whole row. It is not a cell: it is printed on a line of its own, below the row.
type Note string

// Table is rows under names. Nothing in it breaks a line or leaves its cell.
type Table struct {
	screen Screen
	names  []string
	rows   [][]cell
	notes  map[int]string // of rows
	drops  bool
	indent int
	again  bool  // the names were printed before
	fixed  []int // widths of the rows before, which those that follow keep
}

// NewTable returns a table with these names of columns.
func (s Screen) NewTable(names ...string) *Table {
	t := &Table{screen: s, names: make([]string, len(names)), notes: map[int]string{}}
	for i, name := range names {
		t.names[i] = Escape(name)
	}
	return t
}

// MayDrop lets the table leave out the columns for which there is no space, and say how many they are.
func (t *Table) MayDrop() *Table {
	t.drops = true
	return t
}

// Indented has each line begin with spaces.
func (t *Table) Indented(by int) *Table {
	t.indent = by
	return t
}

// Next returns a table for the rows that follow, without the names.
func (t *Table) Next() *Table {
	next := *t
	next.rows, next.notes, next.again = nil, map[int]string{}, true
	return &next
}

// Row adds a row, and the note on it if there is one among the values.
func (t *Table) Row(values ...any) {
	row := make([]cell, 0, len(values))
	for _, v := range values {
		if note, ok := v.(Note); ok {
			t.notes[len(t.rows)] = string(note)
			continue
		}
		row = append(row, t.screen.cell(v))
	}
	t.rows = append(t.rows, row)
}

// cell shows a value.
func (s Screen) cell(value any) cell {
	switch v := value.(type) {
	case Colored:
		c := s.cell(v.Value)
		c.colored = v.Style
		return c
	case Count:
		return cell{text: s.Count(v), right: s.Human, firm: true}
	case Number:
		return cell{text: Escape(string(v)), right: s.Human, firm: true}
	case Moment:
		return cell{text: s.brief(v), firm: true}
	case ID:
		return cell{text: Escape(string(v)), firm: true, whole: true}
	case string:
		return cell{text: Escape(v)}
	}
	return cell{text: Escape(fmt.Sprint(value))}
}

// Print writes the table.
func (t *Table) Print(out io.Writer) error {
	widths := t.widths()
	if t.isTooWide(widths) {
		return t.printLines(out)
	}
	if t.again && t.screen.Width > 0 {
		widths = t.fixed
	}
	shown := t.shown(widths)
	if t.screen.Width > 0 {
		shrink(widths[:shown], t.firm(), t.screen.Width-t.indent)
	}
	t.fixed = widths
	if !t.again {
		if _, err := io.WriteString(out, t.line(t.header()[:shown], widths)); err != nil {
			return err
		}
	}
	for i, row := range t.rows {
		text := t.line(row[:min(shown, len(row))], widths)
		if note := t.notes[i]; note != "" {
			text += t.note(note, widths[0]+gap)
		}
		if _, err := io.WriteString(out, text); err != nil {
			return err
		}
	}
	if more := len(t.names) - shown; more > 0 && !t.again {
		note := fmt.Sprintf("%s more columns", t.screen.Count(Count(more)))
		_, err := fmt.Fprintln(out, t.screen.Styled(Faint, note))
		return err
	}
	return nil
}

// header returns the names as a row.
func (t *Table) header() []cell {
	header := make([]cell, len(t.names))
	for i, name := range t.names {
		header[i] = cell{text: name, colored: Bold, right: t.isRight(i)}
	}
	return header
}

// note returns a note as a line below its row, from the second column on.
func (t *Table) note(text string, from int) string {
	from += t.indent
	text = Escape(text)
	if t.screen.Width > 0 {
		text = Fit(text, t.screen.Width-from)
	}
	return strings.Repeat(" ", from) + t.screen.Styled(Faint, text) + "\n"
}

// isRight reports whether a column is of numbers.
func (t *Table) isRight(column int) bool {
	return len(t.rows) > 0 && column < len(t.rows[0]) && t.rows[0][column].right
}

// firm reports of each column whether it has counts, numbers or times.
func (t *Table) firm() []bool {
	firm := make([]bool, len(t.names))
	for _, row := range t.rows {
		for i, c := range row {
			firm[i] = firm[i] || c.firm
		}
	}
	return firm
}

// widths returns what each column takes.
func (t *Table) widths() []int {
	widths := make([]int, len(t.names))
	for i, name := range t.names {
		widths[i] = measure.StringWidth(name)
	}
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], measure.StringWidth(c.text))
		}
	}
	return widths
}

// shown returns how many columns there is space for.
func (t *Table) shown(widths []int) int {
	if !t.drops || t.screen.Width == 0 {
		return len(widths)
	}
	taken := 0
	for i, w := range widths {
		if taken += min(w, least); taken > t.screen.Width && i > 0 {
			return i
		}
		taken += gap
	}
	return len(widths)
}

// total returns what the columns take together.
func total(widths []int) int {
	sum := gap * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

// shrink makes columns fit: the widest gives way first, the one to the right of others as wide. Those that are firm do
// once the others have no more than the least.
func shrink(widths []int, firm []bool, width int) {
	for over := total(widths) - width; over > 0; {
		soft := func(i int) bool { return !firm[i] && widths[i] > least }
		someSoft := false
		for i := range widths {
			someSoft = someSoft || soft(i)
		}
		widest, next := -1, 0
		for i, w := range widths {
			if (!someSoft || soft(i)) && (widest < 0 || w >= widths[widest]) {
				widest = i
			}
		}
		for i, w := range widths {
			if i != widest && (!someSoft || soft(i)) {
				next = max(next, w)
			}
		}
		floor := least
		if widths[widest] <= least {
			floor = 1
		}
		by := min(over, max(1, widths[widest]-max(next, floor)), widths[widest]-floor)
		if by <= 0 {
			return
		}
		widths[widest] -= by
		over -= by
	}
}

// line returns a row as a line. The last cell is not padded.
func (t *Table) line(row []cell, widths []int) string {
	var out strings.Builder
	out.WriteString(strings.Repeat(" ", t.indent))
	for i, c := range row {
		text := c.text
		if t.screen.Width > 0 {
			text = Fit(text, widths[i])
		}
		pad := strings.Repeat(" ", max(0, widths[i]-measure.StringWidth(text)))
		if t.screen.Human {
			text = isolated(text)
		}
		text = t.screen.Styled(c.colored, text)
		switch {
		case c.right:
			out.WriteString(pad + text)
		case i == len(row)-1:
			out.WriteString(text)
		default:
			out.WriteString(text + pad)
		}
		if i < len(row)-1 {
			out.WriteString(strings.Repeat(" ", gap))
		}
	}
	return out.String() + "\n"
}

// Fit cuts text to a width and marks the cut.
func Fit(text string, width int) string {
	return measure.Truncate(text, width, "…")
}

// Isolated returns a value on one line that stays where it is put, cut to a width if that is not 0.
func (s Screen) Isolated(text string, width int) string {
	text = Escape(text)
	if width > 0 {
		text = Fit(text, width)
	}
	if s.Human {
		text = isolated(text)
	}
	return text
}

// WidthOf returns how many columns of a terminal a line takes.
func WidthOf(line string) int { return measure.StringWidth(line) }
