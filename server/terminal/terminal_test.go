package terminal

import (
	"strings"
	"testing"
	"time"
)

// people is a terminal of a width, without colours.
func people(width int) Screen {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	return Screen{Width: width, Human: true, Now: func() time.Time { return now }}
}

func TestTables(t *testing.T) {
	print := func(s Screen) string {
		table := s.NewTable("COMMIT", "RECORDS", "WHEN", "MESSAGE")
		table.Row(12, Count(1234567), Moment("2026-01-31T11:57:00Z"), "The first file of the year, from the registry")
		table.Row(3, Count(5), Moment("never"), "short")
		var out strings.Builder
		if err := table.Print(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for name, c := range map[string]struct {
		screen Screen
		want   string
	}{
		"a program gets everything as it is": {Screen{}, `COMMIT  RECORDS  WHEN                  MESSAGE
12      1234567  2026-01-31T11:57:00Z  The first file of the year, from the registry
3       5        never                 short
`},
		"people get what fits, with separators and times in words": {people(60), `COMMIT    RECORDS  WHEN       MESSAGE
12      1,234,567  3 min ago  The first file of the year, f…
3               5  never      short
`},
		"times stay whole as long as text can give way": {people(38), `COMMIT    RECORDS  WHEN       MESSAGE
12      1,234,567  3 min ago  The fir…
3               5  never      short
`},
		"what is narrow keeps its width as long as others can give way": {people(37), `COMMIT    RECORDS  WHEN      MESSAGE
12      1,234,567  3 min a…  The fir…
3               5  never     short
`},
	} {
		if got := print(c.screen); got != c.want {
			t.Errorf("%s:\n%swant\n%s", name, got, c.want)
		}
	}
}

// An id is what the next command is given: where it would be cut, rows become lines. What is said of a row stays whole
// below it.
func TestIDsAndNotesAreNotCut(t *testing.T) {
	print := func(s Screen) string {
		table := s.NewTable("ID", "USER", "USED", "ABOUT")
		table.Row(ID("whk_0123456789abcdef"), "ada", Moment("2026-01-31T11:57:00Z"), "The nightly import", Note("disabled by 13"))
		table.Row(ID("whk_1"), "eva", Moment("never"), "")
		var out strings.Builder
		if err := table.Print(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for width, want := range map[int]string{
		0: `ID                    USER  USED                  ABOUT
whk_0123456789abcdef  ada   2026-01-31T11:57:00Z  The nightly import
                      disabled by 13
whk_1                 eva   never                 
`,
		50: `ID                    USER  USED       ABOUT
whk_0123456789abcdef  ada   3 min ago  The nightl…
                      disabled by 13
whk_1                 eva   never      
`,
		40: `ID     whk_0123456789abcdef
USER   ada
USED   3 min ago
ABOUT  The nightly import
       disabled by 13

ID     whk_1
USER   eva
USED   never
`,
	} {
		s := people(width)
		s.Human = width > 0
		if got := print(s); got != want {
			t.Errorf("at %d columns:\n%swant\n%s", width, got, want)
		}
	}
}

func TestNothingInATableLeavesItsCell(t *testing.T) {
	values := []string{
		"\x1b[2J\x1b[31mred", "two\nlines\r\tand tabs", "\u202egnp.exe", "bell\a\u009b31m", "bad \xff bytes", "\u200b\ufeff\u2028",
		"日本語のとても長い名前です", strings.Repeat("x", 1<<20), "مرحبا بالعالم", "e\u0301 👩‍👩‍👧 fine",
	}
	for _, s := range []Screen{{}, people(40)} {
		table := s.NewTable("NAME\x1b[1m", "B")
		for _, v := range values {
			table.Row(v, "end")
		}
		var out strings.Builder
		if err := table.Print(&out); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != len(values)+1 {
			t.Errorf("%d values are on %d lines", len(values), len(lines)-1)
		}
		for _, line := range lines {
			plain := strings.NewReplacer("\u2068", "", "\u2069", "").Replace(line)
			if strings.ContainsAny(plain, "\x1b\a\r\t\u202e\u009b\u200b\ufeff\u2028") {
				t.Errorf("%q controls the terminal", line)
			}
			if s.Width > 0 && WidthOf(plain) > s.Width {
				t.Errorf("%q takes %d columns", line, WidthOf(plain))
			}
		}
	}
}

func TestTextFromTheRightIsIsolated(t *testing.T) {
	if got := people(40).Isolated("مرحبا", 0); got != "\u2068مرحبا\u2069" {
		t.Errorf("%q", got)
	}
	if got := people(40).Isolated("left", 0); got != "left" {
		t.Errorf("%q", got)
	}
}

func TestATableOfManyColumnsSaysHowManyThereAre(t *testing.T) {
	names, values := make([]string, 2000), make([]any, 2000)
	for i := range names {
		names[i], values[i] = "column_of_a_wide_table", "value of the column"
	}
	table := people(80).NewTable(names...).MayDrop()
	table.Row(values...)
	var out strings.Builder
	if err := table.Print(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 4 || WidthOf(lines[1]) > 80 || lines[2] != "1,992 more columns" {
		t.Errorf("%q", lines)
	}
}

func TestColourIsForTerminals(t *testing.T) {
	none := func(string) string { return "" }
	var out strings.Builder
	for how, want := range map[string]string{"auto": "x", "never": "x", "always": "\x1b[31mx\x1b[0m"} {
		s := ScreenOf(&out, how, none)
		if got := s.Styled(Red, "x"); got != want {
			t.Errorf("%s: %q", how, got)
		}
		if got := s.Styled("", "x"); got != "x" {
			t.Errorf("%s: no style is %q", how, got)
		}
	}
}
