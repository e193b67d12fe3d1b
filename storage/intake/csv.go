package intake

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// csvRecords are read as text: the types of columns are found, and their values checked, by SQL on that text. DuckDB's
// own detection would turn the postcode 01234 into a number.
type csvRecords struct {
	scan    string // SQL that reads the whole file
	columns []Offered
	dialect dialect
	notes   []string
	parts   []string // of a wide CSV: paths of its parts, see split.go
	line    int64    // of a wide CSV: bytes of its longest record
	long    string   // see Long
}

// openCSV reads the header, and splits a wide file. What the values are is found later, by statements on their text.
func openCSV(ctx context.Context, conn *duck.Conn, u Upload) (Records, error) {
	u, err := prepared(u)
	if err != nil {
		return nil, err
	}
	if err := checkForm(ctx, conn, u.Options.Form); err != nil {
		return nil, err
	}
	header, d, err := readHeader(u)
	if err != nil {
		return nil, err
	}
	r := &csvRecords{dialect: d}
	if r.columns, r.notes, err = textColumns(header, u.Options.Form); err != nil {
		return nil, err
	}
	if len(r.columns) > wideCSV {
		if r.parts, r.line, err = splitCSV(u, d, len(r.columns)); err != nil && err != errOdd {
			return nil, err
		}
		r.long = r.longScan(u)
	}
	types := make([]string, len(r.columns))
	for i, c := range r.columns {
		types[i] = duck.Text(c.Name) + ": 'VARCHAR'"
	}
	r.scan = csvScan(u.Path, u.Size, d, types)
	return r, nil
}

// dialect is how the fields of a CSV are told apart.
type dialect struct {
	comma, quote byte
	null         []string // texts that stand for no value, without quotes
}

// textColumns returns the columns of a CSV with a header, and notes about their names.
func textColumns(header []string, form Form) (columns []Offered, notes []string, err error) {
	unnamed := nameFirst(header)
	for _, name := range header {
		columns = append(columns, Offered{Name: name, Type: schema.Of(schema.Varchar), Text: CSVText, Form: form})
	}
	return columns, unnamedNote(columns[:unnamed]), checkNames(columns)
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
func csvScan(path string, line int64, d dialect, types []string) string {
	line = min(maxLine, line+leastLine)
	nulls := []string{"''"}
	for _, text := range d.null {
		nulls = append(nulls, duck.Text(text))
	}
	quote := duck.Text(string(d.quote))
	return fmt.Sprintf(`read_csv(%s, auto_detect = false, header = true, delim = %s, quote = %s, escape = %s,
		nullstr = [%s], null_padding = false, strict_mode = true, max_line_size = %d, buffer_size = %d,
		allow_quoted_nulls = false, columns = {%s})`,
		duck.Text(path), duck.Text(string(d.comma)), quote, quote, strings.Join(nulls, ", "), line, 2*line,
		strings.Join(types, ", "))
}

func (r *csvRecords) Columns() []Offered { return r.columns }

func (r *csvRecords) Notes() []string { return r.notes }

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
		return malformed("row %s of the CSV has %s fields; the header, which is row 1, has %s. %s",
			line[1], n[2], n[1], uneven(n[1], n[2]))
	}
	return malformed("row %s of the CSV, of which the header is row 1, can't be read: %s", line[1], csvReason(err.Error()))
}

// uneven says what to do about a row with another number of fields than the header.
func uneven(header, row string) string {
	remedy := "Put fields that contain the delimiter in quotes, or send the delimiter that the file has"
	names, _ := strconv.Atoi(header)
	if row == strconv.Itoa(names+1) {
		remedy += "; if the header has no name for the row names that R wrote, write it with col.names=NA"
	}
	return remedy
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
