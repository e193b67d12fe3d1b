package workbook

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"
)

// packed returns a workbook of one sheet, with other parts in place of its own.
func packed(t testing.TB, rows string, others map[string]string) []byte {
	t.Helper()
	parts := map[string]string{
		bookPart:                   `<workbook><sheets><sheet name="S" r:id="r1"/></sheets></workbook>`,
		linksPart:                  `<Relationships><Relationship Id="r1" Type="x/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml": "<worksheet><sheetData>" + rows + "</sheetData></worksheet>",
	}
	for name, text := range others {
		parts[name] = text
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, text := range parts {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read returns the rows of the first sheet, a line each.
func read(body []byte) (string, error) {
	b, err := Open(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = b.Rows(b.Sheets[0], func(r Row) error {
		fmt.Fprint(&out, r.Number, ":")
		for _, c := range r.Cells {
			fmt.Fprintf(&out, " %s=%d %q", ColumnName(c.Column), c.Kind, c.Text)
		}
		out.WriteString("\n")
		return nil
	})
	return out.String(), err
}

// A sheet that ends early is refused, wherever it ends. The streaming readers of excelize 2.11.1 and xlsxreader 1.2.8
// ignore the decoder's error there, by their source, and take what there is for all of it.
func TestASheetThatEndsEarlyIsRefused(t *testing.T) {
	whole := "<worksheet><sheetData><row><c><v>1</v></c></row><row><c><v>2</v></c></row></sheetData></worksheet>"
	for end := range len(whole) {
		body := packed(t, "", map[string]string{"xl/worksheets/sheet1.xml": whole[:end]})
		if got, err := read(body); err == nil && end > 0 {
			t.Errorf("%s is %q", whole[:end], got)
		}
	}
}

func TestRowsWithoutNumbersFollowEachOther(t *testing.T) {
	got, err := read(packed(t, `<row><c><v>1</v></c><c r="c1"><v>2</v></c><c><v>3</v></c></row><row r="4"/><row><c t="b"><v>1</v></c></row>`, nil))
	want := "1: A=2 \"1\" C=2 \"2\" D=2 \"3\"\n4:\n5: A=16 \"true\"\n"
	if err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
}

// A program that writes indented XML puts space around values, which schema types ignore.
func TestSpaceAroundValuesIsIgnored(t *testing.T) {
	cells := `<c><v> 1 </v></c><c t="b"><v>
1
</v></c><c t="s"><v> 0 </v></c><c t="str"><v> text </v></c><c><v> </v></c><c t="d"><v> 2024-02-29 </v></c><c t="e"><v> #N/A </v></c>`
	got, err := read(packed(t, "<row>"+cells+"</row>", map[string]string{textsPart: "<sst><si><t> shared </t></si></sst>"}))
	want := "1: A=2 \"1\" B=16 \"true\" C=1 \" shared \" D=1 \" text \" F=32 \"2024-02-29\" G=256 \"#N/A\"\n"
	if err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFormatsOfDates(t *testing.T) {
	for code, want := range map[string]format{
		"yyyy-mm-dd": {hasDate: true}, "d/m/yy h:mm": {true, true}, "h:mm:ss AM/PM": {hasClock: true}, "mmmm": {hasDate: true},
		"[h]:mm:ss": {}, "0.00": {}, "General": {}, `0 "days"`: {}, `[Red]0.0;[Blue]dd`: {}, `\d0`: {}, "#,##0_d": {},
		`[$-409]d-mmm-yy;@`: {hasDate: true}, "[$€-2] #,##0.00": {}, "0.00E+00": {}, "mm:ss.0": {hasClock: true}, "@": {}, "": {},
	} {
		if got := formatOf(code); got != want {
			t.Errorf("%s is %+v", code, got)
		}
	}
}

func TestNamesOfCells(t *testing.T) {
	for column, name := range map[int]string{0: "A", 25: "Z", 26: "AA", 701: "ZZ", 702: "AAA", MaxColumns - 1: "XFD"} {
		if got := ColumnName(column); got != name || columnOf(name) != column+1 {
			t.Errorf("column %d is %s; %s is %d", column, got, name, columnOf(name)-1)
		}
	}
	for _, odd := range []string{"", "1", "A-", "É", strings.Repeat("Z", 40)} {
		if n := columnOf(odd); n > 0 && n <= MaxColumns {
			t.Errorf("%q is column %d", odd, n)
		}
	}
}

// Whatever the parts of a workbook are, its cells come in order, and each in the form of its kind.
func FuzzWorkbook(f *testing.F) {
	f.Add(`<row r="1"><c r="A1" t="s"><v>0</v></c><c t="n" s="1"><v>45351.5</v></c><c s="2"><v>0.5</v></c></row>`,
		`<sst><si><r><t>a</t></r><rPh><t>b</t></rPh></si></sst>`,
		`<x><numFmts><numFmt numFmtId="200" formatCode="[$-409]d"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="200"/><xf numFmtId="20"/></cellXfs></x>`)
	f.Add(`<row><c t="d"><v>2024-02-29T10:00:00Z</v></c><c t="e"><v>#N/A</v></c><c><f>1</f></c><c t="str"><v>_x000D_</v></c></row>`, "", "")
	f.Add(`<row><c t="inlineStr"><is><t>x</t></is></c><c t="b"><v>true</v></c><c><v>-1e-400</v></c><c><v>9007199254740993</v></c></row>`, "<a/>", "<a")
	f.Fuzz(func(t *testing.T, rows, texts, styles string) {
		body := packed(t, rows, map[string]string{textsPart: texts, stylesPart: styles})
		b, err := Open(bytes.NewReader(body), int64(len(body)))
		if err != nil {
			return
		}
		number := 0
		err = b.Rows(b.Sheets[0], func(r Row) error {
			if r.Number <= number {
				t.Fatalf("row %d after row %d", r.Number, number)
			}
			number = r.Number
			column := -1
			for _, c := range r.Cells {
				if c.Column <= column || c.Column >= MaxColumns {
					t.Fatalf("column %d after column %d", c.Column, column)
				}
				column = c.Column
				checkForm(t, c)
			}
			return nil
		})
		var ours *fs.PathError
		if errors.As(err, &ours) {
			t.Fatal(err)
		}
	})
}

// checkForm fails the test if a text is not in the form of its kind.
func checkForm(t *testing.T, c Cell) {
	t.Helper()
	layouts := map[Kind]string{Date: time.DateOnly, Moment: "2006-01-02 15:04:05.999999", Clock: "15:04:05.999999"}
	if layout, ok := layouts[c.Kind]; ok {
		if _, err := time.Parse(layout, c.Text); err != nil {
			t.Fatal(c, err)
		}
	}
	if c.Kind&(Whole|Large|Real) != 0 && !numeral.MatchString(c.Text) || c.Kind == Bool && c.Text != "true" && c.Text != "false" {
		t.Fatal(c)
	}
}
