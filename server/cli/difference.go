package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rowback/rowback/server/terminal"
)

// member is a name in a JSON object, with its value.
type member struct {
	name  string
	value json.RawMessage
}

// members returns the members of a JSON object in their order; none of null.
func members(text []byte) (list []member, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open == nil {
		return nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: fmt.Sprint(name)}
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// difference is a record that differs, as the server sends it: the change, the key, and the record on both sides.
type difference struct {
	change             string
	key, before, after []member
}

// readDifference reads a line of a diff.
func readDifference(line []byte) (d difference, err error) {
	all, err := members(line)
	if err != nil {
		return d, err
	}
	if len(all) < 3 {
		return d, errors.New("the answer is not a list of differences")
	}
	d.change, d.key = shownValue(all[0].value), all[1:len(all)-2]
	if d.before, err = members(all[len(all)-2].value); err != nil {
		return d, err
	}
	d.after, err = members(all[len(all)-1].value)
	return d, err
}

// showDifference prints a record that was added, removed or modified: its key, then each value that differs.
func showDifference(c console, line []byte) error {
	d, err := readDifference(line)
	if err != nil {
		return err
	}
	label := make([]string, len(d.key))
	for i, m := range d.key {
		label[i] = m.name + " " + shownValue(m.value)
	}
	mark, style := "~", terminal.Yellow
	switch d.change {
	case "added":
		mark, style = "+", terminal.Green
	case "removed":
		mark, style = "-", terminal.Red
	}
	head := styled(c.screen.Isolated(mark+" "+strings.Join(label, ", "), c.screen.Width))
	if _, err := io.WriteString(c.out, string(c.styled(style, head))+"\n"); err != nil {
		return err // the reader has closed the pager
	}
	switch d.change {
	case "added":
		showValues(c, d.key, d.after, style)
	case "removed":
		showValues(c, d.key, d.before, style)
	default:
		showChanges(c, d.before, d.after)
	}
	return nil
}

// mostValues is how many values of a record a terminal is shown.
const mostValues = 40

// showValues prints the values of a record that is only on one side, but for its key and what is null.
func showValues(c console, key, record []member, style terminal.Style) {
	shown := 0
	for _, m := range record {
		if string(m.value) == "null" || hasMember(key, m.name) {
			continue
		}
		if shown++; c.screen.Human && shown > mostValues {
			continue
		}
		name, width := c.nameOf(m.name)
		c.printf("    %s  %s\n", name, c.styled(style, styled(c.screen.Isolated(shownValue(m.value), width))))
	}
	c.showMore(shown)
}

// showChanges prints the values that differ: those of columns that are on one side only, too.
func showChanges(c console, before, after []member) {
	shown := 0
	change := func(name string, was, is json.RawMessage) {
		if bytes.Equal(was, is) {
			return
		}
		if shown++; !c.screen.Human || shown <= mostValues {
			showChange(c, name, was, is)
		}
	}
	was := map[string]json.RawMessage{}
	for _, m := range before {
		was[m.name] = m.value
	}
	for _, m := range after {
		change(m.name, was[m.name], m.value)
		delete(was, m.name)
	}
	for _, m := range before {
		if _, gone := was[m.name]; gone {
			change(m.name, m.value, nil)
		}
	}
	c.showMore(shown)
}

// showChange prints a value before and after.
func showChange(c console, name string, before, after json.RawMessage) {
	const arrow, least = 3, 8
	label, width := c.nameOf(name)
	if width > 0 {
		width = max(least, (width-arrow)/2)
	}
	c.printf("    %s  %s → %s\n", label, c.styled(terminal.Red, styled(c.screen.Isolated(shownValue(before), width))),
		c.styled(terminal.Green, styled(c.screen.Isolated(shownValue(after), width))))
}

// nameOf returns the name of a column as it is shown beside a value, and the width that is left for that; 0: any.
func (c console) nameOf(name string) (label styled, width int) {
	const margin, least = 6, 12
	text := c.screen.Isolated(name, c.screen.Width/3)
	pad := strings.Repeat(" ", max(0, least-terminal.WidthOf(text)))
	if c.screen.Width == 0 {
		return styled(text + pad), 0
	}
	return styled(text + pad), max(least, c.screen.Width-margin-terminal.WidthOf(text+pad))
}

// showMore says how many values were left out.
func (c console) showMore(shown int) {
	if more := shown - mostValues; c.screen.Human && more > 0 {
		c.printf("    %s\n", c.styled(terminal.Faint, "and "+countOf(int64(more), "more value")))
	}
}

// hasMember reports whether a name is among members.
func hasMember(list []member, name string) bool {
	for _, m := range list {
		if m.name == name {
			return true
		}
	}
	return false
}

// shownValue returns a JSON value as people read it: strings without quotes.
func shownValue(value json.RawMessage) string {
	var text string
	switch {
	case len(value) == 0:
		return "null"
	case value[0] == '"' && json.Unmarshal(value, &text) == nil:
		return text
	}
	return string(value)
}
