package workbook

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Kind is what a cell has. Kinds are bits, so that those of a column may be gathered.
type Kind int

// The kinds.
const (
	Text    Kind = 1 << iota
	Whole        // a whole number that is exactly a double
	Large        // a whole number that is not, but fits 64 bits
	Real         // any other number
	Bool         // true or false
	Date         // 2006-01-02
	Moment       // 2006-01-02 15:04:05.999
	Clock        // 15:04:05.999
	Fault        // an error of the formula, as #N/A
	Pending      // a formula whose result is not stored
)

// Cell is a cell with a value. A formula has the result that was stored with it.
type Cell struct {
	Column int // from 0
	Kind   Kind
	Text   string // the value in the form that its kind has
}

// rawCell is a cell as it is stored.
type rawCell struct {
	kind      string // the attribute t
	text      string
	hasText   bool
	isFormula bool
	format    format
}

// value returns what a stored cell is; no kind for one without a value. An empty text counts as missing: formulas
// return it for want of one.
func (b *Book) value(raw rawCell) (Kind, string, error) {
	if !raw.hasText {
		if raw.isFormula {
			return Pending, "", nil
		}
		return 0, "", nil
	}
	switch raw.kind {
	case "s":
		text, err := b.shared(raw.text)
		return textKind(text), text, err
	case "inlineStr":
		return textKind(raw.text), raw.text, nil
	case "str":
		text := unescaped(raw.text)
		return textKind(text), text, nil
	}
	raw.text = trimmed(raw.text)
	switch {
	case raw.text == "" && raw.isFormula:
		return Pending, "", nil
	case raw.text == "":
		return 0, "", nil
	}
	switch raw.kind {
	case "", "n":
		return b.number(raw)
	case "b":
		return Bool, strconv.FormatBool(isTrue(raw.text)), nil
	case "d":
		if kind, text, ok := isoMoment(raw.text); ok {
			return kind, text, nil
		}
		return Text, raw.text, nil
	case "e":
		return Fault, raw.text, nil
	}
	return 0, "", fmt.Errorf("has the unknown type %.20q", raw.kind)
}

// trimmed returns a value that is not text without the space around it, which has no meaning in XML.
func trimmed(text string) string { return strings.Trim(text, " \t\r\n") }

func textKind(text string) Kind {
	if text == "" {
		return 0
	}
	return Text
}

// shared returns a shared string by its number.
func (b *Book) shared(text string) (string, error) {
	n, err := strconv.Atoi(trimmed(text))
	if err != nil || n < 0 || n >= len(b.strings) {
		return "", fmt.Errorf("refers to the shared text %.20q, which there is not", text)
	}
	return b.strings[n], nil
}

// numeral matches numbers as a workbook has them.
var numeral = regexp.MustCompile(`^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$`)

// maxExact is the number below which every whole number is exactly a double.
const maxExact = 1 << 53

// number reads a number, or the date that its format makes of it.
func (b *Book) number(raw rawCell) (Kind, string, error) {
	n, err := strconv.ParseFloat(raw.text, 64)
	if !numeral.MatchString(raw.text) || err != nil && !errors.Is(err, strconv.ErrRange) || math.IsInf(n, 0) {
		return 0, "", fmt.Errorf("has %.40q where a number should be", raw.text)
	}
	if kind, text, ok := b.moment(n, raw.format); ok {
		return kind, text, nil
	}
	if n == math.Trunc(n) && math.Abs(n) < maxExact {
		return Whole, strconv.FormatInt(int64(n), 10), nil
	}
	if exact, err := strconv.ParseInt(raw.text, 10, 64); err == nil {
		return Large, strconv.FormatInt(exact, 10), nil
	}
	return Real, strconv.FormatFloat(n, 'g', -1, 64), nil
}
