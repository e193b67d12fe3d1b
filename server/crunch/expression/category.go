package expression

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// noData is the id of the category that stands for a missing value.
const noData = -1

// isOneOf writes the condition that an operand has one of some values. Those of a categorical one are ids or names.
func (o operand) isOneOf(values []json.RawMessage) (string, error) {
	var list, or []string
	asksMissing := false
	for _, v := range values {
		sql, err := o.value(v)
		if err != nil {
			return "", err
		}
		if sql == "NULL" {
			asksMissing = true
			continue
		}
		if o.typ.IsInteger() && !isInteger(sql) {
			or = append(or, o.sql+" = "+sql) // in the list, it would make all of it DOUBLE or DECIMAL
			continue
		}
		list = append(list, sql)
	}
	if len(list) > 0 {
		or = append(or, o.sql+" IN ("+strings.Join(list, ", ")+")")
	}
	if asksMissing {
		or = append(or, o.sql+" IS NULL")
	}
	if len(or) == 0 {
		return "FALSE", nil
	}
	return "(" + strings.Join(or, " OR ") + ")", nil
}

// value writes a value as it stands beside an operand; NULL for a missing one.
func (o operand) value(v json.RawMessage) (string, error) {
	if !o.isCategorical() {
		return literal(v, o.typ)
	}
	return nameIn(o.categories, v)
}

// nameIn writes the name of a category that is given by id or by name; NULL where it stands for a missing value.
func nameIn(categories []schema.Category, v json.RawMessage) (string, error) {
	if isMissing(v) {
		return "NULL", nil
	}
	var id int64
	var name string
	byID, byName := json.Unmarshal(v, &id) == nil, json.Unmarshal(v, &name) == nil
	if byID && id == noData {
		return "NULL", nil
	}
	for _, c := range categories {
		if byID && c.ID == id || byName && c.Name == name {
			return duck.Text(c.Name), nil
		}
	}
	return "", refuse("unknown category %s; the categories are %s", fault.Clip(string(v)), listed(categories))
}

// listed names categories for people.
func listed(categories []schema.Category) string {
	const most = 10
	var names []string
	for i, c := range categories {
		if i == most {
			names = append(names, "…")
			break
		}
		names = append(names, fmt.Sprintf("%d (%s)", c.ID, fault.Clip(c.Name)))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// missing writes the condition that an operand has no value, or one of a category that is declared missing; or that it
// has another one.
func missing(o operand, is bool) string {
	var names []string
	for _, c := range o.categories {
		if c.Missing && c.ID != noData {
			names = append(names, duck.Text(c.Name))
		}
	}
	sql := o.sql + " IS NULL"
	if len(names) > 0 {
		sql += " OR " + o.sql + " IN (" + strings.Join(names, ", ") + ")"
	}
	if is {
		return "(" + sql + ")"
	}
	return "(NOT (" + sql + "))"
}

// selected writes the condition that an operand's category is a selected one, or that it is another one.
func selected(o operand, name string) (string, error) {
	if !o.isCategorical() {
		return "", refuse("%s asks for a categorical variable", name)
	}
	var names []string
	for _, c := range o.categories {
		if c.Selected {
			names = append(names, duck.Text(c.Name))
		}
	}
	if len(names) == 0 {
		return "", refuse("%s asks for a variable with a selected category, and none of %s is", name, o.sql)
	}
	is := o.sql + " IN (" + strings.Join(names, ", ") + ")"
	if name == "selected" {
		return "(" + is + ")", nil
	}
	return "(NOT (" + is + ") AND " + missing(o, false) + ")", nil
}

// typeOf reads the type that a term declares: {"class", "categories"}, in a "value" or not.
func typeOf(text json.RawMessage) (class string, categories []schema.Category, err error) {
	type declared struct {
		Class      string            `json:"class"`
		Categories []schema.Category `json:"categories"`
	}
	var in struct {
		declared
		Value *declared `json:"value"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return "", nil, refuse("the type %s can't be read", fault.Clip(string(text)))
	}
	if in.Value != nil {
		in.declared = *in.Value
	}
	if in.Class == "categorical" && len(in.Categories) == 0 {
		return "", nil, refuse("a categorical type has categories, and this one has none")
	}
	return in.Class, in.Categories, nil
}
