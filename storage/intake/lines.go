package intake

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
)

// DuckDB refuses a CSV whose lines do not all end the same way, as those do that were put together from several. Such a
// file is written again with \n at the end of each line; what is in quotes stays as it is.

// unified returns the upload with one line ending: itself if it has only one that DuckDB and this package read.
func unified(u Upload) (Upload, error) {
	mixed, err := hasMixedLines(u.Path)
	if err != nil || !mixed || u.Parts == "" {
		return u, err
	}
	if err := os.MkdirAll(u.Parts, 0o700); err != nil {
		return u, err
	}
	from := u.Path
	u.Path = partPath(u, "lines")
	u.Size, err = unifyLines(from, u.Path)
	return u, err
}

// hasMixedLines reports whether a file has line breaks of several kinds, or carriage returns alone, quoted or not.
func hasMixedLines(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var returns, newlines, both int64
	part, last := make([]byte, 256<<10), byte(0)
	for {
		n, err := f.Read(part)
		read := part[:n]
		returns += int64(bytes.Count(read, []byte{'\r'}))
		newlines += int64(bytes.Count(read, []byte{'\n'}))
		both += int64(bytes.Count(read, []byte("\r\n")))
		if n > 0 {
			if last == '\r' && read[0] == '\n' {
				both++
			}
			last = read[n-1]
		}
		if errors.Is(err, io.EOF) {
			return returns > 0 && (both != returns || both != newlines), nil
		}
		if err != nil {
			return false, err
		}
	}
}

// unifyLines copies a CSV with \n at the end of every line, and returns its size in bytes.
func unifyLines(from, to string) (size int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	l := lines{out: bufio.NewWriterSize(out, 256<<10)}
	part := make([]byte, 256<<10)
	for {
		n, err := in.Read(part)
		for _, c := range part[:n] {
			l.put(c)
		}
		if errors.Is(err, io.EOF) {
			return l.size, l.out.Flush()
		}
		if err != nil {
			return 0, err
		}
	}
}

// lines writes text with \n at the end of every line.
type lines struct {
	out      *bufio.Writer // keeps its first error, which Flush returns
	size     int64
	isQuoted bool
	returned bool // the last byte was a \r outside quotes, for which a \n was written
}

func (l *lines) put(c byte) {
	skip := c == '\n' && l.returned
	if c == '"' {
		l.isQuoted = !l.isQuoted
	}
	l.returned = c == '\r' && !l.isQuoted
	if l.returned {
		c = '\n'
	}
	if !skip {
		l.out.WriteByte(c) //nolint:errcheck // Flush returns the error
		l.size++
	}
}
