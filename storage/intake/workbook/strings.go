package workbook

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxStrings is the most memory that shared strings may take, in bytes; stringBytes is what one takes beside its text.
const (
	maxStrings  = 256 << 20
	stringBytes = 16
)

// readStrings reads the strings that cells refer to by number.
func (b *Book) readStrings() error {
	if _, ok := b.parts[textsPart]; !ok {
		return nil
	}
	d, err := b.open(textsPart)
	if err != nil {
		return err
	}
	defer d.close()
	size := 0
	for {
		t, err := d.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := t.(xml.StartElement); !ok || e.Name.Local != "si" {
			continue
		}
		text, err := d.richText()
		if err != nil {
			return err
		}
		if size += len(text) + stringBytes; size > maxStrings {
			return ErrLarge
		}
		b.strings = append(b.strings, text)
	}
}

// richText returns the text of an element that has it in t, or in the t of several r: the runs of one format each. What
// is in rPh says how to pronounce it.
func (d *document) richText() (string, error) {
	var out strings.Builder
	add := func() error {
		text, err := d.text()
		out.WriteString(text)
		return err
	}
	err := d.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "t":
			return add()
		case "r":
			return d.children(func(e xml.StartElement) error {
				if e.Name.Local == "t" {
					return add()
				}
				return nil
			})
		}
		return nil
	})
	return unescaped(out.String()), err
}

// escape is how a workbook has characters that XML can't have.
var escape = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`)

// unescaped returns a text with the characters that are escaped in it.
func unescaped(text string) string {
	if !strings.Contains(text, "_x") {
		return text
	}
	return escape.ReplaceAllStringFunc(text, func(code string) string {
		n, err := strconv.ParseUint(code[2:6], 16, 16)
		if err != nil || n == 0 || !utf8.ValidRune(rune(n)) {
			return code
		}
		return string(rune(n))
	})
}
