// Package workbook reads Excel workbooks (.xlsx, ECMA-376) as a stream of rows. A cell has a kind and a text in one
// canonical form, so that what it is does not depend on how it is displayed. Nothing in a file is trusted: every part
// is read to its end, whose checksum shows that nothing is missing, and what is read at once is bounded. It knows
// nothing of records. workbook_test.go, FuzzWorkbook and fixtures/clients/test_workbooks.py, which compares with
// pandas, prove it.
package workbook

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strings"
)

// Book is an open workbook.
type Book struct {
	Sheets []Sheet

	parts    map[string]*zip.File // by name, in lower case
	from1904 bool                 // dates count from 1904 and not from 1900
	formats  []format             // by cell style
	strings  []string             // those that cells share
}

// Sheet is a worksheet, which has rows of cells.
type Sheet struct {
	Name     string
	IsHidden bool
	part     string
}

// Open reads all of a workbook but its rows.
func Open(r io.ReaderAt, size int64) (*Book, error) {
	archive, err := openZip(r, size)
	if err != nil {
		return nil, err
	}
	b := &Book{parts: map[string]*zip.File{}}
	for _, f := range archive.File {
		b.parts[partName(f.Name)] = f
	}
	if err := b.checkKind(); err != nil {
		return nil, err
	}
	if err := b.readSheets(); err != nil {
		return nil, err
	}
	if err := b.readFormats(); err != nil {
		return nil, err
	}
	return b, b.readStrings()
}

// The parts that are found by name.
const (
	bookPart   = "xl/workbook.xml"
	linksPart  = "xl/_rels/workbook.xml.rels"
	stylesPart = "xl/styles.xml"
	textsPart  = "xl/sharedstrings.xml"
)

// partName returns the name of a part as it is looked up: some programs write backslashes, or another case.
func partName(name string) string {
	return strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(name, `\`, "/"), "/"))
}

// checkKind requires the parts of a workbook, and says what the archive is if it is another kind of file.
func (b *Book) checkKind() error {
	if _, ok := b.parts[bookPart]; ok {
		return nil
	}
	for part, kind := range map[string]string{
		"xl/workbook.bin":      "a binary Excel workbook (.xlsb)",
		"word/document.xml":    "a Word document",
		"ppt/presentation.xml": "a PowerPoint presentation",
		"mimetype":             "an OpenDocument file (.ods or a similar one)",
	} {
		if _, ok := b.parts[part]; ok {
			return &Foreign{Is: kind}
		}
	}
	return &Foreign{Is: "a ZIP archive without an Excel workbook (.xlsx) in it", IsArchive: true}
}

// readSheets reads the list of sheets. Charts and macros, which are sheets to Excel, have no rows.
func (b *Book) readSheets() error {
	links, err := b.readLinks()
	if err != nil {
		return err
	}
	err = b.eachElement(bookPart, func(e xml.StartElement) error {
		switch e.Name.Local {
		case "workbookPr":
			b.from1904 = isTrue(attribute(e, "date1904"))
		case "sheet":
			to, ok := links[attribute(e, "id")]
			if !ok || !strings.HasSuffix(to.kind, "/worksheet") {
				return nil
			}
			state := attribute(e, "state")
			b.Sheets = append(b.Sheets, Sheet{
				Name: attribute(e, "name"), IsHidden: state == "hidden" || state == "veryHidden", part: to.part,
			})
		}
		return nil
	})
	if err == nil && len(b.Sheets) == 0 {
		return errors.New("it has no worksheet")
	}
	return err
}

// link is what the workbook refers to by an id.
type link struct{ kind, part string }

func (b *Book) readLinks() (map[string]link, error) {
	links := map[string]link{}
	err := b.eachElement(linksPart, func(e xml.StartElement) error {
		if e.Name.Local == "Relationship" {
			target := strings.ReplaceAll(attribute(e, "Target"), `\`, "/")
			if !strings.HasPrefix(target, "/") {
				target = path.Join("xl", target)
			}
			links[attribute(e, "Id")] = link{kind: attribute(e, "Type"), part: partName(target)}
		}
		return nil
	})
	return links, err
}

// Foreign is the error for a file that is not a workbook of this kind.
type Foreign struct {
	Is        string // what it is
	IsArchive bool   // with other files in it
}

func (e *Foreign) Error() string { return "it is " + e.Is }

// ErrLarge is the error for a workbook of which too much would have to be kept in memory.
var ErrLarge = errors.New("its texts take more memory than one upload may have")

// oldMagic begins the container of Excel 97 to 2003, in which encrypted workbooks lie too.
const oldMagic = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

// zipMagic begins every archive that has files in it.
const zipMagic = "PK\x03\x04"

// Recognize reports whether a file may be a workbook, or an older one, by its first bytes.
func Recognize(start []byte) bool {
	return strings.HasPrefix(string(start), zipMagic) || strings.HasPrefix(string(start), oldMagic)
}

// openZip opens the archive that a workbook is.
func openZip(r io.ReaderAt, size int64) (*zip.Reader, error) {
	start := make([]byte, len(oldMagic))
	if _, err := r.ReadAt(start, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if string(start) == oldMagic {
		return nil, &Foreign{Is: "an old Excel workbook (.xls), or one that is protected by a password"}
	}
	archive, err := zip.NewReader(r, size)
	if errors.Is(err, zip.ErrFormat) {
		return nil, errors.New("it is not an .xlsx file, or the end of it is missing")
	}
	return archive, err
}
