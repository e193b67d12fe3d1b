package intake

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"unicode/utf8"
)

// DuckDB refuses a CSV whose lines do not all end the same way, as those do that were put together from several. Such a
// file is written again with \n at the end of each line; what is in quotes stays as it is.

// prepared returns the upload as this package and DuckDB read it: in UTF-8, with one line ending. It is itself if it
// is that already.
func prepared(u Upload) (Upload, error) {
	u, err := decoded(u)
	if err != nil {
		return u, err
	}
	mixed, err := survey(u)
	if err != nil || !mixed || u.Parts == "" {
		return u, err
	}
	if err := os.MkdirAll(u.Parts, 0o700); err != nil {
		return u, err
	}
	from := u.Path
	u.Path = partPath(u, "lines")
	u.Size, err = unifyLines(from, u.Path, u.Options.quote()[0])
	return u, err
}

// survey requires UTF-8, and reports whether a file has line breaks of several kinds, or carriage returns alone, quoted
// or not.
func survey(u Upload) (mixed bool, err error) {
	f, err := os.Open(u.Path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var s surveyor
	part, kept, read := make([]byte, 256<<10), 0, int64(0)
	for {
		n, err := f.Read(part[kept:])
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		text, isEnd := part[:kept+n], err != nil
		valid := validLength(text)
		s.add(text[:valid])
		if valid < len(text) && (isEnd || utf8.FullRune(text[valid:])) {
			return false, notUTF8(u, read+int64(valid), s.newlines+1, text[valid])
		}
		if isEnd {
			return s.isMixed(), nil
		}
		read += int64(valid)
		kept = copy(part, text[valid:])
	}
}

// validLength returns how much of a text is UTF-8: all, or up to what is not or is cut off at the end.
func validLength(text []byte) int {
	whole := len(text)
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		if at := len(text) - back; utf8.RuneStart(text[at]) {
			if !utf8.FullRune(text[at:]) {
				whole = at
			}
			break
		}
	}
	if utf8.Valid(text[:whole]) {
		return whole
	}
	at := 0
	for {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size < 2 {
			return at
		}
		at += size
	}
}

// surveyor counts line breaks.
type surveyor struct {
	returns, newlines, both int64
	last                    byte
}

func (s *surveyor) add(text []byte) {
	if len(text) == 0 {
		return
	}
	s.returns += int64(bytes.Count(text, []byte{'\r'}))
	s.newlines += int64(bytes.Count(text, []byte{'\n'}))
	s.both += int64(bytes.Count(text, []byte("\r\n")))
	if s.last == '\r' && text[0] == '\n' {
		s.both++
	}
	s.last = text[len(text)-1]
}

func (s *surveyor) isMixed() bool {
	return s.returns > 0 && (s.both != s.returns || s.both != s.newlines)
}

// unifyLines copies a CSV with \n at the end of every line, and returns its size in bytes.
func unifyLines(from, to string, quote byte) (size int64, err error) {
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
	l := lines{out: bufio.NewWriterSize(out, 256<<10), quote: quote}
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
	quote    byte
	size     int64
	isQuoted bool
	returned bool // the last byte was a \r outside quotes, for which a \n was written
}

func (l *lines) put(c byte) {
	skip := c == '\n' && l.returned
	if c == l.quote {
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
