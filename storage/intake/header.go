package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// maxHeader is the maximum length of the header line, in bytes.
const maxHeader = 1 << 20

// readHeader reads the first line: the names of the columns, and what separates them.
func readHeader(u Upload) (names []string, d dialect, err error) {
	f, err := os.Open(u.Path)
	if err != nil {
		return nil, d, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(io.LimitReader(f, maxHeader), 64<<10)
	if mark, _ := in.Peek(3); bytes.Equal(mark, byteOrderMark) {
		in.Discard(3)
	}
	quote := u.Options.quote()
	line, err := headerLine(in, quote)
	if err != nil {
		return nil, d, err
	}
	d = u.Options.dialect(line)
	names, err = d.fields(strings.TrimRight(line, "\r\n"))
	return names, d, err
}

// headerLine reads up to the first line break outside quotes.
func headerLine(in *bufio.Reader, quote string) (string, error) {
	var line strings.Builder
	quoted := false
	for {
		part, err := in.ReadString('\n')
		line.WriteString(part)
		quoted = quoted != (strings.Count(part, quote)%2 == 1)
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

// dialect returns how the fields of a CSV with a header are told apart.
func (o Options) dialect(header string) dialect {
	d := dialect{quote: o.quote()[0]}
	if o.Delimiter != "" {
		d.comma = o.Delimiter[0]
	} else {
		d.comma = separator(header, d.quote)
	}
	for _, text := range o.Null {
		if strings.IndexByte(text, d.comma) < 0 { // no field is such a text, and DuckDB refuses it
			d.null = append(d.null, text)
		}
	}
	return d
}

// separator returns which of , ; tab and | occurs most often outside quotes; a comma if none does.
func separator(line string, quote byte) byte {
	counts := map[byte]int{}
	quoted := false
	for i := range len(line) {
		if line[i] == quote {
			quoted = !quoted
		} else if !quoted {
			counts[line[i]]++
		}
	}
	best := byte(',')
	for _, c := range []byte{';', '\t', '|'} {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

// fields returns the fields of a line.
func (d dialect) fields(line string) (out []string, err error) {
	rest, quote := []byte(line), string(d.quote)
	for {
		end := d.fieldEnd(rest)
		if end < 0 {
			return nil, malformed("the CSV's header can't be read: name %d has a quote in it that is not doubled, or "+
				"is not closed. If something else than %q separates the names, send the delimiter", len(out)+1,
				string(d.comma))
		}
		field := string(rest[:end])
		if strings.HasPrefix(field, quote) {
			field = strings.ReplaceAll(field[1:len(field)-1], quote+quote, quote)
		}
		out = append(out, field)
		if end == len(rest) {
			return out, nil
		}
		rest = rest[end+1:]
	}
}

// maxUnnamed is how many columns in front may have no name: pandas writes one for each level of an index.
const maxUnnamed = 16

// unnamed returns the name of a column that has none. It is what pandas calls it when it reads such a file.
func unnamed(i int) string { return fmt.Sprintf("Unnamed: %d", i) }

// nameFirst names the columns without a name in front of one with a name, and returns how many there were.
func nameFirst(header []string) (n int) {
	for n < len(header) && strings.TrimSpace(header[n]) == "" {
		n++
	}
	if n == len(header) || n > maxUnnamed {
		return 0
	}
	for i := range n {
		header[i] = unnamed(i)
	}
	return n
}

// unnamedNote says how columns without a name were called.
func unnamedNote(columns []Offered) []string {
	switch len(columns) {
	case 0:
		return nil
	case 1:
		return []string{fmt.Sprintf("The first column has no name and was called %q. To leave out the index that pandas "+
			"or R wrote, write the file with index=False or row.names=FALSE.", columns[0].Name)}
	}
	return []string{fmt.Sprintf("The first %d columns have no names and were called %q to %q. To leave out the index "+
		"that pandas wrote, write the file with index=False.", len(columns), columns[0].Name,
		columns[len(columns)-1].Name)}
}
