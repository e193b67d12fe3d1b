package intake

import (
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/rowback/rowback/storage/schema"
)

// Dates and moments arrive as text in JSON and CSV. Those in the plain form below are converted here, to the value that
// DuckDB's cast gives them; a column with any other text is left to DuckDB.
//
//	DATE          2026-01-31
//	TIMESTAMP     2026-01-31T10:00:00, also with a space for the T, and with up to six digits of a fraction
//	TIMESTAMPTZ   the same, followed by Z or an offset such as +01:00

// plainDate converts a date to days since 1970.
func plainDate(text string) (days arrow.Date32, ok bool) {
	t, err := time.Parse(time.DateOnly, text)
	return arrow.Date32FromTime(t), err == nil && len(text) == len(time.DateOnly) && hasYear(text)
}

// plainMoment converts a moment without a zone to microseconds since 1970.
func plainMoment(text string) (micros arrow.Timestamp, ok bool) {
	if !isPlainMoment(text) {
		return 0, false
	}
	t, err := time.Parse("2006-01-02T15:04:05", text[:10]+"T"+text[11:])
	return arrow.Timestamp(t.UnixMicro()), err == nil
}

// plainZoned converts a moment with a zone to microseconds since 1970 in UTC.
func plainZoned(text string) (micros arrow.Timestamp, ok bool) {
	local, zoned := strings.CutSuffix(text, "Z")
	if at := len(text) - len("+00:00"); !zoned && at > 0 && (text[at] == '+' || text[at] == '-') && text[at+3] == ':' {
		local, zoned = text[:at], true
	}
	if !zoned || !isPlainMoment(local) {
		return 0, false
	}
	t, err := time.Parse("2006-01-02T15:04:05Z07:00", text[:10]+"T"+text[11:])
	// Beyond this, DuckDB refuses an offset that Go takes.
	_, offset := t.Zone()
	return arrow.Timestamp(t.UnixMicro()), err == nil && offset > -15*3600 && offset < 15*3600
}

// isPlainMoment reports whether a text has the separators of the plain form in their places. time.Parse is lenient
// about them: it takes hours of one digit, a comma before the fraction, and any number of digits after it.
func isPlainMoment(text string) bool {
	const whole, micros = len("2026-01-31T10:00:00"), len("2026-01-31T10:00:00.000000")
	if len(text) != whole && (len(text) < whole+2 || len(text) > micros || text[whole] != '.') {
		return false
	}
	return (text[10] == 'T' || text[10] == ' ') && text[13] == ':' && text[16] == ':' && hasYear(text)
}

// hasYear reports whether a date has a year that DuckDB knows: there is none before 1.
func hasYear(text string) bool { return !strings.HasPrefix(text, "0000") }

// forms is which of the plain forms the texts that were seen do not all have.
type forms struct{ notDates, notMoments, notZoned bool }

// see adds one text.
func (f *forms) see(text string) {
	if f.notDates && f.notMoments && f.notZoned {
		return // most texts are no dates, which the first of them shows
	}
	_, date := plainDate(text)
	_, moment := plainMoment(text)
	_, zoned := plainZoned(text)
	f.notDates, f.notMoments, f.notZoned = f.notDates || !date, f.notMoments || !moment, f.notZoned || !zoned
}

// are reports whether all texts have the plain form of a type.
func (f *forms) are(t schema.Type) bool {
	switch t.Name {
	case schema.Date:
		return !f.notDates
	case schema.Timestamp:
		return !f.notMoments
	case schema.TimestampTZ:
		return !f.notZoned
	}
	return false
}
