package expression

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// Values is what a column becomes in some records.
type Values struct {
	Expression     // its SQL may also have _n: the record's number, from 1
	Count      int // how many records there have to be; 0: any number
}

// Assign reads the term of what a column becomes: a value, a column with a value for each record, or an expression.
func Assign(s schema.Schema, dataset string, c schema.Column, text []byte) (out Values, err error) {
	t, err := parse(text)
	if err != nil {
		return out, err
	}
	into := operand{typ: c.Type}
	if c.Type.Name == schema.Varchar {
		into.categories = c.Categories
	}
	switch {
	case t.Column != nil:
		out.SQL, err = into.listing(t.Column)
		out.SQL += "[_n]"
		if out.Count = len(t.Column); out.Count == 0 {
			err = refuse("the column of values for %q is empty", c.Name)
		}
	case t.Value != nil:
		out.SQL, err = into.listing([]json.RawMessage{t.Value})
		out.SQL += "[1]"
	default:
		if out.Expression, err = Read(s, dataset, text); err == nil {
			err = into.takes(c, out.Categories)
			if !into.isCategorical() {
				out.SQL = exact(out.SQL, c)
			}
		}
	}
	return out, err
}

// takes makes sure that a categorical column has the categories of what it becomes.
func (o operand) takes(c schema.Column, categories []schema.Category) error {
	if !o.isCategorical() {
		return nil
	}
	if categories == nil {
		return refuse("variable %q is categorical, and what it would become is not", c.Name)
	}
	for _, k := range categories {
		isIt := func(own schema.Category) bool { return own.Name == k.Name }
		if k.ID != noData && !slices.ContainsFunc(o.categories, isIt) {
			return refuse("variable %q has no category %q", c.Name, fault.Clip(k.Name))
		}
	}
	return nil
}

// exactly writes a value that the operand is to hold.
func (o operand) exactly(v json.RawMessage) (string, error) {
	if o.isCategorical() {
		return nameIn(o.categories, v)
	}
	return exactly(v, o.typ)
}

// listing writes values for an operand as a list of its type. Numbers with a fraction make whole ones DOUBLE, if that
// holds all of them.
func (o operand) listing(values []json.RawMessage) (string, error) {
	list := make([]string, len(values))
	fraction := false
	for i, v := range values {
		var err error
		if list[i], err = o.exactly(v); err != nil {
			return "", err
		}
		fraction = fraction || strings.ContainsAny(list[i], ".eE")
	}
	sql := "[" + strings.Join(list, ", ") + "]"
	switch typ := o.typ; {
	case typ.IsInteger() && fraction:
		if i := slices.IndexFunc(list, func(v string) bool { return !isDouble(v) }); i >= 0 {
			return "", refuse("%s stands beside numbers with a fraction, and is too large to be exact there", list[i])
		}
		return "CAST(" + sql + " AS DOUBLE[])", nil
	default:
		return "CAST(" + sql + " AS " + typ.SQL() + "[])", nil
	}
}
