package storage

import (
	"fmt"
	"slices"

	"rowback/storage/intake"
	"rowback/storage/schema"
)

// candidates are the types that text may turn out to be, the narrowest first. Text that would not come back the same
// (the postcode 01234) stays text.
var candidates = []schema.Type{
	schema.Of(schema.Null), schema.Of(schema.Bigint), schema.DecimalOf(38, 0), schema.Of(schema.Double),
	schema.DecimalOf(38, 2), schema.DecimalOf(38, 4), schema.DecimalOf(38, 9), schema.DecimalOf(38, 18), schema.DecimalOf(38, 28), schema.DecimalOf(38, 37),
	schema.Of(schema.Boolean), schema.Of(schema.Date), schema.Of(schema.Timestamp), schema.Of(schema.TimestampTZ),
}

// detects is the condition that a text reads as a value of a candidate type.
func detects(column string, t schema.Type) string {
	switch t.Name {
	case schema.Null:
		return "false"
	case schema.Bigint:
		return textFits(column, t)
	case schema.Decimal:
		if t.Scale == 0 {
			return fmt.Sprintf(`regexp_full_match(%s, '0|-?[1-9]\d{0,37}')`, column)
		}
		return fmt.Sprintf(`regexp_full_match(%s, '-?(0|[1-9]\d{0,%d})(\.\d{1,%d})?')`, column, t.Width-t.Scale-1, t.Scale)
	case schema.Double:
		return fmt.Sprintf(`(regexp_full_match(%[1]s, '-?(0|[1-9]\d*|)(\.\d+)?([eE][+-]?\d+)?') OR lower(%[1]s) IN ('nan', 'inf', '-inf')) AND %[2]s AND %[3]s`,
			column, fewDigits(column), textFits(column, t))
	case schema.Boolean:
		return fmt.Sprintf("lower(%s) IN ('true', 'false')", column)
	}
	return textFits(column, t)
}

// fewDigits is the condition that a number in text has no more digits than come back the same from a double. One with
// an exponent was a floating-point number before.
func fewDigits(column string) string {
	return fmt.Sprintf(`CASE WHEN length(%[1]s) <= 18 THEN true ELSE regexp_matches(%[1]s, '[eE]') OR length(regexp_replace(%[1]s, '^-?[0.]*|\.|0*$', '', 'g')) <= 17 END`, column)
}

// textFits is the condition that a text is a value of type t, written so that nothing of it is lost.
func textFits(column string, t schema.Type) string {
	can := fmt.Sprintf("TRY_CAST(%s AS %s) IS NOT NULL", column, t.SQL())
	switch {
	case t.Name == schema.Varchar:
		return "true"
	case t.Name == schema.Null:
		return "false"
	case t.IsInteger():
		return fmt.Sprintf("CAST(TRY_CAST(%s AS %s) AS VARCHAR) = %s", column, t.SQL(), column)
	case t.Name == schema.Double, t.Name == schema.Float: // an integer of so many digits may be none that it holds
		return fmt.Sprintf(`CASE WHEN NOT (%s) THEN false WHEN NOT regexp_full_match(%s, '[+-]?\d{7,}') THEN true
			ELSE TRY_CAST(TRY_CAST(%s AS %s) AS DECIMAL(38,0)) = TRY_CAST(%s AS DECIMAL(38,0)) END`, can, column, column, t.SQL(), column) // AND and OR do all of their parts
	case t.Name == schema.Decimal:
		return fmt.Sprintf(`regexp_full_match(%s, '[+-]?0*\d{0,%d}(\.\d{0,%d}0*)?') AND %s`, column, t.Width-t.Scale, t.Scale, can)
	case t.Name == schema.Date:
		return fmt.Sprintf(`regexp_full_match(%s, '\d{4,}-\d{2}-\d{2}') AND %s`, column, can)
	case t.Name == schema.Timestamp:
		return fmt.Sprintf(`regexp_full_match(%s, '\d{4,}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?') AND %s`, column, can)
	case t.Name == schema.TimestampNS:
		return fmt.Sprintf(`regexp_full_match(%s, '\d{4,}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?') AND %s`, column, can)
	case t.Name == schema.TimestampTZ:
		return fmt.Sprintf(`regexp_full_match(%s, '\d{4,}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?\s?(Z|[+-]\d{2}(:?\d{2})?)') AND %s`, column, can)
	case t.Name == schema.Blob: // base64, as exports write it
		return fmt.Sprintf(`regexp_full_match(%s, '([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?')`, column)
	case t.Nested():
		return fmt.Sprintf("TRY_CAST(TRY_CAST(%s AS JSON) AS %s) IS NOT NULL", column, t.SQL())
	}
	return can
}

// sampleRows is how many records are looked at first, to find the one type that the rest must be checked for.
const sampleRows = 10_000

// find names the types of offered columns: what the format says, or, for CSV, the first candidate that takes every
// value. A sample tells which that may be, one pass over all records whether it is.
func (f *fitting) find(offered []intake.Offered, columns []int) ([]schema.Type, error) {
	out := make([]schema.Type, len(columns))
	if len(columns) == 0 || f.upload.Format != intake.CSV {
		for k, i := range columns {
			out[k], _ = schema.Stored(offered[i].Type)
		}
		return out, nil
	}
	rows, err := f.firstOf(columns, out, sampleRows)
	if err != nil || rows < sampleRows {
		return out, err
	}
	var checks []test
	for k, i := range columns {
		checks = append(checks, test{i, detects(fmt.Sprintf("o%d", i), out[k])})
	}
	holds, _, err := f.hold(checks, 0)
	if err != nil || !slices.Contains(holds, false) {
		return out, err
	}
	_, err = f.firstOf(columns, out, 0)
	return out, err
}

// firstOf sets for each column the first candidate that takes all of its values in the first limit records.
func (f *fitting) firstOf(columns []int, out []schema.Type, limit int) (rows int64, err error) {
	var tests []test
	for _, i := range columns {
		for _, t := range candidates {
			tests = append(tests, test{i, detects(fmt.Sprintf("o%d", i), t)})
		}
	}
	holds, rows, err := f.hold(tests, limit)
	for k := range columns {
		out[k] = schema.Of(schema.Varchar)
		if i := slices.Index(holds[k*len(candidates):(k+1)*len(candidates)], true); i >= 0 {
			out[k] = candidates[i]
		}
	}
	return rows, err
}
