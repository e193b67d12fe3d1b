package workbook

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The most rows and columns that a sheet has.
const (
	MaxRows    = 1 << 20
	MaxColumns = 1 << 14
)

// Row is a row with its number, from 1, and those of its cells that have a value, in order.
type Row struct {
	Number int
	Cells  []Cell
}

// Rows calls each for every row of a sheet, in order. What it gets is valid until it returns.
func (b *Book) Rows(s Sheet, each func(Row) error) error {
	d, err := b.open(s.part)
	if err != nil {
		return err
	}
	defer d.close()
	r := rowReader{book: b, document: d}
	for {
		t, err := d.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := t.(xml.StartElement); ok && e.Name.Local == "row" {
			if err := r.read(e); err != nil {
				return err
			}
			if err := each(r.row); err != nil {
				return err
			}
		}
	}
}

// rowReader reads one row after the other.
type rowReader struct {
	*document
	book   *Book
	row    Row
	column int // of the last cell, from 1, with a value or without
}

// read reads the row that was just started.
func (r *rowReader) read(e xml.StartElement) error {
	number := r.row.Number + 1
	if text := attribute(e, "r"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < number || n > MaxRows {
			return fmt.Errorf("a row has the number %.20q after row %d", text, r.row.Number)
		}
		number = n
	}
	if number > MaxRows {
		return fmt.Errorf("it has more than %d rows", MaxRows)
	}
	r.row.Number, r.row.Cells, r.column = number, r.row.Cells[:0], 0
	return r.children(func(e xml.StartElement) error {
		if e.Name.Local != "c" {
			return nil
		}
		return r.cell(e)
	})
}

// cell reads the cell that was just started.
func (r *rowReader) cell(e xml.StartElement) error {
	raw := rawCell{kind: attribute(e, "t")}
	r.column++
	if ref := attribute(e, "r"); ref != "" {
		n := columnOf(strings.TrimRight(ref, "0123456789"))
		if n < r.column {
			return fmt.Errorf("row %d has the cell %.20q out of order", r.row.Number, ref)
		}
		r.column = n
	}
	if r.column > MaxColumns {
		return fmt.Errorf("row %d has more than %d columns", r.row.Number, MaxColumns)
	}
	if style, err := strconv.Atoi(attribute(e, "s")); err == nil && style >= 0 && style < len(r.book.formats) {
		raw.format = r.book.formats[style]
	}
	if err := r.content(&raw); err != nil {
		return err
	}
	cell := Cell{Column: r.column - 1}
	var err error
	if cell.Kind, cell.Text, err = r.book.value(raw); err != nil {
		return fmt.Errorf("cell %s %w", CellName(cell.Column, r.row.Number), err)
	}
	if cell.Kind != 0 {
		r.row.Cells = append(r.row.Cells, cell)
	}
	return nil
}

// content reads what is in a cell.
func (r *rowReader) content(raw *rawCell) error {
	return r.children(func(e xml.StartElement) (err error) {
		switch e.Name.Local {
		case "v":
			raw.text, err = r.text()
			raw.hasText = true
		case "is":
			raw.text, err = r.richText()
			raw.hasText = true
		case "f":
			raw.isFormula = true
		}
		return err
	})
}

// columnOf returns the number, from 1, of a column by its letters; 0 for others.
func columnOf(letters string) (n int) {
	for _, c := range strings.ToUpper(letters) {
		if c < 'A' || c > 'Z' || n > MaxColumns {
			return 0
		}
		n = n*26 + int(c-'A') + 1
	}
	return n
}

// ColumnName returns the letters of a column, which is numbered from 0.
func ColumnName(column int) (letters string) {
	for n := column + 1; n > 0; n = (n - 1) / 26 {
		letters = string(rune('A'+(n-1)%26)) + letters
	}
	return letters
}

// CellName returns the name of a cell, as B7.
func CellName(column, row int) string { return ColumnName(column) + strconv.Itoa(row) }
