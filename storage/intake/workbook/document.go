package workbook

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits on one part: its size when decompressed, and what is read for one token of it, in bytes.
const (
	maxPart  = 4 << 30
	maxToken = 64 << 20
)

var (
	errPart    = fmt.Errorf("a part of it has more than %d bytes when decompressed", int64(maxPart))
	errToken   = fmt.Errorf("a part of it has a text or an element of more than %d bytes", maxToken)
	errCut     = errors.New("a part of it ends before it is complete")
	errPrivate = errors.New("it is protected by a password")
)

// document is the XML of one part. Names are compared without their prefixes.
type document struct {
	xml   *xml.Decoder
	body  *bounded
	depth int // of open elements
}

// open opens a part.
func (b *Book) open(part string) (*document, error) {
	f, ok := b.parts[part]
	if !ok {
		return nil, fmt.Errorf("its part %s is missing", part)
	}
	if f.Flags&1 != 0 {
		return nil, errPrivate
	}
	body, err := f.Open()
	if err != nil {
		return nil, err
	}
	bound := &bounded{ReadCloser: body, left: maxPart}
	return &document{xml: xml.NewDecoder(bound), body: bound}, nil
}

func (d *document) close() { _ = d.body.Close() } // it was only read

// next returns the next start, end or text; io.EOF at the end of a complete part.
func (d *document) next() (xml.Token, error) {
	for {
		d.body.token = maxToken
		t, err := d.xml.RawToken()
		if err != nil {
			return nil, d.failure(err)
		}
		switch t.(type) {
		case xml.StartElement:
			d.depth++
			return t, nil
		case xml.EndElement:
			d.depth--
			return t, nil
		case xml.CharData:
			return t, nil
		}
	}
}

// failure returns the error of a reading: the decoder ends quietly between two elements, whichever are open.
func (d *document) failure(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) && d.depth != 0 {
		return errCut
	}
	return err
}

// bounded is the decompressed body of a part.
type bounded struct {
	io.ReadCloser
	left  int64 // bytes that the part may still have
	token int   // bytes that may be read for the current token
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errPart
	}
	if b.token <= 0 {
		return 0, errToken
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	b.token -= n
	return n, err
}

// eachElement calls f for each element of a part.
func (b *Book) eachElement(part string, f func(xml.StartElement) error) error {
	d, err := b.open(part)
	if err != nil {
		return err
	}
	defer d.close()
	for {
		t, err := d.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := t.(xml.StartElement); ok {
			if err := f(e); err != nil {
				return err
			}
		}
	}
}

// children calls f for each element directly in the one that was just started, up to its end. f reads the element to
// its end, if anything.
func (d *document) children(f func(xml.StartElement) error) error {
	outer := d.depth - 1
	for {
		t, err := d.next()
		if err != nil {
			return end(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if d.depth == outer+2 {
				if err := f(t); err != nil {
					return err
				}
			}
		case xml.EndElement:
			if d.depth == outer {
				return nil
			}
		}
	}
}

// text returns the text of the element that was just started, up to its end.
func (d *document) text() (string, error) {
	outer := d.depth - 1
	var out strings.Builder
	for {
		t, err := d.next()
		if err != nil {
			return "", end(err)
		}
		switch t := t.(type) {
		case xml.CharData:
			if out.Len()+len(t) > maxToken {
				return "", errToken
			}
			out.Write(t)
		case xml.EndElement:
			if d.depth == outer {
				return out.String(), nil
			}
		}
	}
}

// end returns the error for a part that ends in an element: more ends than starts may hide that.
func end(err error) error {
	if errors.Is(err, io.EOF) {
		return errCut
	}
	return err
}

// attribute returns an attribute by its name without a prefix; empty if there is none.
func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func isTrue(text string) bool { return text == "1" || text == "true" || text == "on" }
