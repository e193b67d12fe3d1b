package intake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake/workbook"
	"github.com/rowback/rowback/storage/schema"
)

// sheetRecords are the rows of one sheet of a workbook. The sheet is read once, into an Arrow stream of text, while it
// is found out what its columns have; statements cast the text.
type sheetRecords struct {
	text    *arrowRecords // column i is field at[i]
	at      []int
	columns []Offered
	notes   []string
}

// Recognize returns the format of an upload: its own, unless it begins as Excel workbooks do and no other format does.
func Recognize(u Upload) (Format, error) {
	f, err := u.open()
	if err != nil {
		return u.Format, err
	}
	defer f.Close()
	start := make([]byte, 8)
	n, err := io.ReadFull(f, start)
	switch {
	case workbook.Recognize(start[:n]):
		return XLSX, nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return u.Format, nil
	}
	return u.Format, err
}

// openSheet reads the chosen sheet.
func openSheet(u Upload) (Records, error) {
	f, err := os.Open(u.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// A file refuses places before its start as a disk's error; a section ends there.
	book, err := workbook.Open(io.NewSectionReader(f, 0, u.Size), u.Size)
	if err != nil {
		return nil, bookError(err)
	}
	sheet, err := chosenSheet(book.Sheets, u.Options.Sheet)
	if err != nil {
		return nil, err
	}
	s, err := readSheet(book, sheet, u)
	if err != nil {
		return nil, bookError(err)
	}
	r := s.records()
	return r, checkNames(r.columns)
}

// maxQuoted is how many characters of a file's own text a message may have.
const maxQuoted = 500

// shortened returns a text that a message quotes.
func shortened(text string) string {
	if runes := []rune(text); len(runes) > maxQuoted {
		return string(runes[:maxQuoted]) + "…"
	}
	return text
}

// readSheet writes the rows of a sheet to a file of text.
func readSheet(book *workbook.Book, sheet workbook.Sheet, u Upload) (s *sheetText, err error) {
	if err := os.MkdirAll(u.Parts, 0o700); err != nil {
		return nil, err
	}
	s = &sheetText{name: sheet.Name, path: partPath(u, "sheet")}
	out, err := os.OpenFile(s.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewWriterSize(out, 256<<10)
	err = book.Rows(sheet, s.add)
	if err == nil {
		err = s.finish()
	}
	if info, statErr := out.Stat(); statErr == nil {
		s.size = info.Size()
	}
	return s, errors.Join(err, out.Close())
}

// bookError returns the *Error for a workbook that can't be read. An error of our own disk stays what it is.
func bookError(err error) error {
	var ours *fs.PathError
	var e *Error
	var foreign *workbook.Foreign
	switch {
	case errors.As(err, &ours), errors.As(err, &e):
		return err
	case errors.Is(err, workbook.ErrLarge):
		return &Error{Detail: "reading the workbook takes more memory than one upload may have", Large: true}
	case errors.As(err, &foreign) && foreign.IsArchive:
		return malformed("the file is %s. Unpack it, and send the files in it", foreign.Is)
	case errors.As(err, &foreign):
		return malformed("the file is %s. Save it as .xlsx or .csv", foreign.Is)
	}
	return malformed("the workbook can't be read: %s", shortened(err.Error()))
}

// chosenSheet returns the sheet of a name or, if none has that, of a number from 1; without either the first one that
// is not hidden.
func chosenSheet(sheets []workbook.Sheet, choice string) (workbook.Sheet, error) {
	names := make([]string, len(sheets))
	for i, s := range sheets {
		names[i] = fmt.Sprintf("%q", s.Name)
		if choice == "" && !s.IsHidden || s.Name == choice {
			return s, nil
		}
	}
	for i, s := range sheets {
		if strings.EqualFold(s.Name, choice) || fmt.Sprint(i+1) == choice {
			return s, nil
		}
	}
	if choice == "" {
		return sheets[0], nil // all are hidden
	}
	return workbook.Sheet{}, misshapen("the workbook has no sheet %q. It has %s", shortened(choice),
		shortened(strings.Join(names, ", ")))
}

func (r *sheetRecords) Columns() []Offered { return r.columns }

func (r *sheetRecords) Notes() []string { return r.notes }

// Impose offers the text of cells, whatever they have, to a column of text: some of its codes may be numbers.
func (r *sheetRecords) Impose(i int, stored schema.Type) {
	if c := &r.columns[i]; stored.Name == schema.Varchar && c.Type.Name != schema.Null {
		c.Type = stored
	}
}

func (r *sheetRecords) Relation(ctx context.Context, conn *duck.Conn, want Want) (string, func(), error) {
	stream, err := r.text.open()
	if err != nil {
		return "", nil, err
	}
	var list strings.Builder
	fields := make([]int, len(want.Columns))
	for k, i := range want.Columns {
		fields[k] = r.at[i]
		fmt.Fprintf(&list, "CAST(%s AS %s) AS o%d, ", fieldName(r.at[i]), r.columns[i].Type.SQL(), i)
	}
	release, err := register(ctx, conn, stream, fields)
	return "SELECT " + list.String() + "_n FROM " + view, release, err
}

func (r *sheetRecords) Explain(err error) error { return unreadable("workbook", err) }

// fieldName is the name of a field in the stream of text.
func fieldName(i int) string { return fmt.Sprintf("c%d", i) }

// sheetText is a sheet on its way into an Arrow stream of text. The first row with values names the columns.
type sheetText struct {
	name, path string
	out        *bufio.Writer
	stream     *ipc.Writer
	schema     *arrow.Schema
	text, size int64 // bytes: of the cells, and of the file
	columns    []sheetColumn
	at         map[int]int // by column of the sheet: its place in columns
	fields     []*array.StringBuilder
	rows       int // in the builders
	bytes      int // in the builders

	faults, pending cellCount
}

// sheetColumn is a column of a sheet.
type sheetColumn struct {
	header string
	named  bool
	kinds  workbook.Kind // of its cells
}

// cellCount counts cells of a kind, and knows the first.
type cellCount struct {
	cells int
	first string
}

func (c *cellCount) add(column, row int) {
	if c.cells++; c.cells == 1 {
		c.first = workbook.CellName(column, row)
	}
}

// A batch ends once it has so many values, or so many bytes of them.
const batchValues = 1 << 18

// maxSheet is how many bytes of text a sheet may have: one shared text may be in many cells.
const maxSheet = 4 << 30

// add adds a row. One without a value is not a record.
func (s *sheetText) add(row workbook.Row) error {
	switch {
	case len(row.Cells) == 0:
		return nil
	case s.columns == nil:
		s.head(row)
		return nil
	}
	for _, c := range row.Cells {
		if err := s.put(c, row.Number); err != nil {
			return err
		}
	}
	s.rows++
	for _, f := range s.fields {
		if f.Len() < s.rows {
			f.AppendNull()
		}
	}
	if s.rows*len(s.fields) >= batchValues || s.bytes >= batchBytes {
		return s.flush()
	}
	return nil
}

// put adds a cell to the current row.
func (s *sheetText) put(c workbook.Cell, row int) error {
	i, ok := s.at[c.Column]
	if !ok {
		return misshapen("cell %s of sheet %q has a value, and its column has no name. The first row with values must "+
			"name the columns", workbook.CellName(c.Column, row), s.name)
	}
	switch c.Kind {
	case workbook.Fault:
		s.faults.add(c.Column, row)
		return nil
	case workbook.Pending:
		s.pending.add(c.Column, row)
		return nil
	}
	s.columns[i].kinds |= c.Kind
	s.bytes += len(c.Text)
	if s.text += int64(len(c.Text)); s.text > maxSheet {
		return &Error{Detail: fmt.Sprintf("the sheet has more than %d bytes of values", int64(maxSheet)), Large: true}
	}
	s.fields[i].Append(c.Text)
	return nil
}

// head takes the names of the columns from a row. As in a CSV, columns in front of the first name may have none.
func (s *sheetText) head(row workbook.Row) {
	s.at = map[int]int{}
	add := func(column int, header string, named bool) {
		s.at[column] = len(s.columns)
		s.columns = append(s.columns, sheetColumn{header: header, named: named})
	}
	if first := row.Cells[0].Column; first <= maxUnnamed {
		for i := range first {
			add(i, unnamed(i), false)
		}
	}
	for _, c := range row.Cells {
		add(c.Column, c.Text, true)
	}
	fields := make([]arrow.Field, len(s.columns))
	for i := range s.columns {
		fields[i] = arrow.Field{Name: fieldName(i), Type: arrow.BinaryTypes.String, Nullable: true}
		s.fields = append(s.fields, array.NewStringBuilder(memory.DefaultAllocator))
	}
	s.schema = arrow.NewSchema(fields, nil)
	s.stream = ipc.NewWriter(s.out, ipc.WithSchema(s.schema))
}

// flush writes the rows in the builders as a batch.
func (s *sheetText) flush() error {
	arrays := make([]arrow.Array, len(s.fields))
	for i, f := range s.fields {
		arrays[i] = f.NewArray()
		defer arrays[i].Release()
	}
	batch := array.NewRecordBatch(s.schema, arrays, int64(s.rows))
	defer batch.Release()
	s.rows, s.bytes = 0, 0
	return s.stream.Write(batch)
}

// finish ends the stream.
func (s *sheetText) finish() error {
	if s.columns == nil {
		return malformed("sheet %q is empty: its first row with values must name the columns", s.name)
	}
	return errors.Join(s.flush(), s.stream.Close(), s.out.Flush())
}
