package workbook

import (
	"encoding/xml"
	"regexp"
	"strconv"
	"strings"
)

// format is what a number format says of the numbers that have it. One with neither is a number; a duration, such as
// [h]:mm, is a number of days.
type format struct {
	hasDate  bool
	hasClock bool
}

// readFormats reads which cell styles make dates and times of numbers.
func (b *Book) readFormats() error {
	if _, ok := b.parts[stylesPart]; !ok {
		return nil
	}
	own := map[int]format{}
	inCells := false
	return b.eachElement(stylesPart, func(e xml.StartElement) error {
		id, _ := strconv.Atoi(attribute(e, "numFmtId"))
		switch e.Name.Local {
		case "numFmt":
			own[id] = formatOf(attribute(e, "formatCode"))
		case "cellXfs":
			inCells = true
		case "cellStyles", "cellStyleXfs", "dxfs":
			inCells = false
		case "xf":
			if inCells {
				f, ok := own[id]
				if !ok {
					f = builtIn(id)
				}
				b.formats = append(b.formats, f)
			}
		}
		return nil
	})
}

// builtIn returns the format with a number that the standard gives a meaning (ECMA-376, part 1, 18.8.30). Which of date
// and clock some of the East Asian ones have depends on the language; the values tell.
func builtIn(id int) format {
	switch {
	case id >= 14 && id <= 17, id >= 27 && id <= 31, id == 36, id >= 50 && id <= 54, id == 57, id == 58:
		return format{hasDate: true}
	case id == 22:
		return format{hasDate: true, hasClock: true}
	case id >= 18 && id <= 21, id >= 32 && id <= 35, id == 45, id == 47, id == 55, id == 56:
		return format{hasClock: true}
	}
	return format{}
}

// What of a format's code is not a part of a date: texts, escaped characters, spaces as wide as a character, fillers,
// colors, conditions and languages.
var literals = regexp.MustCompile(`"[^"]*"?|[\\_*].|\[[^\]]*\]?`)

// elapsed matches durations, which may have more than 24 hours.
var elapsed = regexp.MustCompile(`(?i)\[(h+|m+|s+)\]`)

// formatOf returns the format with a code. Its first section, for positive numbers, counts.
func formatOf(code string) format {
	if elapsed.MatchString(code) {
		return format{}
	}
	code, _, _ = strings.Cut(literals.ReplaceAllString(code, ""), ";")
	code = strings.ToLower(code)
	if strings.Contains(code, "general") || strings.ContainsAny(code, "#?") {
		return format{}
	}
	f := format{hasClock: strings.ContainsAny(code, "hs"), hasDate: strings.ContainsAny(code, "yd")}
	if strings.Contains(code, "m") && !f.hasClock {
		f.hasDate = true // months, and not minutes
	}
	return f
}
