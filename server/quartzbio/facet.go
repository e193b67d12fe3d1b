package quartzbio

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// facetIn is what a facet of a field is to be.
type facetIn struct {
	Type     string                     `json:"facet_type"`
	Limit    *int64                     `json:"limit"`    // of terms; 0: all
	Facets   map[string]json.RawMessage `json:"facets"`   // of the records with each term
	Interval json.RawMessage            `json:"interval"` // of a histogram: a number, or a unit of time
	Extended bool                       `json:"extended"` // of stats
	Percents []float64                  `json:"percents"`
}

// The most terms of a facet: unless it says otherwise, at most, and of one that has facets within.
const (
	fewTerms    = 10
	mostTerms   = 1_000_000
	mostParents = 1000

	mostPercents = 100
)

// faceting computes facets on one connection.
type faceting struct {
	conn *duck.Conn
	from string
	f    *filtering
}

// facets returns the facets of what a query selects, by field.
func (f *Face) facets(ctx context.Context, s selected, wanted map[string]json.RawMessage) (map[string]any, error) {
	of := &faceting{f: &filtering{snap: s.snap, reads: s.where.reads}}
	if err := of.checkAll(wanted, 0); err != nil { // which finds the columns that are read
		return nil, err
	}
	var err error
	if of.conn, of.from, err = f.store.OpenTable(ctx, s.snap, of.f.reads); err != nil {
		return nil, err
	}
	defer of.conn.Close()
	where := s.where.sql
	if where == "" {
		where = "true"
	}
	return of.all(ctx, wanted, where)
}

// readFacet reads what a facet is to be.
func readFacet(text json.RawMessage) (in facetIn, err error) {
	if err := decode(text, &in); err != nil {
		return in, err
	}
	if in.Type == "" {
		in.Type = "terms"
	}
	return in, nil
}

// checkAll refuses facets that can't be, and notes the columns that they read.
func (x *faceting) checkAll(wanted map[string]json.RawMessage, depth int) error {
	if depth > 5 {
		return refused("facets", "must not be nested more than 5 deep")
	}
	for name, text := range wanted {
		in, err := readFacet(text)
		if err != nil {
			return err
		}
		of, err := x.f.field(name)
		if err != nil {
			return err
		}
		if err := x.check(of, in, depth); err != nil {
			return err
		}
	}
	return nil
}

// check refuses a facet that can't be of a field.
func (x *faceting) check(of operand, in facetIn, depth int) error {
	of = element(of)
	isCounted := of.typ.IsNumber() || isMoment(of.typ)
	switch in.Type {
	case "terms", "count":
	case "stats", "percentiles", "histogram":
		if !isCounted {
			return refused("facet_type", fmt.Sprintf("%s is of numbers and dates, and '%s' has neither", in.Type, of.name))
		}
	default:
		return oneOf("facet_type", in.Type, "terms, count, stats, histogram or percentiles")
	}
	if len(in.Percents) > mostPercents {
		return refused("percents", fmt.Sprintf("must be %d at most", mostPercents))
	}
	for _, p := range in.Percents {
		if p < 0 || p > 100 {
			return refused("percents", "must be from 0 to 100")
		}
	}
	if in.Limit != nil && *in.Limit < 0 {
		return refused("limit", "must not be negative")
	}
	if in.Type == "histogram" {
		if _, err := binOf(of, in.Interval); err != nil {
			return err
		}
	}
	if len(in.Facets) > 0 && in.Type != "terms" {
		return refused("facets", "may be within terms only")
	}
	return x.checkAll(in.Facets, depth+1)
}

// element returns one value of a field: of a list, an element.
func element(of operand) operand {
	if of.typ.Name == schema.List {
		return operand{sql: "unnest(" + of.sql + ")", typ: *of.typ.Elem, name: of.name}
	}
	return of
}

// all computes facets of the records that a condition selects.
func (x *faceting) all(ctx context.Context, wanted map[string]json.RawMessage, where string) (map[string]any, error) {
	out := map[string]any{}
	for name, text := range wanted {
		in, err := readFacet(text)
		if err != nil {
			return nil, err
		}
		of, err := x.f.field(name)
		if err != nil {
			return nil, err
		}
		if out[name], err = x.one(ctx, of, in, where); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// one computes a facet.
func (x *faceting) one(ctx context.Context, of operand, in facetIn, where string) (any, error) {
	one := element(of)
	values := "(SELECT v FROM (SELECT " + one.sql + " AS v FROM " + x.from + " WHERE " + where + ") WHERE v IS NOT NULL)"
	switch in.Type {
	case "count":
		var n int64
		err := x.conn.Row(ctx, "SELECT count(DISTINCT v) FROM "+values, &n)
		return n, err
	case "stats":
		return x.stats(ctx, one, values, in.Extended)
	case "percentiles":
		return x.percentiles(ctx, one, values, in.Percents)
	case "histogram":
		bin, err := binOf(one, in.Interval)
		if err != nil {
			return nil, err
		}
		return x.counts(ctx, "SELECT CAST(to_json(b) AS VARCHAR), n FROM (SELECT "+bin+" AS b, count(*) AS n FROM "+values+
			" GROUP BY b) ORDER BY b")
	}
	return x.terms(ctx, of, in, values, where)
}

// bucket is a value and how many records have it; of terms, with the facets of these.
type bucket []any

// counts returns the rows of a statement: a value as JSON, and a count.
func (x *faceting) counts(ctx context.Context, sql string) (out []bucket, err error) {
	out = []bucket{}
	size := 0
	err = x.conn.Rows(ctx, sql, func(scan duck.Scan) error {
		var value string
		var n int64
		if err := scan(&value, &n); err != nil {
			return err
		}
		if size += len(value); size > maxAnswer {
			return errTooMuch
		}
		out = append(out, bucket{json.RawMessage(value), n})
		return nil
	})
	return out, err
}

// terms counts the values of a field, the most frequent first.
func (x *faceting) terms(ctx context.Context, of operand, in facetIn, values, where string) (any, error) {
	most := int64(fewTerms)
	if in.Limit != nil {
		most = *in.Limit
	}
	if most == 0 || most > mostTerms {
		most = mostTerms
	}
	if len(in.Facets) > 0 && most > mostParents {
		return nil, fault.Errorf(fault.Invalid, "too_many_terms",
			"Facets are within the terms of '%s', so its limit must be from 1 to %d.", fault.Clip(of.name), mostParents)
	}
	out, err := x.counts(ctx, "SELECT "+shown("v", element(of).typ)+", n FROM (SELECT v, count(*) AS n FROM "+values+
		" GROUP BY v) ORDER BY n DESC, v LIMIT "+duck.Int(most))
	if err != nil || len(in.Facets) == 0 {
		return out, err
	}
	for i, one := range out {
		condition, err := x.f.apply(of, "exact", one[0].(json.RawMessage))
		if err != nil {
			return nil, err
		}
		inner, err := x.all(ctx, in.Facets, where+" AND "+condition)
		if err != nil {
			return nil, err
		}
		out[i] = append(one, inner)
	}
	return out, nil
}

// shown is the SQL of a value as JSON, in the form that records have it.
func shown(value string, t schema.Type) string {
	if isMoment(t) {
		value = "strftime(CAST(" + value + " AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S')"
	}
	return "CAST(to_json(" + value + ") AS VARCHAR)"
}

// measured is the SQL of a value as a number: of a moment, the milliseconds since 1970.
func measured(of operand) string {
	if isMoment(of.typ) {
		return "CAST(epoch_ms(CAST(v AS TIMESTAMP)) AS DOUBLE)"
	}
	return "CAST(v AS DOUBLE)"
}

// stats computes what the values amount to; null of none.
func (x *faceting) stats(ctx context.Context, of operand, values string, extended bool) (any, error) {
	parts := []string{
		"'count': count(v)", "'avg': avg(v)", "'min': min(v)", "'max': max(v)", "'sum': sum(v)",
	}
	if extended {
		parts = append(parts, "'sum_of_squares': sum(v * v)", "'variance': var_pop(v)", "'std_deviation': stddev_pop(v)",
			"'std_deviation_bounds': {'upper': avg(v) + 2 * stddev_pop(v), 'lower': avg(v) - 2 * stddev_pop(v)}")
	}
	return x.json(ctx, "{"+strings.Join(parts, ", ")+"}", of, values)
}

// json returns what an expression over all values, which are v, is as JSON.
func (x *faceting) json(ctx context.Context, expression string, of operand, values string) (any, error) {
	var text string
	err := x.conn.Row(ctx, "SELECT CAST(to_json("+expression+") AS VARCHAR) FROM (SELECT "+measured(of)+" AS v FROM "+
		values+")", &text)
	return json.RawMessage(text), err
}

// usualPercents are the percentiles that a facet has unless it says which.
var usualPercents = []float64{1, 5, 25, 50, 75, 95, 99}

// percentiles computes percentiles, exactly, by percent.
func (x *faceting) percentiles(ctx context.Context, of operand, values string, percents []float64) (any, error) {
	if len(percents) == 0 {
		percents = usualPercents
	}
	percents = slices.Compact(slices.Sorted(slices.Values(percents)))
	parts := make([]string, len(percents))
	for i, p := range percents {
		name := strconv.FormatFloat(p, 'f', -1, 64)
		if !strings.Contains(name, ".") {
			name += ".0"
		}
		parts[i] = duck.Text(name) + ": quantile_cont(v, " + strconv.FormatFloat(p/100, 'f', -1, 64) + ")"
	}
	return x.json(ctx, "{"+strings.Join(parts, ", ")+"}", of, values)
}

// units are the intervals of histograms of dates.
var units = []string{"year", "quarter", "month", "week", "day", "hour", "minute", "second"}

// binOf returns the SQL of the bin of a value v: of numbers in steps of 100, of moments by month, unless the interval
// is another.
func binOf(of operand, interval json.RawMessage) (string, error) {
	if isMoment(of.typ) {
		unit := "month"
		if len(interval) > 0 && (json.Unmarshal(interval, &unit) != nil || !slices.Contains(units, unit)) {
			return "", refused("interval", "of dates must be one of "+strings.Join(units, ", "))
		}
		return "strftime(date_trunc(" + duck.Text(unit) + ", CAST(v AS TIMESTAMP)), '%Y-%m-%dT%H:%M:%S')", nil
	}
	step := 100.0
	if len(interval) > 0 && (json.Unmarshal(interval, &step) != nil || step <= 0) {
		return "", refused("interval", "of numbers must be a number above 0")
	}
	text := strconv.FormatFloat(step, 'f', -1, 64)
	return "floor(CAST(v AS DOUBLE) / " + text + ") * " + text, nil
}

// getFieldFacets shows what a field's values amount to: of numbers, their stats, of the others the most frequent.
func (f *Face) getFieldFacets(c *fiber.Ctx) error {
	s, column, err := f.fieldParam(c)
	if err != nil {
		return err
	}
	ctx := c.UserContext()
	snap, err := f.store.Snapshot(ctx, s.Dataset.ID, "head")
	if err != nil {
		return err
	}
	wanted := json.RawMessage(`{}`)
	if column.Type.IsNumber() {
		wanted = json.RawMessage(`{"facet_type": "stats"}`)
	}
	out, err := f.facets(ctx, selected{snap: snap}, map[string]json.RawMessage{column.Name: wanted})
	if err != nil {
		return err
	}
	return show(c, http.StatusOK, map[string]any{
		"name": column.Name, "facets": out[column.Name], "dataset_id": s.Dataset.ID,
	})
}
