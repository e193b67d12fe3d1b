package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A wide CSV is read once and split into files with some of its columns each, so that a statement on a few columns
// needs the time and memory of a narrow CSV. Fields are copied verbatim; DuckDB still interprets them.

// PartColumns is the number of columns in one part of a wide CSV: column i is in part i/PartColumns.
const PartColumns = 100

// MaxColumns is the maximum number of columns of an upload and of a dataset. The time of everything that is done to
// records grows with it, and what is said of each column takes memory before any record is read.
const MaxColumns = 100_000

// partsBuffer is how many bytes the buffers of all parts have together; one has at most partBuffer.
const (
	partsBuffer = 16 << 20
	partBuffer  = 64 << 10
)

// errOdd means that a CSV can't be split here. DuckDB then reads it whole and reports what is wrong, if anything.
var errOdd = errors.New("not a plain CSV")

// splitter splits a CSV into parts.
type splitter struct {
	in *bufio.Reader
	dialect
	ending  []byte // line ending, the same for all lines
	columns int
	parts   []*bufio.Writer
	long    *bufio.Writer // nil: there are too many values
	values  int           // in long
	record  []byte
	longest int
}

// longPart is the name of the file with every value in one column, if there are not more than maxLong of them. The
// types of all columns are found in it by one statement.
const (
	longPart = "long"
	maxLong  = 2_000_000
)

// splitCSV splits a CSV with the given number of columns. It returns the paths of the parts, each of which has an
// additional last column with the record's number, in quotes, so that it is never a text for null, and the length of
// the longest record in bytes.
func splitCSV(u Upload, d dialect, columns int) (paths []string, longest int64, err error) {
	n := (columns + PartColumns - 1) / PartColumns
	if u.Parts == "" {
		return nil, 0, errOdd
	}
	in, err := os.Open(u.Path)
	if err != nil {
		return nil, 0, err
	}
	defer in.Close()
	if err := os.MkdirAll(u.Parts, 0o700); err != nil {
		return nil, 0, err
	}
	s := &splitter{in: bufio.NewReaderSize(in, 1<<20), dialect: d, columns: columns}
	for i := range n {
		path := partPath(u, strconv.Itoa(i))
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			return nil, 0, err
		}
		paths = append(paths, path)
		s.parts = append(s.parts, bufio.NewWriterSize(appended(path), min(partBuffer, partsBuffer/n)))
	}
	long, err := os.OpenFile(partPath(u, longPart), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, err
	}
	defer long.Close()
	s.long = bufio.NewWriterSize(long, 256<<10)
	if err := s.run(); err != nil {
		return nil, 0, err
	}
	if s.long == nil {
		err = os.Remove(long.Name())
	}
	return paths, int64(s.longest), err
}

// appended is the path of a file that is opened for each write at its end: there may be more parts than files that a
// process may have open.
type appended string

// Write appends to the file.
func (a appended) Write(p []byte) (int, error) {
	f, err := os.OpenFile(string(a), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := f.Write(p)
	return n, errors.Join(err, f.Close())
}

// partPath returns the path of a file in the directory for parts of an upload.
func partPath(u Upload, name string) string { return filepath.Join(u.Parts, name) }

// run splits record after record. The header, which is the same to it, has the number -1.
func (s *splitter) run() error {
	for n := int64(-1); ; n++ { // the header precedes record 0
		err := s.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		s.longest = max(s.longest, len(s.record))
		if err := s.divide(n); err != nil {
			return err
		}
	}
	for _, p := range s.parts {
		if err := p.Flush(); err != nil {
			return err
		}
	}
	if s.long == nil {
		return nil
	}
	return s.long.Flush()
}

// next reads a record, up to a line break outside quotes, which must be the same as all others.
func (s *splitter) next() error {
	s.record = s.record[:0]
	quotes := 0
	for {
		line, err := s.in.ReadSlice('\n')
		s.record = append(s.record, line...)
		quotes += bytes.Count(line, []byte{s.quote})
		switch {
		case len(s.record) > maxLine:
			return errOdd
		case err == bufio.ErrBufferFull, err == nil && quotes%2 == 1:
			continue
		case err == io.EOF && len(s.record) == 0:
			return io.EOF
		case err == io.EOF:
			return s.checkEnd(nil)
		case err != nil:
			return err
		}
		ending := []byte("\n")
		if bytes.HasSuffix(s.record, []byte("\r\n")) {
			ending = []byte("\r\n")
		}
		s.record = s.record[:len(s.record)-len(ending)]
		return s.checkEnd(ending)
	}
}

// checkEnd requires the ending of all other lines. A carriage return elsewhere might be a line break to DuckDB and not
// here.
func (s *splitter) checkEnd(ending []byte) error {
	if s.ending == nil {
		s.ending = ending
	}
	if ending != nil && !bytes.Equal(ending, s.ending) || bytes.ContainsAny(s.record, "\r\x00") {
		return errOdd
	}
	return nil
}

// divide writes record n to the parts.
func (s *splitter) divide(n int64) error {
	rest := s.record
	for i := range s.columns {
		end := s.fieldEnd(rest)
		isLast := i == s.columns-1
		if end < 0 || isLast != (end == len(rest)) {
			return errOdd
		}
		s.lengthen(i, n, rest[:end])
		part := s.parts[i/PartColumns]
		part.Write(rest[:end])  //nolint:errcheck // Flush returns the error
		part.WriteByte(s.comma) //nolint:errcheck // the same
		if isLast || (i+1)%PartColumns == 0 {
			fmt.Fprintf(part, "%[2]c%[1]d%[2]c\n", n, s.quote) //nolint:errcheck // the same
		}
		if !isLast {
			rest = rest[end+1:]
		}
	}
	return nil
}

// lengthen writes field i of record n to the file of all values. The header becomes a line that is skipped as one.
func (s *splitter) lengthen(i int, n int64, field []byte) {
	if s.long == nil || n < 0 && i > 0 {
		return
	}
	if s.values++; s.values > maxLong {
		s.long = nil
		return
	}
	fmt.Fprintf(s.long, "%[1]c%[2]d%[1]c%[3]c%[1]c%[4]d%[1]c%[3]c", s.quote, i, s.comma, n) //nolint:errcheck // Flush returns it
	s.long.Write(field)                                                                     //nolint:errcheck // the same
	s.long.WriteByte('\n')                                                                  //nolint:errcheck // the same
}

// fieldEnd returns where the first field of a record ends; -1 if it has quotes in other places than around it.
func (d dialect) fieldEnd(record []byte) int {
	if len(record) == 0 || record[0] != d.quote {
		end := bytes.IndexByte(record, d.comma)
		if end < 0 {
			end = len(record)
		}
		if bytes.IndexByte(record[:end], d.quote) >= 0 {
			return -1
		}
		return end
	}
	for at := 1; ; at++ {
		quote := bytes.IndexByte(record[at:], d.quote)
		if quote < 0 {
			return -1
		}
		at += quote + 1
		switch {
		case at == len(record) || record[at] == d.comma:
			return at
		case record[at] != d.quote:
			return -1
		}
	}
}

// partsRelation returns the relation of a split CSV: the parts with wanted columns, joined by position.
func (r *csvRecords) partsRelation(want Want) string {
	var list strings.Builder
	var used []int
	for _, i := range want.Columns {
		fmt.Fprintf(&list, "o%d, ", i)
		if part := i / PartColumns; !slices.Contains(used, part) {
			used = append(used, part)
		}
	}
	if len(used) == 0 {
		used = []int{0}
	}
	from := make([]string, len(used))
	for k, part := range used {
		from[k] = fmt.Sprintf("%s AS p%d", r.partScan(part), part)
	}
	return fmt.Sprintf("SELECT %sp%d._n FROM %s", list.String(), used[0], strings.Join(from, " POSITIONAL JOIN "))
}

// Long returns the SQL of a relation of all values: k, the index of the column, _n, and the text v. It is empty if
// there are too many for one statement, or so few columns that each may be a column of it.
func (r *csvRecords) Long() string { return r.long }

// longScan returns that SQL if the file was written.
func (r *csvRecords) longScan(u Upload) string {
	path := partPath(u, longPart)
	if _, err := os.Stat(path); r.parts == nil || err != nil {
		return ""
	}
	return "SELECT * FROM " + csvScan(path, r.line, r.dialect, []string{"k: 'BIGINT'", "_n: 'BIGINT'", "v: 'VARCHAR'"})
}

// partScan is the SQL that reads a part: its columns, then the records' numbers.
func (r *csvRecords) partScan(part int) string {
	var types []string
	for i := part * PartColumns; i < min((part+1)*PartColumns, len(r.columns)); i++ {
		types = append(types, fmt.Sprintf("o%d: 'VARCHAR'", i))
	}
	return csvScan(r.parts[part], r.line, r.dialect, append(types, "_n: 'BIGINT'"))
}
