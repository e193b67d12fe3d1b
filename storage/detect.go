package storage

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// candidate is a type that text may turn out to be.
type candidate struct {
	schema.Type
	written string // of keys: the SQL of the one text that stands for a value
}

// candidates are in order, the narrowest first. Text that would not come back the same (the postcode 01234) stays text.
// Timestamps are in the list twice: as SQL writes them, and as exports and others do.
var candidates = []candidate{
	{schema.Of(schema.Null), asSQL}, {schema.Of(schema.Bigint), asSQL}, {schema.DecimalOf(38, 0), asSQL},
	{schema.Of(schema.Double), asSQL}, {schema.DecimalOf(38, 2), asSQL}, {schema.DecimalOf(38, 4), asSQL},
	{schema.DecimalOf(38, 9), asSQL}, {schema.DecimalOf(38, 18), asSQL}, {schema.DecimalOf(38, 28), asSQL},
	{schema.DecimalOf(38, 37), asSQL}, {schema.Of(schema.Boolean), asSQL}, {schema.Of(schema.Date), asSQL},
	{schema.Of(schema.Timestamp), asSQL}, {schema.Of(schema.Timestamp), asRFC3339},
	{schema.Of(schema.TimestampTZ), withOffset}, {schema.Of(schema.TimestampTZ), asRFC3339},
}

// The forms of values in keys.
const (
	asSQL      = `CAST({value} AS VARCHAR)`
	withOffset = `regexp_replace(CAST({value} AS VARCHAR), '\+00$', '+00:00')` // as pandas writes UTC
	asRFC3339  = `regexp_replace(replace(CAST({value} AS VARCHAR), ' ', 'T'), '\+00$', 'Z')`
)

// typeOf returns the type of a candidate, by its place in the list; VARCHAR for the place after the last.
func typeOf(i int) schema.Type {
	if i == len(candidates) {
		return schema.Of(schema.Varchar)
	}
	return candidates[i].Type
}

// detects is the condition that a text reads as a value of a candidate type. column is SQL, and so is the result; it
// may be null for a null.
func detects(column string, t schema.Type) string {
	switch t.Name {
	case schema.Null:
		return "false"
	case schema.Bigint:
		return textFits(column, t)
	case schema.Decimal:
		if t.Scale == 0 {
			return duck.Fill(detectsWhole, duck.Parts{"text": column})
		}
		return duck.Fill(detectsDecimal, duck.Parts{"text": column, "whole": t.Width - t.Scale - 1, "places": t.Scale})
	case schema.Double:
		return duck.Fill(detectsDouble, duck.Parts{"text": column, "fits": textFits(column, t)})
	case schema.Boolean:
		return duck.Fill(detectsBoolean, duck.Parts{"text": column})
	}
	return textFits(column, t)
}

// detectsKey is detects for a column of the key: texts that are different must not become the same value, as the codes
// 1.1 and 1.10 would, and the timestamps 2024-01-01 00:00 and 2024-01-01 00:00:00. So all must be written in one way.
// Other columns may lose how their values were written; a key would lose records.
func detectsKey(column string, i int) string {
	if i == len(candidates) {
		return "true"
	}
	value := "TRY_CAST(" + column + " AS " + candidates[i].SQL() + ")"
	return detects(column, typeOf(i)) + " AND " +
		duck.Fill(candidates[i].written, duck.Parts{"value": value}) + " = " + column
}

// How numbers and truths are written that no one would take for text: without a zero in front, or a plus. A double has
// no more digits than come back the same from one (17), unless it has an exponent: then it was a floating-point number
// before.
const (
	detectsWhole   = `regexp_full_match({text}, '0|-?[1-9]\d{0,37}')`
	detectsDecimal = `regexp_full_match({text}, '-?(0|[1-9]\d{0,{whole}})(\.\d{1,{places}})?')`
	detectsDouble  = `(regexp_full_match({text}, '-?(0|[1-9]\d*|)(\.\d+)?([eE][+-]?\d+)?')
			OR lower({text}) IN ('nan', 'inf', '-inf'))
		AND CASE
			WHEN length({text}) <= 18 THEN true
			ELSE regexp_matches({text}, '[eE]')
				OR length(regexp_replace({text}, '^-?[0.]*|\.|0*$', '', 'g')) <= 17 END
		AND {fits}`
	detectsBoolean = `lower({text}) IN ('true', 'false')`
)

// sampleRows is how many records are looked at first, to find the one type that the rest must be checked for; of wide
// records fewer, so that there are not many more than a tenth of sampleValues in all. Of the columns for which that was
// too few, as many are looked at as have sampleValues.
const (
	sampleRows   = 10_000
	leastSample  = 200
	sampleValues = 2_000_000
)

// find names the types of offered columns: what the format says, or, for CSV, the first candidate that takes every
// value. A sample reports which that may be, one pass over all records whether it is. What the stored types decide is
// not asked here (byValues).
func (f *fitting) find(offered []intake.Offered, columns []int) ([]schema.Type, error) {
	out := make([]schema.Type, len(columns))
	if len(columns) == 0 || f.upload.Format != intake.CSV {
		for k, i := range columns {
			out[k], _ = schema.Stored(offered[i].Type)
		}
		return out, nil
	}
	if intake.LongOf(f.records) != "" {
		found, _, err := f.firstOf(columns, 0)
		return typesOf(found), err
	}
	found, err := f.findInSamples(columns)
	return typesOf(found), err
}

// findInSamples finds the candidate of each column. The first records name it; one pass over all says whether it holds,
// which is cheaper than finding: one condition for each column instead of one for each candidate. Columns of which it
// does not hold, which is rare, are found by more records, and in the end by all.
func (f *fitting) findInSamples(columns []int) ([]int, error) {
	found, late, seen := make([]int, len(columns)), numbers(len(columns)), 0
	for _, values := range []int{sampleValues / 10, sampleValues} {
		sample := max(leastSample, min(sampleRows, values/len(late)))
		if sample <= seen {
			continue
		}
		seen = sample
		rows, err := f.findLate(columns, late, found, sample)
		if err != nil || rows < int64(sample) {
			return found, err
		}
		if late, err = f.wrong(columns, late, found); err != nil || len(late) == 0 {
			return found, err
		}
	}
	_, err := f.findLate(columns, late, found, 0)
	return found, err
}

// numbers are those below n.
func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// wrong returns those of some columns, by their places in columns, whose candidate does not take all of their values.
func (f *fitting) wrong(columns, of, found []int) (late []int, err error) {
	checks := make([]test, len(of))
	for n, k := range of {
		i := columns[k]
		column := canonical(f.upload.Options.Form, fmt.Sprintf("o%d", i), typeOf(found[k]))
		condition := detects(column, typeOf(found[k]))
		if f.key[i] {
			condition = detectsKey(column, found[k])
		}
		checks[n] = test{column: i, condition: condition}
	}
	holds, err := f.hold(checks)
	if err != nil {
		return nil, err
	}
	for n, k := range of {
		if !holds[n] {
			late = append(late, k)
		}
	}
	return late, nil
}

func typesOf(candidates []int) []schema.Type {
	types := make([]schema.Type, len(candidates))
	for k, i := range candidates {
		types[k] = typeOf(i)
	}
	return types
}

// findLate finds the candidates of some columns, by their places in columns, in the first limit records (0: all). It
// returns how many records were looked at.
func (f *fitting) findLate(columns, late, found []int, limit int) (rows int64, err error) {
	asked := make([]int, len(late))
	for n, k := range late {
		asked[n] = columns[k]
	}
	first, rows, err := f.firstOfAll(asked, limit)
	for n, i := range first {
		found[late[n]] = i
	}
	return rows, err
}

// firstOfAll is firstOf for any number of columns.
func (f *fitting) firstOfAll(columns []int, limit int) (found []int, rows int64, err error) {
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
func (f *fitting) firstOf(columns []int, limit int) (found []int, rows int64, err error) {
	values, release, err := f.values(columns, limit)
	if err != nil {
		return nil, 0, err
	}
	defer release()
	found = make([]int, len(columns)) // the first: no record, no value
	at := map[int64]int{}
	for k, i := range columns {
		at[int64(i)] = k
	}
	err = f.conn.Rows(f.ctx, f.firstQuery(columns, values), func(scan duck.Scan) error {
		var column, first, n int64
		err := scan(&column, &first, &n)
		if err != nil {
			return err
		}
		rows = max(rows, n)
		if k, asked := at[column]; asked {
			found[k] = int(first)
		}
		return nil
	})
	return found, rows, f.records.Explain(err)
}

// firstQuery is the SQL of firstOf: for each column, by its index, the first candidate that takes all of its values (as
// many as there are candidates: none does), and the number of records.
func (f *fitting) firstQuery(columns []int, values string) string {
	var isKey []string
	for _, i := range columns {
		if f.key[i] {
			isKey = append(isKey, strconv.Itoa(i))
		}
	}
	cases := make([]string, len(candidates))
	for i, c := range candidates {
		text := canonical(f.upload.Options.Form, "v", c.Type)
		condition := detects(text, c.Type)
		if len(isKey) > 0 {
			condition = fmt.Sprintf("CASE WHEN k IN (%s) THEN %s ELSE %s END",
				strings.Join(isKey, ", "), detectsKey(text, i), condition)
		}
		cases[i] = fmt.Sprintf("WHEN bool_and(v IS NULL OR coalesce(%s, false)) THEN %d", condition, i)
	}
	return duck.Fill(firstOf, duck.Parts{
		"cases": strings.Join(cases, " "), "none": len(candidates), "values": values,
	})
}

const firstOf = `SELECT k, CASE {cases} ELSE {none} END, count(_n) FROM ({values}) GROUP BY k`
