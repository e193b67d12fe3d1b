package intake

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Options say what the format of an upload leaves open. The zero value has DuckDB's and Go's defaults: UTF-8, a
// separator that is found out, numbers with a point and dates as ISO 8601 has them.
type Options struct {
	Sheet string // of a workbook: the name of the sheet, or its number from 1

	Encoding  string   // of a CSV, as every other field: what its bytes are
	Delimiter string   // between two fields, one character of ASCII
	Quote     string   // around fields, one character of ASCII; a double quote by default
	Null      []string // texts without quotes that stand for no value, beside the empty one
	Form      Form
}

// Form is how the text of a CSV has numbers and moments. It is applied when text is read as a value of a type: in a
// column of text, it stays what it is.
type Form struct {
	Decimal   string // what stands before the fraction; a point by default
	Thousands string // what groups the digits before it; nothing by default
	Date      string // as DuckDB's strptime has it; ISO 8601 by default
	Timestamp string // the same
}

// OptionError is the refusal of an option, in the words of a parameter that has its name.
type OptionError struct{ Name, Why string }

func (e *OptionError) Error() string { return e.Name + " " + e.Why }

// Check refuses options that the format does not have, or whose values can't be; nil if there is no such one.
func (o Options) Check(f Format) *OptionError {
	for name, value := range o.named() {
		switch {
		case value == "" || f == formatOf(name):
		case name == "sheet":
			return &OptionError{name, "is for Excel workbooks, and the body is not one. Leave it out"}
		default:
			return &OptionError{name, "is for CSV, and the body is " + bodies[f] + ". Leave it out"}
		}
	}
	return o.checkValues()
}

// bodies are what messages call bodies of the formats that are not CSV.
var bodies = map[Format]string{
	"": "empty", Parquet: "Parquet", Arrow: "Arrow", JSON: "JSON", NDJSON: "NDJSON", XLSX: "an Excel workbook",
}

// formatOf returns the format that has an option.
func formatOf(option string) Format {
	if option == "sheet" {
		return XLSX
	}
	return CSV
}

// named returns the options by the names that they have everywhere.
func (o Options) named() map[string]string {
	return map[string]string{
		"sheet": o.Sheet, "encoding": o.Encoding, "delimiter": o.Delimiter, "quote": o.Quote,
		"null": strings.Join(o.Null, ","), "decimal": o.Form.Decimal, "thousands": o.Form.Thousands,
		"date_format": o.Form.Date, "timestamp_format": o.Form.Timestamp,
	}
}

// checkValues refuses values that can't be, or not together.
func (o Options) checkValues() *OptionError {
	if _, err := codec(o.Encoding, nil); err != nil {
		return &OptionError{"encoding", "is not one that is known. Use one such as utf-8, latin-1, windows-1252 or utf-16"}
	}
	for name, value := range map[string]string{"delimiter": o.Delimiter, "quote": o.Quote} {
		if value != "" && (len(value) != 1 || value[0] >= 0x80 || strings.Contains("\r\n\x00", value)) {
			return &OptionError{name, "must be one character of ASCII"}
		}
	}
	for _, text := range o.Null {
		if strings.ContainsAny(text, o.quote()+"\r\n\x00") {
			return &OptionError{"null", fmt.Sprintf("must not have quotes or line breaks; %q has", text)}
		}
	}
	for name, value := range map[string]string{"date_format": o.Form.Date, "timestamp_format": o.Form.Timestamp} {
		if len(value) > maxForm || strings.ContainsRune(value, 0) {
			return &OptionError{name, fmt.Sprintf("must have at most %d bytes and no NUL", maxForm)}
		}
		if value != "" && !strings.Contains(value, "%") {
			return &OptionError{name, "must be written with specifiers such as %d.%m.%Y or %Y-%m-%d %H:%M:%S"}
		}
	}
	switch {
	case o.Form.Decimal != "" && o.Form.Decimal != "," && o.Form.Decimal != ".":
		return &OptionError{"decimal", "must be a comma or a point"}
	case !slices.Contains(groupings, o.Form.Thousands):
		return &OptionError{"thousands", "must be a point, a comma, an apostrophe, a space or an underscore"}
	case o.Form.Thousands != "" && o.Form.Thousands == o.Form.decimal():
		return &OptionError{"thousands", fmt.Sprintf("must differ from decimal, which is %q", o.Form.decimal())}
	case o.Delimiter != "" && o.Delimiter == o.quote():
		return &OptionError{"quote", "must differ from delimiter"}
	}
	return nil
}

// maxForm is the longest form of a date, in bytes.
const maxForm = 200

// groupings are what may group digits. The last ones are spaces that do not break a line.
var groupings = []string{"", ".", ",", "'", "’", " ", "_", "\u00a0", "\u202f"}

func (f Form) decimal() string { return cmp.Or(f.Decimal, ".") }

func (o Options) quote() string { return cmp.Or(o.Quote, `"`) }

// isOwn reports whether numbers and moments are in another form than the one that is read by default.
func (f Form) isOwn() bool { return f != Form{} }
