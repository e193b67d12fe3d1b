package storage

import (
	"fmt"
	"strings"

	"rowback/storage/duck"
	"rowback/storage/intake"
	"rowback/storage/schema"
)

// candidates are the types that text may turn out to be, the narrowest first. Text that would not come back the same
// (the postcode 01234) stays text.
var candidates = []schema.Type{
	schema.Of(schema.Null), schema.Of(schema.Bigint), schema.DecimalOf(38, 0), schema.Of(schema.Double),
	schema.DecimalOf(38, 2), schema.DecimalOf(38, 4), schema.DecimalOf(38, 9), schema.DecimalOf(38, 18),
	schema.DecimalOf(38, 28), schema.DecimalOf(38, 37),
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

// sampleRows is how many records are looked at first, to find the one type that the rest must be checked for; of wide
// records fewer, so that there are not many more than sampleValues in all.
const (
	sampleRows   = 10_000
	leastSample  = 200
	sampleValues = 2_000_000
)

// find names the types of offered columns: what the format says, or, for CSV, the first candidate that takes every
// value. A sample reports which that may be, one pass over all records whether it is.
func (f *fitting) find(offered []intake.Offered, columns []int) ([]schema.Type, error) {
	out := make([]schema.Type, len(columns))
	if len(columns) == 0 || f.upload.Format != intake.CSV {
		for k, i := range columns {
			out[k], _ = schema.Stored(offered[i].Type)
		}
		return out, nil
	}
	sample := max(leastSample, min(sampleRows, sampleValues/len(columns)))
	found, rows, err := f.firstOfAll(columns, sample)
	if err != nil || rows < int64(sample) {
		return found, err
	}
	var checks []test
	for k, i := range columns {
		checks = append(checks, test{i, detects(fmt.Sprintf("o%d", i), found[k])})
	}
	holds, err := f.hold(checks)
	if err != nil {
		return nil, err
	}
	return found, f.findLate(columns, found, holds)
}

// findLate finds the types of the columns that the sample was wrong about, by all of their values.
func (f *fitting) findLate(columns []int, found []schema.Type, right []bool) error {
	var late, at []int
	for k, i := range columns {
		if !right[k] {
			late, at = append(late, i), append(at, k)
		}
	}
	if len(late) == 0 {
		return nil
	}
	whole, _, err := f.firstOfAll(late, 0)
	for k, typ := range whole {
		found[at[k]] = typ
	}
	return err
}

// firstOfAll is firstOf for any number of columns.
func (f *fitting) firstOfAll(columns []int, limit int) (found []schema.Type, rows int64, err error) {
	for part := range parts(columns, func(i int) int { return i }) {
		some, n, err := f.firstOf(part, limit)
		if err != nil {
			return nil, 0, err
		}
		found, rows = append(found, some...), max(rows, n)
	}
	return found, rows, nil
}

// firstOf finds for each column of text the first candidate that takes all of its values in the first limit records
// (0: all). The columns become rows first: the statement has one condition for each candidate, however many columns
// there are, and DuckDB plans it at once.
func (f *fitting) firstOf(columns []int, limit int) (found []schema.Type, rows int64, err error) {
	relation, release, err := f.records.Relation(f.ctx, f.conn, intake.Want{Columns: columns})
	if err != nil {
		return nil, 0, err
	}
	defer release()
	if limit > 0 {
		relation = fmt.Sprintf("%s LIMIT %d", relation, limit)
	}
	found = make([]schema.Type, len(columns))
	for k := range found {
		found[k] = candidates[0] // no record, no value
	}
	err = f.conn.Rows(f.ctx, firstQuery(columns, relation), func(scan duck.Scan) error {
		var column, first, n int64
		err := scan(&column, &first, &n)
		if err != nil {
			return err
		}
		rows = max(rows, n)
		found[column] = schema.Of(schema.Varchar)
		if first < int64(len(candidates)) {
			found[column] = candidates[first]
		}
		return nil
	})
	return found, rows, f.records.Explain(err)
}

// firstQuery is the SQL of firstOf: for each column, by its place in columns, the first candidate that takes all of its
// values (as many as there are candidates: none does), and the number of records.
func firstQuery(columns []int, relation string) string {
	names := make([]string, len(columns))
	for k, i := range columns {
		names[k] = fmt.Sprintf("o%d", i)
	}
	cases := make([]string, len(candidates))
	for i, t := range candidates {
		cases[i] = fmt.Sprintf("WHEN bool_and(v IS NULL OR coalesce(%s, false)) THEN %d", detects("v", t), i)
	}
	return duck.Fill(firstOf, duck.Parts{
		"cases": strings.Join(cases, " "), "none": len(candidates),
		"columns": strings.Join(names, ", "), "count": len(columns), "records": relation,
	})
}

const firstOf = `SELECT k, CASE {cases} ELSE {none} END, count(_n)
	FROM (SELECT unnest([{columns}]) AS v, unnest(range({count})) AS k, _n FROM ({records})) GROUP BY k`
