package intake

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
)

// A CSV in another encoding than UTF-8 is written again in that, before anything else looks at it. UTF-16 is recognized
// by its byte order mark; any other must be named, since a wrong guess would change texts unseen.

// codec returns the encoding with a name, or the one that the first bytes of a file have a mark of; nil is UTF-8.
func codec(name string, start []byte) (encoding.Encoding, error) {
	marked := bytes.HasPrefix(start, []byte("\xff\xfe")) || bytes.HasPrefix(start, []byte("\xfe\xff"))
	form := plainName(name)
	switch {
	case marked && (form == "" || strings.HasPrefix(form, "utf16")):
		return unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM), nil
	case form == "utf16" && len(start) > 0:
		return nil, malformed("the CSV has no byte order mark, so UTF-16 may be either of two. " +
			"Send encoding=utf-16le (most of them) or utf-16be")
	case slices.Contains(withinUTF8, form):
		return nil, nil
	}
	found := named(name)
	switch found {
	case nil:
		return nil, fmt.Errorf("no encoding %q", name)
	case unicode.UTF8, encoding.Nop:
		return nil, nil
	}
	return found, nil
}

// withinUTF8 are names of UTF-8, and of what is UTF-8 as well. To browsers, ASCII is windows-1252, which would make two
// characters of one in UTF-8.
var withinUTF8 = []string{"", "utf8sig", "ascii", "usascii"}

// plainName returns a name of an encoding without what separates its parts.
func plainName(name string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(strings.TrimSpace(name)))
}

// named returns the encoding that has a name, which may be written as Python does it: latin-1 is latin1 elsewhere.
func named(name string) encoding.Encoding {
	name = strings.ToLower(strings.TrimSpace(name))
	switch plain := plainName(name); plain {
	case "utf16le", "utf16be":
		name = "utf-" + plain[len("utf"):]
	}
	for _, name := range []string{name, plainName(name), strings.ReplaceAll(name, "_", "-")} {
		if e, err := ianaindex.IANA.Encoding(name); err == nil && e != nil {
			return e
		}
		if e, err := htmlindex.Get(name); err == nil {
			return e
		}
	}
	return nil
}

// decoded returns the upload in UTF-8: itself if it is in that.
func decoded(u Upload) (Upload, error) {
	in, err := os.Open(u.Path)
	if err != nil {
		return u, err
	}
	defer in.Close()
	start := make([]byte, 2)
	n, err := io.ReadFull(in, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return u, err
	}
	from, err := codec(u.Options.Encoding, start[:n])
	if err != nil || from == nil || u.Parts == "" {
		return u, err
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return u, err
	}
	if err := os.MkdirAll(u.Parts, 0o700); err != nil {
		return u, err
	}
	u.Path = partPath(u, "utf8")
	u.Size, err = decode(in, from, u.Path, u.Options.Encoding)
	return u, err
}

// decode writes what a file holds in UTF-8, and returns how many bytes that has.
func decode(in io.Reader, from encoding.Encoding, to, name string) (size int64, err error) {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	checked := &decodedText{out: bufio.NewWriterSize(out, 256<<10), name: name}
	size, err = io.Copy(checked, from.NewDecoder().Reader(bufio.NewReaderSize(in, 256<<10)))
	return size, errors.Join(err, checked.out.Flush())
}

// decodedText is decoded text on its way to a file. Decoders put a replacement character wherever the encoding has
// none.
type decodedText struct {
	out  *bufio.Writer
	name string
	line int
	last [2]byte // of what was written before
}

func (t *decodedText) Write(p []byte) (int, error) {
	whole := append(t.last[:], p...)
	if at := bytes.Index(whole, []byte("\ufffd")); at >= 0 {
		t.line += bytes.Count(whole[2:max(at, 2)], []byte{'\n'})
		return 0, malformed("line %d of the CSV has bytes that are not %s. Send the encoding that it has",
			t.line+1, cmp.Or(t.name, "utf-16"))
	}
	t.line += bytes.Count(p, []byte{'\n'})
	copy(t.last[:], whole[len(whole)-2:])
	return t.out.Write(p)
}

// notUTF8 is the error for a CSV that has a byte that can't be there in UTF-8.
func notUTF8(u Upload, at, line int64, found byte) error {
	remedy := "Send the encoding that it has: encoding=windows-1252 or latin-1 for most Western files"
	if u.Options.Encoding != "" {
		remedy = "Send the encoding that it has"
	}
	return malformed("the CSV is not UTF-8: byte %d, in line %d, is 0x%02x. %s", at+1, line, found, remedy)
}
