package cli

import (
	"net/url"
	"strings"
)

// writtenFlags say how files are written where their format leaves that open. The server knows what goes with what.
type writtenFlags struct {
	Sheet     string   `help:"Of an Excel workbook: the name of the sheet, or its number from 1. By default the first that is not hidden." group:"How files are written"`
	Encoding  string   `help:"Of a CSV, as all that follow: what its bytes are, such as windows-1252 or latin-1. UTF-8 by default." group:"How files are written"`
	Delimiter string   `help:"What separates fields. Found by the header by default." group:"How files are written"`
	Quote     string   `help:"What encloses fields. A double quote by default." group:"How files are written"`
	Decimal   string   `help:"What precedes the fraction of a number: . by default, or ," group:"How files are written"`
	Thousands string   `help:"What groups the digits of a number. Nothing by default." group:"How files are written"`
	Date      string   `name:"date-format" help:"How dates are written, as in %d.%m.%Y." group:"How files are written"`
	Timestamp string   `name:"timestamp-format" help:"The same for timestamps, as in '%d.%m.%Y %H:%M:%S'." group:"How files are written"`
	Null      []string `help:"Texts without quotes that stand for no value, beside the empty one." group:"How files are written"`
}

// set adds the flags that are given to a query.
func (f writtenFlags) set(query url.Values) {
	for name, value := range map[string]string{
		"sheet": f.Sheet, "encoding": f.Encoding, "delimiter": f.Delimiter, "quote": f.Quote, "decimal": f.Decimal,
		"thousands": f.Thousands, "date_format": f.Date, "timestamp_format": f.Timestamp,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	quoted := make([]string, len(f.Null))
	for i, text := range f.Null {
		quoted[i] = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
	}
	if len(quoted) > 0 {
		query.Set("null", strings.Join(quoted, ","))
	}
}
