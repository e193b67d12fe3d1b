package expression

import (
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// arithmetic writes an operator between numbers. What divides by zero is missing.
func arithmetic(name string, args []operand) (string, error) {
	sql := make([]string, len(args))
	for i, a := range args {
		if a.isCategorical() {
			return "", refuse("%s asks for numbers, and %s is categorical; cast it to numeric", name, a.sql)
		}
		var err error
		if sql[i], err = a.beside(schema.Type{}); err != nil {
			return "", err
		}
	}
	if len(args) == 1 {
		return "(- " + sql[0] + ")", nil
	}
	parts := duck.Parts{"a": sql[0], "b": sql[1]}
	switch name {
	case "/":
		return duck.Fill("({a} / nullif({b}, 0))", parts), nil
	case "//":
		return duck.Fill("CAST(floor({a} / nullif({b}, 0)) AS BIGINT)", parts), nil
	case "^":
		return duck.Fill("power({a}, {b})", parts), nil
	case "%": // with the sign of the divisor, as in Python
		return duck.Fill("((({a} % nullif({b}, 0)) + {b}) % nullif({b}, 0))", parts), nil
	}
	return "(" + sql[0] + " " + name + " " + sql[1] + ")", nil
}

// beside writes an operand as it stands beside one of a type.
func (o operand) beside(typ schema.Type) (string, error) {
	switch {
	case !o.isValue():
		return o.sql, nil
	case o.list:
		return "", refuse("there is a list of values where there has to be one")
	}
	return literal(o.values[0], typ)
}

// logical writes and, or and not, whose arguments must be conditions.
func logical(name string, args []operand) (string, error) {
	list := make([]string, len(args))
	for i, a := range args {
		if !a.condition {
			return "", refuse("%s asks for conditions, and argument %d is none", name, i+1)
		}
		list[i] = a.sql
	}
	if name == "not" {
		return "(NOT " + list[0] + ")", nil
	}
	return "(" + strings.Join(list, " "+strings.ToUpper(name)+" ") + ")", nil
}

// compare writes a comparison of two operands. One with a missing value asks whether the other is missing.
func compare(name string, a, b operand) (string, error) {
	if a.isValue() && b.isValue() {
		return "", refuse("%s compares two values; one has to be a variable or a function", name)
	}
	if a.isValue() {
		a, b, name = b, a, flipped(name)
	}
	equal := name == "==" || name == "!="
	if a.isCategorical() && !equal {
		return "", refuse("%s is categorical, and its categories have no order: ask by ==, != or in", a.sql)
	}
	if b.isValue() && equal {
		found, err := among("==", a, b)
		if name == "!=" {
			found = "(NOT " + found + ")"
		}
		return found, err
	}
	right, err := b.beside(a.typ)
	return "(" + a.sql + " " + sqlOf(name) + " " + right + ")", err
}

// sqlOf returns the SQL operator of a comparison.
func sqlOf(name string) string {
	switch name {
	case "==":
		return "="
	case "!=":
		return "<>"
	}
	return name
}

// flipped is the comparison that says the same with its sides exchanged.
func flipped(name string) string {
	return strings.NewReplacer("<", ">", ">", "<").Replace(name)
}

// between writes the operator =><=: whether a value lies between two others, both included.
func between(args []operand) (string, error) {
	x := args[0]
	if x.isValue() || x.isCategorical() {
		return "", refuse("=><= asks whether a number or a time lies between two others")
	}
	low, err := args[1].beside(x.typ)
	if err != nil {
		return "", err
	}
	high, err := args[2].beside(x.typ)
	return "(" + x.sql + " BETWEEN " + low + " AND " + high + ")", err
}

// among writes the condition that a value is one of some.
func among(name string, x, of operand) (string, error) {
	if x.isValue() || !of.isValue() {
		return "", refuse("%s asks whether a variable has one of some values", name)
	}
	if name == "all" && len(of.values) > 1 {
		return "", refuse("all with more than one value asks about arrays, and there are none in Rowback")
	}
	if of.list == (name == "==") {
		return "", refuse("%s has a list of values where there has to be one, or one where there has to be a list", name)
	}
	return x.isOneOf(of.values)
}
