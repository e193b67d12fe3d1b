package intake

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"rowback/storage/duck"
	"rowback/storage/schema"
)

// csvRecords are read as text: the types of columns are found, and their values checked, by SQL on that text. DuckDB's
// own detection would turn the postcode 01234 into a number.
type csvRecords struct {
	scan    string // SQL that reads the whole file
	columns []Offered
	comma   rune
	parts   []string // of a wide CSV: paths of its parts, see split.go
	line    int64    // of a wide CSV: bytes of its longest record
}

// maxHeader is the maximum length of the header line, in bytes.
const maxHeader = 1 << 20

// openCSV reads the header, and splits a wide file. What the values are is found later, by statements on their text.
func openCSV(ctx context.Context, conn *duck.Conn, u Upload) (Records, error) {
	u, err := unified(u)
	if err != nil {
		return nil, err
	}
	header, comma, err := readHeader(u.Path)
	if err != nil {
		return nil, err
	}
	r := &csvRecords{comma: comma}
	for _, name := range nameFirst(header) {
		r.columns = append(r.columns, Offered{Name: name, Type: schema.Of(schema.Varchar), Text: CSVText})
	}
	if err := checkNames(r.columns); err != nil {
		return nil, err
	}
	if len(r.columns) > wideCSV {
		if r.parts, r.line, err = splitCSV(u, comma, len(r.columns)); err != nil && err != errOdd {
			return nil, err
		}
	}
	types := make([]string, len(r.columns))
	for i, c := range r.columns {
		types[i] = duck.Text(c.Name) + ": 'VARCHAR'"
	}
	r.scan = csvScan(u.Path, u.Size, comma, types)
	return r, nil
}

// wideCSV is the largest number of columns of a CSV that is read without being split into parts.
const wideCSV = 2 * PartColumns

// The maximum length of a line of a CSV, in bytes, and what is allowed for a line beyond the known length.
const (
	maxLine   = 16 << 20
	leastLine = 512 << 10
)

// csvScan returns the SQL that reads a CSV with the given columns and types, whose lines have at most line bytes. The
// limit matters: DuckDB allocates a buffer of two lines for every statement.
func csvScan(path string, line int64, comma rune, types []string) string {
	line = min(maxLine, line+leastLine)
	return fmt.Sprintf(`read_csv(%s, auto_detect = false, header = true, delim = %s, quote = '"', escape = '"',
		null_padding = false, strict_mode = true, max_line_size = %d, buffer_size = %d, allow_quoted_nulls = false,
		columns = {%s})`,
		duck.Text(path), duck.Text(string(comma)), line, 2*line, strings.Join(types, ", "))
}

// readHeader reads the first line: the names of the columns, and which of , ; tab and | separates them.
func readHeader(path string) (names []string, comma rune, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(io.LimitReader(f, maxHeader), 64<<10)
	if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		in.Discard(3)
	}
	line, err := headerLine(in)
	if err != nil {
		return nil, 0, err
	}
	comma = separator(line)
	r := csv.NewReader(strings.NewReader(line))
	r.Comma = comma
	names, err = r.Read()
	if err != nil {
		return nil, 0, malformed("the CSV's header can't be read: %s", err)
	}
	return names, comma, nil
}

// headerLine reads up to the first line break outside quotes.
func headerLine(in *bufio.Reader) (string, error) {
	var line strings.Builder
	quoted := false
	for {
		part, err := in.ReadString('\n')
		line.WriteString(part)
		quoted = quoted != (strings.Count(part, `"`)%2 == 1)
		switch {
		case err == nil && quoted:
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return "", err
		case strings.TrimSpace(line.String()) == "":
			return "", malformed("the CSV is empty: its first line must name the columns")
		case !utf8.ValidString(line.String()):
			return "", malformed("the CSV's header is not UTF-8")
		case line.Len() >= maxHeader:
			return "", malformed("the CSV's header is longer than %d bytes", maxHeader)
		}
		return line.String(), nil
	}
}

// FirstColumn is the name of a first column that has none in the header of a CSV: pandas and R write row names so. It
// is what pandas calls it when it reads such a file.
const FirstColumn = "Unnamed: 0"

// nameFirst names the first column of several if it has no name.
func nameFirst(header []string) []string {
	if len(header) > 1 && strings.TrimSpace(header[0]) == "" {
		header[0] = FirstColumn
	}
	return header
}

// separator returns the candidate that occurs most often outside quotes; a comma if none does.
func separator(line string) rune {
	counts := map[rune]int{}
	quoted := false
	for _, c := range line {
		if c == '"' {
			quoted = !quoted
		} else if !quoted {
			counts[c]++
		}
	}
	best := ','
	for _, c := range []rune{';', '\t', '|'} {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

func (r *csvRecords) Columns() []Offered { return r.columns }

func (r *csvRecords) Relation(_ context.Context, _ *duck.Conn, want Want) (string, func(), error) {
	if r.parts != nil {
		return r.partsRelation(want), func() {}, nil
	}
	return "SELECT " + aliased(r.columns, want) + "row_number() OVER () - 1 AS _n FROM " + r.scan, func() {}, nil
}

var (
	csvLine    = regexp.MustCompile(`CSV Error on Line: (\d+)`)
	csvColumns = regexp.MustCompile(`Expected Number of Columns: (\d+) Found: (\d+)`)
)

func (r *csvRecords) Explain(err error) error { return csvError(err) }

// csvError names the row that could not be read. DuckDB's message calls it a line, although it counts a record with
// line breaks as one.
func csvError(err error) error {
	if cause := duck.CauseOf(err); cause != duck.Input && cause != duck.Unreadable {
		return err
	}
	line := csvLine.FindStringSubmatch(err.Error())
	if line == nil {
		return unreadable("CSV", err)
	}
	if n := csvColumns.FindStringSubmatch(err.Error()); n != nil {
		return malformed("row %s of the CSV has %s fields; the header, which is row 1, has %s", line[1], n[2], n[1])
	}
	return malformed("row %s of the CSV, of which the header is row 1, can't be read: %s", line[1], csvReason(err.Error()))
}

// csvReason returns the sentence that follows the quoted line in a message of DuckDB's.
func csvReason(msg string) string {
	for _, part := range strings.Split(msg, "\n")[1:] {
		part = strings.TrimSpace(part)
		if part != "" && !strings.HasPrefix(part, "Original Line:") {
			return strings.TrimRight(part, ".")
		}
	}
	return "it is malformed"
}
