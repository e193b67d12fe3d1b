package expression

import (
	"fmt"
	"slices"
	"strconv"
)

// parser reads tokens from the left. Each method reads one level of precedence.
type parser struct {
	tokens []token
	known  map[string]bool
	depth  int
}

// maxNesting is how deep an expression may be nested.
const maxNesting = 100

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != endToken {
		p.tokens = p.tokens[1:]
	}
	return t
}

// take reads a sign or a word, if it is next.
func (p *parser) take(text string) bool {
	t := p.peek()
	if (t.kind == signToken || t.kind == nameToken) && t.text == text {
		p.next()
		return true
	}
	return false
}

// need reads a sign or a word that has to be next.
func (p *parser) need(text string) error {
	if !p.take(text) {
		return fmt.Errorf("there should be '%s' at character %d", text, p.peek().at+1)
	}
	return nil
}

func unexpected(t token) error {
	if t.kind == endToken {
		return fmt.Errorf("it ends too early")
	}
	return fmt.Errorf("'%s' at character %d is not expected", t.text, t.at+1)
}

// expression reads a value, or one of two by a condition.
func (p *parser) expression() (node, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, fmt.Errorf("it is nested more than %d deep", maxNesting)
	}
	defer func() { p.depth-- }()
	value, err := p.or()
	if err != nil || !p.take("if") {
		return value, err
	}
	condition, err := p.or()
	if err == nil {
		err = p.need("else")
	}
	if err != nil {
		return nil, err
	}
	other, err := p.expression()
	return func(e *env) (any, error) {
		is, err := condition.eval(e)
		if err != nil {
			return nil, err
		}
		if truth(is) {
			return value.eval(e)
		}
		return other.eval(e)
	}, err
}

// or reads values of which the first that is true counts, or the last; and all have to be, and the first that is not
// counts.
func (p *parser) or() (node, error)  { return p.either("or", true, p.and) }
func (p *parser) and() (node, error) { return p.either("and", false, p.not) }

func (p *parser) either(word string, until bool, operand func() (node, error)) (node, error) {
	left, err := operand()
	for err == nil && p.take(word) {
		first := left
		var second node
		if second, err = operand(); err == nil {
			left = func(e *env) (any, error) {
				v, err := first.eval(e)
				if err != nil || truth(v) == until {
					return v, err
				}
				return second.eval(e)
			}
		}
	}
	return left, err
}

func (p *parser) not() (node, error) {
	if !p.take("not") {
		return p.comparison()
	}
	if p.depth++; p.depth > maxNesting {
		return nil, fmt.Errorf("it is nested more than %d deep", maxNesting)
	}
	defer func() { p.depth-- }()
	of, err := p.not()
	return func(e *env) (any, error) {
		v, err := of.eval(e)
		return !truth(v), err
	}, err
}

// comparisons are the signs and words that compare.
var comparisons = []string{"==", "!=", "<=", ">=", "<", ">", "in", "is"}

// comparison reads values that are compared in a row: a < b < c.
func (p *parser) comparison() (node, error) {
	first, err := p.sum()
	if err != nil {
		return nil, err
	}
	operands, operators := []node{first}, []string{}
	for {
		operator, ok := p.comparator()
		if !ok {
			break
		}
		operand, err := p.sum()
		if err != nil {
			return nil, err
		}
		operands, operators = append(operands, operand), append(operators, operator)
	}
	if len(operators) == 0 {
		return first, nil
	}
	return func(e *env) (any, error) {
		left, err := operands[0].eval(e)
		for i := 0; i < len(operators) && err == nil; i++ {
			var right any
			if right, err = operands[i+1].eval(e); err != nil {
				break
			}
			if err = e.left.handle(left, right); err != nil {
				break
			}
			is, wrong := compare(operators[i], left, right)
			if wrong != nil || !is {
				return false, wrong
			}
			left = right
		}
		return true, err
	}, nil
}

// comparator reads what compares, if it is next.
func (p *parser) comparator() (string, bool) {
	t := p.peek()
	if t.kind == nameToken && t.text == "not" && len(p.tokens) > 1 && p.tokens[1].text == "in" {
		p.next()
		p.next()
		return "not in", true
	}
	if (t.kind != signToken && t.kind != nameToken) || !slices.Contains(comparisons, t.text) {
		return "", false
	}
	p.next()
	if t.text == "is" {
		if p.take("not") {
			return "is not", true
		}
	}
	return t.text, true
}

func (p *parser) sum() (node, error) { return p.binary(p.product, "+", "-") }

func (p *parser) product() (node, error) { return p.binary(p.signed, "*", "/", "//", "%") }

// binary reads operands between any of some operators, which are applied from the left.
func (p *parser) binary(operand func() (node, error), operators ...string) (node, error) {
	left, err := operand()
	for err == nil && p.peek().kind == signToken && slices.Contains(operators, p.peek().text) {
		sign, first := p.next().text, left
		var second node
		if second, err = operand(); err == nil {
			left = func(e *env) (any, error) {
				values, err := all(e, []node{first, second})
				if err != nil {
					return nil, err
				}
				return e.left.made(values, func() (any, error) { return calculate(sign, values[0], values[1]) })
			}
		}
	}
	return left, err
}

// signed reads a value with a sign before it, and one with a power after it, which binds more.
func (p *parser) signed() (node, error) {
	t := p.peek()
	if t.kind != signToken || t.text != "-" && t.text != "+" {
		return p.power()
	}
	p.next()
	if p.depth++; p.depth > maxNesting {
		return nil, fmt.Errorf("it is nested more than %d deep", maxNesting)
	}
	defer func() { p.depth-- }()
	of, err := p.signed()
	return func(e *env) (any, error) {
		v, err := of.eval(e)
		if err != nil {
			return nil, err
		}
		return calculate(t.text, int64(0), v)
	}, err
}

func (p *parser) power() (node, error) {
	base, err := p.postfix()
	if err != nil || !p.take("**") {
		return base, err
	}
	if p.depth++; p.depth > maxNesting {
		return nil, fmt.Errorf("it is nested more than %d deep", maxNesting)
	}
	defer func() { p.depth-- }()
	exponent, err := p.signed()
	return func(e *env) (any, error) {
		values, err := all(e, []node{base, exponent})
		if err != nil {
			return nil, err
		}
		return calculate("**", values[0], values[1])
	}, err
}

// postfix reads a value with what follows it: attributes, items, methods.
func (p *parser) postfix() (node, error) {
	of, err := p.atom()
	for err == nil {
		switch {
		case p.take("."):
			of, err = p.attribute(of)
		case p.take("["):
			of, err = p.item(of)
		default:
			return of, nil
		}
	}
	return nil, err
}

// attribute reads the name of a member of an object, or of a method with its arguments.
func (p *parser) attribute(of node) (node, error) {
	name := p.next()
	if name.kind != nameToken {
		return nil, unexpected(name)
	}
	if !p.take("(") {
		return func(e *env) (any, error) {
			v, err := of.eval(e)
			if err != nil {
				return nil, err
			}
			return member(v, name.text)
		}, nil
	}
	method, ok := methods[name.text]
	if !ok {
		return nil, fmt.Errorf("the method %s() is not supported; there are %s", name.text, namesOf(methods))
	}
	arguments, err := p.arguments()
	return func(e *env) (any, error) {
		v, err := of.eval(e)
		if err != nil {
			return nil, err
		}
		given, err := all(e, arguments)
		if err != nil {
			return nil, err
		}
		if name.text == "get" { // which does not look through what it is called on
			if err := e.left.handle(given...); err != nil {
				return nil, err
			}
			return method(v, given)
		}
		return e.left.made(append([]any{v}, given...), func() (any, error) { return method(v, given) })
	}, err
}

// item reads an item or a slice.
func (p *parser) item(of node) (node, error) {
	var from, to node
	var err error
	isSlice := p.take(":")
	if !isSlice {
		if from, err = p.expression(); err != nil {
			return nil, err
		}
		isSlice = p.take(":")
	}
	if isSlice && p.peek().text != "]" {
		if to, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if err := p.need("]"); err != nil {
		return nil, err
	}
	return func(e *env) (any, error) {
		parts := [3]any{}
		for i, n := range []node{of, from, to} {
			if n == nil {
				continue
			}
			var err error
			if parts[i], err = n.eval(e); err != nil {
				return nil, err
			}
		}
		if isSlice {
			return e.left.made(parts[:1], func() (any, error) { return slice(parts[0], parts[1], parts[2]) })
		}
		looked := parts[1:2]
		if _, isText := parts[0].(string); isText { // whose characters are counted
			looked = parts[:2]
		}
		if err := e.left.handle(looked...); err != nil {
			return nil, err
		}
		return itemOf(parts[0], parts[1])
	}, nil
}

// constants are the names of values.
var constants = map[string]any{"True": true, "False": false, "None": nil}

// atom reads a literal, a name, a call, a list, an object, or an expression in parentheses.
func (p *parser) atom() (node, error) {
	t := p.next()
	switch t.kind {
	case stringToken:
		for p.peek().kind == stringToken { // adjacent ones are one
			t.text += p.next().text
		}
		return constant(t.text), nil
	case numberToken:
		return numberOf(t)
	case nameToken:
		return p.name(t)
	case signToken:
		switch t.text {
		case "(":
			return p.parenthesized()
		case "[":
			return p.list("]")
		case "{":
			return p.object()
		}
	}
	return nil, unexpected(t)
}

func constant(v any) node { return func(*env) (any, error) { return v, nil } }

// numberOf reads a number: with a point or an exponent it is not whole.
func numberOf(t token) (node, error) {
	if n, err := strconv.ParseInt(t.text, 10, 64); err == nil {
		return constant(n), nil
	}
	n, err := strconv.ParseFloat(t.text, 64)
	if err != nil {
		return nil, fmt.Errorf("'%s' at character %d is not a number", t.text, t.at+1)
	}
	return constant(n), nil
}

// name reads a name, or a call of the function that has it.
func (p *parser) name(t token) (node, error) {
	if v, ok := constants[t.text]; ok {
		return constant(v), nil
	}
	if p.take("(") {
		function, ok := functions[t.text]
		if !ok {
			return nil, fmt.Errorf("the function %s() is not supported; there are %s", t.text, namesOf(functions))
		}
		arguments, err := p.arguments()
		return func(e *env) (any, error) {
			given, err := all(e, arguments)
			if err != nil {
				return nil, err
			}
			if t.text == "get" { // which does not look through its first argument
				if err := e.left.handle(given[min(1, len(given)):]...); err != nil {
					return nil, err
				}
				return function(given)
			}
			return e.left.made(given, func() (any, error) { return function(given) })
		}, err
	}
	if !p.known[t.text] {
		return nil, fmt.Errorf("the name %s at character %d is not known", t.text, t.at+1)
	}
	return func(e *env) (any, error) { return e.value(t.text), nil }, nil
}

// arguments reads the arguments of a call: values, or one comprehension.
func (p *parser) arguments() (out []node, err error) {
	if p.take(")") {
		return nil, nil
	}
	for {
		if p.peek().kind == nameToken && len(p.tokens) > 1 && p.tokens[1].text == "=" {
			return nil, fmt.Errorf("named arguments such as %s= are not supported", p.peek().text)
		}
		one, err := p.element()
		if err != nil {
			return nil, err
		}
		out = append(out, one)
		if p.take(")") {
			return out, nil
		}
		if err := p.need(","); err != nil {
			return nil, err
		}
	}
}
