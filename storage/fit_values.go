package storage

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// test is a condition on the values of one offered column. An error, as a cast of parts may end in, says that it does
// not hold.
type test struct {
	column    int
	condition string
	onText    string // the same condition on v, a text of a CSV; empty where the values are none
}

// hold reports for each test whether it holds for every value that is not null.
func (f *fitting) hold(tests []test) (holds []bool, err error) {
	if holds, ok, err := f.holdLong(tests); ok || err != nil {
		return holds, err
	}
	for part := range parts(tests, func(t test) int { return t.column }) {
		found, err := f.holdPart(part)
		if err != nil {
			return nil, err
		}
		holds = append(holds, found...)
	}
	return holds, nil
}

// holdPart does so in one statement, or, where a test ends in an error, in statements with half of the tests each.
func (f *fitting) holdPart(tests []test) ([]bool, error) {
	holds, err := f.holdAll(tests)
	switch {
	case !duck.IsConversion(err):
		return holds, f.records.Explain(err)
	case len(tests) == 1:
		return []bool{false}, nil
	}
	half := len(tests) / 2
	first, err := f.holdPart(tests[:half])
	if err != nil {
		return nil, err
	}
	rest, err := f.holdPart(tests[half:])
	return append(first, rest...), err
}

// holdAll runs the tests as one statement: an upload is read once for all of them.
func (f *fitting) holdAll(tests []test) (holds []bool, err error) {
	holds = make([]bool, len(tests))
	var want intake.Want
	for k, t := range tests {
		if holds[k] = t.condition == "true"; !holds[k] && !slices.Contains(want.Columns, t.column) {
			want.Columns = append(want.Columns, t.column)
		}
	}
	if len(want.Columns) == 0 {
		return holds, nil
	}
	slices.Sort(want.Columns)
	relation, release, err := f.records.Relation(f.ctx, f.conn, want)
	if err != nil {
		return nil, err
	}
	defer release()
	var rows int64 // counted so that the statement uses _n
	list := []string{"count(_n)"}
	dest := []any{&rows}
	for k, t := range tests {
		if t.condition == "true" {
			continue
		}
		list = append(list, fmt.Sprintf("coalesce(bool_and(o%d IS NULL OR coalesce(%s, false)), true)",
			t.column, t.condition))
		dest = append(dest, &holds[k])
	}
	return holds, f.conn.Row(f.ctx, "SELECT "+strings.Join(list, ", ")+" FROM ("+relation+")", dest...)
}

// takes is the condition that type t holds a value of the offered column exactly.
func takes(o intake.Offered, i int, t schema.Type) string {
	column := fmt.Sprintf("o%d", i)
	from, _ := schema.Stored(o.Type)
	switch {
	case o.Text == intake.CSVText:
		return textFits(canonical(o.Form, column, t), t)
	case from.Name == schema.Varchar &&
		(writtenAsText(t) && o.Text == intake.JSONText || t.Name == schema.UUID || t.Name == schema.JSON):
		return textFits(column, t)
	case from.Name == schema.JSON && t.Name == schema.Map:
		return castUpload(o, i, t) + " IS NOT NULL"
	case !convertible(from, t):
		return "false"
	case from.Nested():
		between := comparedAs(from, t)
		after := snapshot.Cast(t, between, castUpload(o, i, t))
		return after + " IS NOT DISTINCT FROM " + snapshot.Cast(from, between, column)
	}
	return duck.Fill(comesBack, duck.Parts{"value": column, "type": t.SQL(), "offered": o.Type.SQL()})
}

const comesBack = `TRY_CAST(TRY_CAST({value} AS {type}) AS {offered}) IS NOT DISTINCT FROM {value}`

// writtenAsText reports whether JSON has no form of its own for a type's values, so that they come as strings.
func writtenAsText(t schema.Type) bool {
	switch t.Name {
	case schema.Decimal, schema.Blob, schema.UUID, schema.Date, schema.Time, schema.TimestampTZ:
		return true
	}
	return t.IsMoment()
}

// convertible reports whether values of one type may turn out to be values of the other: numbers among numbers, moments
// among moments. Parts of nested values must fit as they are, or be text of something that is written so.
func convertible(from, to schema.Type) bool {
	switch {
	case to.Holds(from):
		return true
	case from.Nested():
		return partFits(from, to)
	}
	return from.IsNumber() && to.IsNumber() || from.IsMoment() && to.IsMoment()
}

// partFits is the rule for a part of a nested value, which is cast with the whole: only casts that fail on what they
// would change are allowed there.
func partFits(from, to schema.Type) bool {
	switch {
	case to.Holds(from), from.IsNumber() && to.IsNumber():
		return true
	case from.Name == schema.List && to.Name == schema.List:
		return partFits(*from.Elem, *to.Elem)
	case from.Name == schema.Map && to.Name == schema.Map:
		return partFits(*from.Key, *to.Key) && partFits(*from.Elem, *to.Elem)
	case from.Name != schema.Struct || to.Name != schema.Struct:
		return from.Name == schema.Varchar && writtenAsText(to) || from.Name == schema.JSON && to.Name == schema.Map
	}
	return !slices.ContainsFunc(from.Fields, func(f schema.Field) bool {
		own, ok := to.Field(f.Name)
		return !ok || !partFits(f.Type, own.Type)
	})
}

// comparedAs returns the type in which nested values are compared before and after their conversion: that of the
// numbers before it, so that a digit that was lost shows, and that of texts after it, as those may be written in many
// ways.
func comparedAs(from, to schema.Type) schema.Type {
	switch {
	case from.IsNumber() && to.IsNumber(), to.Holds(from) && !from.Hollow():
		return from
	case from.Name == schema.List && to.Name == schema.List:
		return schema.ListOf(comparedAs(*from.Elem, *to.Elem))
	case from.Name == schema.Map && to.Name == schema.Map:
		key, elem := comparedAs(*from.Key, *to.Key), comparedAs(*from.Elem, *to.Elem)
		return schema.Type{Name: schema.Map, Key: &key, Elem: &elem}
	case from.Name == schema.Struct && to.Name == schema.Struct && len(from.Fields) > 0:
		from.Fields = slices.Clone(from.Fields)
		for i, f := range from.Fields {
			own, _ := to.Field(f.Name)
			from.Fields[i].Type = comparedAs(f.Type, own.Type)
		}
		return from
	}
	return to
}

// castUpload makes a value of type t out of an offered column.
func castUpload(o intake.Offered, i int, t schema.Type) string {
	column := fmt.Sprintf("o%d", i)
	switch {
	case o.Type.Name == schema.Null:
		return "CAST(NULL AS " + t.SQL() + ")"
	case o.Text == intake.CSVText && t.Nested():
		written := asText(t)
		return snapshot.Cast(written, t, "CAST(CAST("+column+" AS JSON) AS "+written.SQL()+")")
	}
	return snapshot.Cast(o.Type, t, canonical(o.Form, column, t))
}

// asText is the type that values of t are read in from JSON, where that differs: binaries are text, and decimals become
// text first, since DuckDB would make them out of doubles by multiplying these.
func asText(t schema.Type) schema.Type {
	switch t.Name {
	case schema.Blob, schema.Decimal:
		return schema.Of(schema.Varchar)
	case schema.Map:
		key, elem := asText(*t.Key), asText(*t.Elem)
		return schema.Type{Name: schema.Map, Key: &key, Elem: &elem}
	case schema.List:
		return schema.ListOf(asText(*t.Elem))
	case schema.Struct:
		t.Fields = slices.Clone(t.Fields)
		for i := range t.Fields {
			t.Fields[i].Type = asText(t.Fields[i].Type)
		}
	}
	return t
}

// partColumns is how many columns a statement tests. Planning one can't be interrupted, and takes longer for each test
// the more there are.
const partColumns = intake.PartColumns

// parts divides a list by where its columns are in the upload. It is in their order.
func parts[T any](list []T, column func(T) int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for len(list) > 0 {
			part := column(list[0]) / partColumns
			n := slices.IndexFunc(list, func(one T) bool { return column(one)/partColumns != part })
			if n < 0 {
				n = len(list)
			}
			if !yield(list[:n]) {
				return
			}
			list = list[n:]
		}
	}
}

// textFits is the condition that a text is a value of type t, written so that nothing of it is lost.
func textFits(column string, t schema.Type) string {
	parts := duck.Parts{"text": column, "type": t.SQL()}
	switch {
	case t.Name == schema.Varchar:
		return "true"
	case t.Name == schema.Null:
		return "false"
	case t.Name == schema.Decimal:
		parts["whole"], parts["places"] = t.Width-t.Scale, t.Scale
	case t.Nested():
		parts["unrounded"] = unrounded(t).SQL()
	}
	condition := duck.Fill(textOf(t), parts)
	if t.Nested() && hasDecimal(t) {
		condition += " AND " + duck.Fill(doublesText, parts)
	}
	return condition
}

// hasDecimal reports whether a type is a decimal or has one in it.
func hasDecimal(t schema.Type) bool {
	inner := func(part *schema.Type) bool { return part != nil && hasDecimal(*part) }
	return t.Name == schema.Decimal || inner(t.Key) || inner(t.Elem) ||
		slices.ContainsFunc(t.Fields, func(f schema.Field) bool { return hasDecimal(f.Type) })
}

// unrounded returns a nested type with DOUBLE in place of the numbers to which DuckDB rounds others.
func unrounded(t schema.Type) schema.Type {
	for _, part := range []**schema.Type{&t.Key, &t.Elem} {
		if *part != nil {
			inner := unrounded(**part)
			*part = &inner
		}
	}
	t.Fields = slices.Clone(t.Fields)
	for i, f := range t.Fields {
		t.Fields[i].Type = unrounded(f.Type)
	}
	if t.IsNumber() {
		return schema.Of(schema.Double)
	}
	return t
}

// textOf is that condition's SQL, by type.
func textOf(t schema.Type) string {
	switch {
	case t.IsInteger():
		return integerText
	case t.Name == schema.Double, t.Name == schema.Float:
		return doubleText
	case t.Name == schema.Decimal:
		return decimalText
	case t.Name == schema.Date:
		return dateText
	case t.Name == schema.Timestamp:
		return timestampText
	case t.Name == schema.TimestampNS:
		return nanosecondText
	case t.Name == schema.TimestampTZ:
		return zonedText
	case t.Name == schema.Blob:
		return base64Text
	case t.Nested():
		return nestedText
	}
	return castableText
}

// DuckDB casts text that is lenient: with spaces, signs, units, or digits that the type has no room for. So the form is
// checked as well, or the value is written back and compared.
const (
	castableText = `TRY_CAST({text} AS {type}) IS NOT NULL`
	integerText  = `CAST(TRY_CAST({text} AS {type}) AS VARCHAR) = {text}`
	// A FLOAT holds every integer of six digits, and either type some of the longer ones. CASE, since AND and OR compute
	// all of their parts, and most numbers are short.
	doubleText = `CASE
		WHEN NOT (` + castableText + `) THEN false
		WHEN NOT regexp_full_match({text}, '[+-]?\d{7,}') THEN true
		ELSE TRY_CAST(TRY_CAST({text} AS {type}) AS DECIMAL(38,0)) = TRY_CAST({text} AS DECIMAL(38,0)) END`
	decimalText   = `regexp_full_match({text}, '[+-]?0*\d{0,{whole}}(\.\d{0,{places}}0*)?') AND ` + castableText
	dateText      = `regexp_full_match({text}, '\d{4,}-\d{2}-\d{2}') AND ` + castableText
	timestampText = `regexp_full_match({text},
		'\d{4,}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?') AND ` + castableText
	nanosecondText = `regexp_full_match({text},
		'\d{4,}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?') AND ` + castableText
	zonedText = `regexp_full_match({text},
		'\d{4,}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?\s?(Z|[+-]\d{2}(:?\d{2})?)') AND ` + castableText
	// As exports write binaries.
	base64Text = `regexp_full_match({text}, '([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?')`
	nestedText = `TRY_CAST(TRY_CAST({text} AS JSON) AS {type}) IS NOT NULL
		AND TRY_CAST(TRY_CAST(TRY_CAST({text} AS JSON) AS {type}) AS {unrounded})
			IS NOT DISTINCT FROM TRY_CAST(TRY_CAST({text} AS JSON) AS {unrounded})`
	// DuckDB reads fractions in a JSON text as doubles, which keep 15 digits: none may have more.
	doublesText = `len(list_filter(regexp_extract_all({text}, '[1-9]\d*\.\d*[1-9]|\.\d*[1-9]'),
		lambda n: len(ltrim(replace(n, '.', ''), '0')) > 15)) = 0`
)
