// Package terminal prints for people: text that can't control the terminal, tables that fit it, colour, times in words,
// and a pager. Where the output is not a terminal, everything is printed whole and plain, for programs.
// TestTables shows what both look like.
package terminal

import (
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

// Screen is how what is printed looks.
type Screen struct {
	Width int  // in columns; 0: lines are as long as they get
	Human bool // relative times, thousands separators, numbers to the right
	Color bool
	Now   func() time.Time
}

// defaultWidth is the width of a terminal that does not say how wide it is.
const defaultWidth = 80

// ScreenOf returns how to print to out. color is auto, always or never; auto respects NO_COLOR and a TERM that is dumb.
func ScreenOf(out io.Writer, color string, getenv func(string) string) Screen {
	s := Screen{Now: time.Now, Color: color == "always"}
	f, ok := out.(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) {
		return s
	}
	s.Human, s.Width = true, defaultWidth
	if color == "auto" {
		s.Color = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		s.Width = width
	} else if n, err := strconv.Atoi(getenv("COLUMNS")); err == nil && n > 0 {
		s.Width = n
	}
	return s
}

// Count is a number of things: it has thousands separators where people read it. Ids are plain integers.
type Count int64

// Number is a number as the server writes it: in tables for people it is to the right.
type Number string

// Moment is a time as the server writes it, in RFC 3339.
type Moment string

// Count returns a count as the screen shows it.
func (s Screen) Count(n Count) string {
	if s.Human {
		return humanize.Comma(int64(n))
	}
	return strconv.FormatInt(int64(n), 10)
}

// Moment returns a time as the screen shows it: how long ago, or as it came.
func (s Screen) Moment(m Moment) string {
	at, err := time.Parse(time.RFC3339Nano, string(m))
	if err != nil || !s.Human {
		return Escape(string(m))
	}
	return humanize.RelTime(at, s.Now(), "ago", "from now")
}

// units shortens the words of relative times, for tables: their other columns need the space.
var units = strings.NewReplacer(
	" seconds ", " s ", " second ", " s ", " minutes ", " min ", " minute ", " min ", " hours ", " h ", " hour ", " h ",
)

// brief returns a time as tables show it.
func (s Screen) brief(m Moment) string {
	if s.Human {
		return units.Replace(s.Moment(m))
	}
	return s.Moment(m)
}

// Style is an attribute of text, as the parameter of an escape sequence.
type Style string

// The styles. The eight colours are the terminal's own, which its user has chosen to be readable.
const (
	Bold   Style = "1"
	Faint  Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	Blue   Style = "34"
	Purple Style = "35"
	Cyan   Style = "36"
)

// Styled returns text in a style, if the screen has colours. The text must be escaped already.
func (s Screen) Styled(style Style, text string) string {
	if !s.Color || style == "" || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}
