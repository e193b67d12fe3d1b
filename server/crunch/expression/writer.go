package expression

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// writer writes the SQL of terms.
type writer struct {
	schema  schema.Schema
	columns []int // that the terms read
	written int   // bytes of SQL
}

// operand is what a term comes to.
type operand struct {
	sql        string            // empty for values: what they are depends on what they stand beside
	typ        schema.Type       // of a column; otherwise zero
	categories []schema.Category // of a categorical one
	values     []json.RawMessage // of a value or a list of values
	list       bool
	condition  bool // it is true or false
}

// isValue reports whether it is a value, which gets its type from what it stands beside.
func (o operand) isValue() bool { return o.sql == "" }

// isCategorical reports whether the operand's values are the names of categories.
func (o operand) isCategorical() bool { return o.categories != nil }

// write writes a term, after those that it is made of.
func (w *writer) write(t *term) (out operand, err error) {
	switch {
	case t.Function != "":
		out, err = w.call(t)
	case t.Var != "":
		out, err = w.variable(t)
	case t.Value != nil:
		if out.values, out.list = listOf(t.Value); !out.list {
			out.values = []json.RawMessage{t.Value}
		}
	case t.Column != nil:
		out.values, out.list = t.Column, true
	default:
		err = refuse(`a term is none that is known here: it has a "function", a "var", a "variable", a "value" or a "column"`)
	}
	if w.written += len(out.sql); err == nil && w.written > maxSQL {
		err = refuse("it is too large once it is written out")
	}
	return out, err
}

// variable writes a column's name, and notes that the expression reads it.
func (w *writer) variable(t *term) (operand, error) {
	c, err := t.referred(w.schema)
	if err != nil {
		return operand{}, err
	}
	if !slices.Contains(w.columns, c.ID) {
		w.columns = append(w.columns, c.ID)
	}
	out := operand{sql: duck.Ident(c.Name), typ: c.Type, condition: c.Type.Name == "BOOLEAN"}
	if c.Type.Name == schema.Varchar {
		out.categories = c.Categories
	}
	return out, nil
}

// functions are the names of those that are known, for people.
const functions = "+ - * / // ^ % & | == != < <= > >= =><= in any all and or not is_valid all_valid is_missing " +
	"selected not_selected case cast copy_variable combine_categories char_length"

// numbers are those of them, of operands, that give a number.
const numbers = "+ - * / // ^ % & | char_length"

// call writes a function of its arguments.
func (w *writer) call(t *term) (operand, error) {
	switch t.Function {
	case "case":
		return w.cases(t)
	case "cast":
		return w.cast(t)
	case "combine_categories":
		return w.combine(t)
	}
	args, err := w.args(t)
	if err != nil {
		return operand{}, err
	}
	sql, err := w.simple(t.Function, args)
	if err == nil && t.Function == "copy_variable" {
		return args[0], nil
	}
	return operand{sql: sql, condition: !slices.Contains(strings.Fields(numbers), t.Function)}, err
}

// simple writes a function whose arguments are all operands.
func (w *writer) simple(name string, args []operand) (string, error) {
	least, most := arity(name)
	if len(args) < least || len(args) > most {
		return "", refuse("%s has %d arguments, and can't have", name, len(args))
	}
	switch name {
	case "+", "-", "*", "/", "//", "^", "%", "&", "|":
		return arithmetic(name, args)
	case "and", "or", "not":
		return logical(name, args)
	case "==", "!=", "<", "<=", ">", ">=":
		return compare(name, args[0], args[1])
	case "=><=":
		return between(args)
	case "in", "any", "all":
		return among(name, args[0], args[1])
	}
	if args[0].isValue() {
		return "", refuse("%s asks for a variable, not for a value", name)
	}
	switch name {
	case "is_missing", "is_valid", "all_valid":
		return missing(args[0], name == "is_missing"), nil
	case "selected", "not_selected":
		return selected(args[0], name)
	case "char_length":
		return "length(CAST(" + args[0].sql + " AS VARCHAR))", nil
	}
	return args[0].sql, nil // copy_variable
}

// arity returns how few and how many arguments a function has.
func arity(name string) (least, most int) {
	switch name {
	case "and", "or":
		return 1, maxTerms
	case "-":
		return 1, 2
	case "=><=":
		return 3, 3
	case "not", "is_missing", "is_valid", "all_valid", "selected", "not_selected", "char_length", "copy_variable":
		return 1, 1
	}
	return 2, 2
}

// args writes the arguments of a function, in their order.
func (w *writer) args(t *term) ([]operand, error) {
	out := make([]operand, len(t.Args))
	for i, a := range t.Args {
		var err error
		if out[i], err = w.write(a); err != nil {
			return nil, err
		}
	}
	return out, nil
}
