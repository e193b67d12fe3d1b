package storage

import (
	"cmp"
	"regexp"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// canonical is the SQL of a text of an upload in the form in which it is read as type t: the column itself, unless the
// upload has numbers or moments of t in a form of its own. Then it is NULL for texts that are not in that form.
func canonical(f intake.Form, column string, t schema.Type) string {
	switch {
	case t.IsNumber() && (f.Decimal != "" || f.Thousands != ""):
		return duck.Fill(canonicalNumber, duck.Parts{
			"text": column, "pattern": duck.Text(numberPattern(f)), "thousands": duck.Text(f.Thousands),
			"decimal": duck.Text(cmp.Or(f.Decimal, ".")),
		})
	case t.Name == schema.Date && f.Date != "":
		return duck.Fill(canonicalDate, duck.Parts{"text": column, "format": duck.Text(f.Date)})
	case t.IsMoment() && t.Name != schema.Date && f.Timestamp != "":
		return duck.Fill(canonicalMoment, duck.Parts{"text": column, "format": duck.Text(f.Timestamp)})
	case f.Date != "" && (t.IsMoment() || t.Name == schema.TimestampTZ):
		return duck.Fill(moreThanDate, duck.Parts{"text": column})
	}
	return column
}

// numberPattern matches numbers of a form: their digits are grouped throughout, or not at all.
func numberPattern(f intake.Form) string {
	whole := `\d+`
	if f.Thousands != "" {
		whole = `(\d+|[1-9]\d{0,2}(` + regexp.QuoteMeta(f.Thousands) + `\d{3})+)`
	}
	decimal := regexp.QuoteMeta(cmp.Or(f.Decimal, "."))
	return `-?(` + whole + `(` + decimal + `\d+)?|` + decimal + `\d+)([eE][+-]?\d+)?`
}

// The number is not a number where the pattern does not match; the names of those that are none stay what they are. A
// date whose format has a clock in it is one at midnight. Where dates have a format of their own, a date as ISO 8601
// has it is not a timestamp either: it might be read the wrong way round.
const (
	canonicalNumber = `CASE WHEN regexp_full_match({text}, {pattern})
			THEN replace(replace({text}, {thousands}, ''), {decimal}, '.')
		WHEN lower({text}) IN ('nan', 'inf', '-inf') THEN {text} END`
	canonicalDate = `CASE WHEN try_strptime({text}, {format}) = CAST(try_strptime({text}, {format}) AS DATE)
		THEN CAST(CAST(try_strptime({text}, {format}) AS DATE) AS VARCHAR) END`
	canonicalMoment = `CAST(try_strptime({text}, {format}) AS VARCHAR)`
	moreThanDate    = `CASE WHEN length({text}) > 10 THEN {text} END`
)
