package quartzbio

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// condition is what filters select: SQL over the columns that it reads. Empty SQL selects all records.
type condition struct {
	sql   string
	reads []schema.Column
}

// filtering makes a condition of filters over a snapshot.
type filtering struct {
	snap  *snapshot.Snapshot
	reads []schema.Column
	terms int // how many fields have been compared
}

// filter returns the condition of filters, all of which are to hold: a list of [field, value], {"and": …}, {"or": …}
// and {"not": …}. A field that is missing in a record makes no filter true, so not selects the record.
func filter(snap *snapshot.Snapshot, filters []json.RawMessage) (condition, error) {
	f := &filtering{snap: snap}
	sql, err := f.all(filters, " AND ", 0)
	return condition{sql, f.reads}, err
}

// maxNesting is how deep filters may be nested, maxTerms how many a query may have, and maxValues how many values one
// compares with. DuckDB takes minutes to plan statements of many more.
const (
	maxNesting = 100
	maxTerms   = 1000
	maxValues  = 10_000
)

// malformedFilter is the error for a value that is not a filter.
func malformedFilter(text []byte) error {
	return fault.Errorf(fault.Invalid, "invalid_filter", `%s is not a filter. A filter is ["field", value] or `+
		`["field__action", value], or {"and": […]}, {"or": […]} or {"not": …} of filters.`, fault.Clip(string(text)))
}

// all joins filters with an operator; without any it is empty.
func (f *filtering) all(filters []json.RawMessage, operator string, depth int) (string, error) {
	var terms []string
	for _, one := range filters {
		term, err := f.one(one, depth+1)
		if err != nil {
			return "", err
		}
		if term != "" {
			terms = append(terms, term)
		}
	}
	if len(terms) == 0 {
		return "", nil
	}
	return "(" + strings.Join(terms, operator) + ")", nil
}

// one returns the SQL of one filter; empty: it selects all.
func (f *filtering) one(text json.RawMessage, depth int) (string, error) {
	if depth > maxNesting {
		return "", fault.Errorf(fault.Invalid, "invalid_filter", "The filters are nested more than %d deep.", maxNesting)
	}
	var list []json.RawMessage
	if json.Unmarshal(text, &list) == nil {
		return f.list(text, list, depth)
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil || len(object) != 1 {
		return "", malformedFilter(text)
	}
	for name, of := range object {
		switch strings.ToLower(name) {
		case "and", "or":
			var among []json.RawMessage
			if json.Unmarshal(of, &among) != nil {
				return "", malformedFilter(text)
			}
			if isPair(among) {
				among = []json.RawMessage{of}
			}
			return f.all(among, " "+strings.ToUpper(name)+" ", depth)
		case "not":
			inner, err := f.one(of, depth+1)
			if err != nil || inner == "" {
				return "", err
			}
			return "(NOT " + inner + ")", nil
		}
	}
	return "", malformedFilter(text)
}

// isPair reports whether a list is a field and a value.
func isPair(list []json.RawMessage) bool {
	var name string
	return len(list) == 2 && json.Unmarshal(list[0], &name) == nil
}

// list returns the SQL of a list: a field and a value, or filters that are all to hold.
func (f *filtering) list(text json.RawMessage, list []json.RawMessage, depth int) (string, error) {
	if !isPair(list) {
		var name string
		if len(list) > 0 && json.Unmarshal(list[0], &name) == nil {
			return "", malformedFilter(text)
		}
		return f.all(list, " AND ", depth)
	}
	var name string
	if err := json.Unmarshal(list[0], &name); err != nil {
		return "", malformedFilter(text)
	}
	return f.compare(name, list[1])
}

// actions are what a filter may ask of a field, after two underscores.
var actions = []string{
	"exact", "iexact", "in", "range", "between", "gt", "gte", "lt", "lte", "contains", "regexp", "prefix",
}

// compare returns the SQL of a field and a value. A name that is a field's has no action, whatever it ends in.
func (f *filtering) compare(name string, value json.RawMessage) (string, error) {
	if f.terms++; f.terms > maxTerms {
		return "", fault.Errorf(fault.Invalid, "invalid_filter",
			"There are more than %d filters. Use in with a list of values, which is one filter.", maxTerms)
	}
	of, known := f.field(name)
	if known != nil {
		i := strings.LastIndex(name, "__")
		if i < 0 {
			return "", known
		}
		var err error
		if of, err = f.field(name[:i]); err != nil {
			return "", err
		}
		action := name[i+2:]
		for _, is := range actions {
			if is == action {
				return f.apply(of, action, value)
			}
		}
		return "", fault.Errorf(fault.Invalid, "unknown_action", "'%s' is not an action of filters. There are %s.",
			fault.Clip(action), strings.Join(actions, ", "))
	}
	return f.apply(of, "iexact", value)
}

// operand is the SQL of a field's value, and its type.
type operand struct {
	sql    string
	typ    schema.Type
	name   string
	prefix string // of values that are ids of commits: the dataset's
}

// field returns the value of a field: a column, or a part of one after a point.
func (f *filtering) field(name string) (operand, error) {
	column, err := columnNamed(f.snap, name)
	if err == nil {
		f.reads = append(f.reads, column)
		of := operand{sql: duck.Ident(column.Name), typ: column.Type, name: name}
		if column.ID == schema.CommitID {
			of.prefix = join(f.snap.Dataset.ID, 0)[:len(f.snap.Dataset.ID)+1]
		}
		return of, nil
	}
	if f.snap.Schema.Keyed() && schema.SameName(name, schema.RowColumn) {
		f.reads = append(f.reads, f.snap.Schema.KeyColumns()...)
		return operand{sql: keyText(f.snap.Schema), typ: schema.Of(schema.Varchar), name: name}, nil
	}
	before, after, ok := strings.Cut(name, ".")
	if !ok {
		return operand{}, err
	}
	whole, missing := f.field(before)
	if missing != nil {
		return operand{}, err
	}
	for part := range strings.SplitSeq(after, ".") {
		field, has := whole.typ.Field(part)
		if !has {
			return operand{}, err
		}
		whole = operand{
			sql: "struct_extract(" + whole.sql + ", " + duck.Text(field.Name) + ")", typ: field.Type, name: name,
		}
	}
	return whole, nil
}

// keyText is the SQL of the _id of records with a declared key: the key as text, or a list of it as JSON.
func keyText(s schema.Schema) string {
	var parts []string
	for _, column := range s.KeyColumns() {
		parts = append(parts, "CAST("+duck.Ident(column.Name)+" AS VARCHAR)")
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "CAST(to_json([" + strings.Join(parts, ", ") + "]) AS VARCHAR)"
}

// apply returns the SQL of an action. Of a list, an element is compared.
func (f *filtering) apply(of operand, action string, value json.RawMessage) (string, error) {
	if bytes.Equal(bytes.TrimSpace(value), []byte("null")) {
		if action != "iexact" && action != "exact" {
			return "", badValue(of, action, "a value")
		}
		return "(" + of.sql + " IS NULL)", nil
	}
	if of.typ.Name == schema.List {
		element, err := f.apply(operand{sql: "x", typ: *of.typ.Elem, name: of.name}, action, value)
		if err != nil {
			return "", err
		}
		return "coalesce(len(list_filter(" + of.sql + ", lambda x: " + element + ")) > 0, false)", nil
	}
	sql, err := of.compare(action, value)
	if err != nil {
		return "", err
	}
	return "coalesce(" + sql + ", false)", nil
}

// signs are the operators of actions that compare with one value.
var signs = map[string]string{"exact": " = ", "iexact": " = ", "gt": " > ", "gte": " >= ", "lt": " < ", "lte": " <= "}

// compare returns the SQL of an action on one value that is not a list.
func (o operand) compare(action string, value json.RawMessage) (string, error) {
	switch action {
	case "in":
		return o.in(action, value)
	case "range", "between":
		return o.within(action, value)
	case "contains", "regexp", "prefix":
		return o.match(action, value)
	}
	literal, err := o.literal(action, value)
	if err != nil {
		return "", err
	}
	if action == "iexact" && o.isText() {
		return "lower(" + o.text() + ") = lower(" + literal + ")", nil
	}
	return o.compared() + signs[action] + literal, nil
}

// in returns the SQL that compares with each value of a list.
func (o operand) in(action string, value json.RawMessage) (string, error) {
	var values []json.RawMessage
	if json.Unmarshal(value, &values) != nil {
		return "", badValue(o, action, "a list of values")
	}
	if len(values) > maxValues {
		return "", badValue(o, action, fmt.Sprintf("%d values at most, and has %d", maxValues, len(values)))
	}
	var literals []string
	isNull := "false"
	for _, one := range values {
		if string(bytes.TrimSpace(one)) == "null" {
			isNull = o.sql + " IS NULL"
			continue
		}
		literal, err := o.literal(action, one)
		if err != nil {
			return "", err
		}
		literals = append(literals, literal)
	}
	if literals == nil {
		return "(" + isNull + ")", nil
	}
	return "(" + isNull + " OR " + o.compared() + " IN (" + strings.Join(literals, ", ") + "))", nil
}

// within returns the SQL of a range, which has its ends, or of what is between them.
func (o operand) within(action string, value json.RawMessage) (string, error) {
	var ends []json.RawMessage
	if json.Unmarshal(value, &ends) != nil || len(ends) != 2 {
		return "", badValue(o, action, "a list of two values")
	}
	from, err := o.literal(action, ends[0])
	if err != nil {
		return "", err
	}
	to, err := o.literal(action, ends[1])
	if err != nil {
		return "", err
	}
	least, most := " >= ", " <= "
	if action == "between" {
		least, most = " > ", " < "
	}
	return "(" + o.compared() + least + from + " AND " + o.compared() + most + to + ")", nil
}

// match returns the SQL that looks into text.
func (o operand) match(action string, value json.RawMessage) (string, error) {
	var given string
	if json.Unmarshal(value, &given) != nil {
		return "", badValue(o, action, "a string")
	}
	if strings.ContainsRune(given, 0) {
		return "", badValue(o, action, noNUL)
	}
	switch action {
	case "contains":
		return "contains(" + o.text() + ", " + duck.Text(given) + ")", nil
	case "prefix":
		return "starts_with(" + o.text() + ", " + duck.Text(given) + ")", nil
	}
	// DuckDB has the same expressions, but for another way to write the name of a group.
	if _, err := regexp.Compile(given); err != nil || strings.Contains(given, "(?<") {
		err = cmp.Or(err, errors.New("(?< is not supported"))
		return "", fault.Errorf(fault.Invalid, "invalid_filter", "%s is not a regular expression: %s.",
			fault.Clip(given), err)
	}
	return "regexp_full_match(" + o.text() + ", " + duck.Text(given) + ")", nil
}

// isText reports whether the value is compared as text.
func (o operand) isText() bool {
	return !o.typ.IsNumber() && !isMoment(o.typ) && o.typ.Name != schema.Boolean
}

// isMoment reports whether a type is of dates or times of day on them.
func isMoment(t schema.Type) bool { name, _ := dataType(t); return name == "date" }

// text returns the value as text.
func (o operand) text() string {
	if o.typ.Name == schema.Varchar {
		return o.sql
	}
	return "CAST(" + o.sql + " AS VARCHAR)"
}

// compared returns the value as it is compared with literals.
func (o operand) compared() string {
	if o.isText() {
		return o.text()
	}
	return o.sql
}

// number matches JSON's numbers, as SQL has them too.
var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// date matches what DuckDB reads as a moment.
var date = regexp.MustCompile(
	`^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$`)

// literal returns a value of JSON as SQL that can be compared with the field's, or refuses it by the field's type.
func (o operand) literal(action string, value json.RawMessage) (string, error) {
	plain := string(bytes.TrimSpace(value))
	var given string
	isString := json.Unmarshal(value, &given) == nil
	if !isString {
		given = plain
	}
	given = strings.TrimPrefix(given, o.prefix)
	switch {
	case strings.ContainsRune(given, 0):
		return "", badValue(o, action, noNUL)
	case !isString && strings.ContainsAny(plain[:min(1, len(plain))], "[{"), plain == "null":
		return "", badValue(o, action, "one value, and "+fault.Clip(plain)+" is not")
	case o.typ.Name == schema.Boolean:
		if given = strings.ToLower(given); given != "true" && given != "false" {
			return "", badValue(o, action, "true or false")
		}
		return given, nil
	case o.typ.IsNumber():
		if !number.MatchString(given) {
			return "", badValue(o, action, "a number")
		}
		return given, nil
	case isMoment(o.typ):
		if !date.MatchString(given) {
			return "", badValue(o, action, "a date as in 2026-01-31 or 2026-01-31T10:00:00")
		}
		if o.typ.Name == schema.TimestampTZ {
			return "TRY_CAST(" + duck.Text(given) + " AS TIMESTAMPTZ)", nil
		}
		return "TRY_CAST(" + duck.Text(given) + " AS TIMESTAMP)", nil
	}
	return duck.Text(given), nil
}

// noNUL is what text needs that is put into SQL.
const noNUL = "text without NUL characters"

// badValue is the refusal of a value that an action can't compare with.
func badValue(o operand, action, wanted string) error {
	return fault.Errorf(fault.Invalid, "invalid_filter", "The filter %s on field '%s' (%s) needs %s.", action,
		fault.Clip(o.name), fmt.Sprint(o.typ), wanted).With("field", o.name)
}
