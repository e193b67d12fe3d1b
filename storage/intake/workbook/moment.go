package workbook

import (
	"math"
	"time"
)

// The days on which the two date systems begin. In the first, day 60 is February 29, 1900, which there was not: the
// days before it count from one day later.
var (
	start1900 = time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	start1904 = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
)

const (
	leapDay = 60
	dayMS   = 24 * 60 * 60 * 1000
	lastDay = 2_958_465 // December 31, 9999, by the first system
)

// moment returns a number of days as the date or time that its format displays. Excel keeps milliseconds. ok is false
// for a number that is not a date, which Excel does not display as one either.
func (b *Book) moment(days float64, f format) (kind Kind, text string, ok bool) {
	ms := int64(math.Round(days * dayMS))
	if days < 0 || days > lastDay+1 || !f.hasDate && !f.hasClock {
		return 0, "", false
	}
	day, clock := ms/dayMS, time.Duration(ms%dayMS)*time.Millisecond
	if !f.hasDate && day == 0 {
		return Clock, time.Time{}.Add(clock).Format("15:04:05.999"), true
	}
	start := start1900
	switch {
	case b.from1904:
		start = start1904
	case day < leapDay:
		start = start.AddDate(0, 0, 1)
	}
	at := start.AddDate(0, 0, int(day)).Add(clock)
	if at.Year() > 9999 {
		return 0, "", false
	}
	if clock == 0 && !f.hasClock {
		return Date, at.Format(time.DateOnly), true
	}
	return Moment, at.Format("2006-01-02 15:04:05.999"), true
}

// isoForms are the forms of dates that are written as text.
var isoForms = []struct {
	layout string
	kind   Kind
	form   string
}{
	{time.DateOnly, Date, time.DateOnly},
	{"2006-01-02T15:04:05.999999999Z07:00", Moment, "2006-01-02 15:04:05.999999"},
	{"2006-01-02T15:04:05.999999999", Moment, "2006-01-02 15:04:05.999999"},
	{"2006-01-02T15:04", Moment, "2006-01-02 15:04:05"},
	{"15:04:05.999999999", Clock, "15:04:05.999999"},
}

// isoMoment reads a date that is written as text.
func isoMoment(text string) (kind Kind, canonical string, ok bool) {
	for _, f := range isoForms {
		if at, err := time.Parse(f.layout, text); err == nil {
			return f.kind, at.UTC().Format(f.form), true
		}
	}
	return 0, "", false
}
