// Package expression evaluates the expressions that target_fields have: one line of Python, of which the part that maps
// plainly to values is supported: literals, names, attributes and items, operators, comparisons, conditions, lists and
// their comprehensions, and the functions and methods in functions.go. Everything else is refused when it is parsed, by
// name. It knows no records but the values that it is given.
package expression

import (
	"fmt"
)

// Expression is a parsed expression.
type Expression struct{ root node }

// node is a part of an expression.
type node func(*env) (any, error)

// env is what names stand for while an expression is evaluated, and how much of it may still be done.
type env struct {
	names map[string]any
	left  *int
}

// maxSteps is how many parts of an expression are evaluated for one value, and maxSize how long what one of them makes
// may get. What a part returns takes steps too (weigh), so that time and memory are bounded by the steps alone.
const (
	maxSteps = 1_000_000
	maxSize  = 10_000_000
)

// maxLength is the longest expression, in bytes.
const maxLength = 20_000

// Parse reads an expression. names are those that it may use.
func Parse(text string, names ...string) (*Expression, error) {
	if len(text) > maxLength {
		return nil, fmt.Errorf("it has more than %d bytes", maxLength)
	}
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, name := range names {
		known[name] = true
	}
	p := &parser{tokens: tokens, known: known}
	root, err := p.expression()
	if err != nil {
		return nil, err
	}
	if next := p.peek(); next.kind != endToken {
		return nil, unexpected(next)
	}
	return &Expression{root}, nil
}

// Eval evaluates an expression. Values are nil, bool, int64, float64, string, []any and map[string]any.
func (x *Expression) Eval(names map[string]any) (any, error) {
	left := maxSteps
	return x.root.eval(&env{names, &left})
}

var errSteps = fmt.Errorf("it takes more than %d steps", maxSteps)

// eval evaluates a part, unless too many were.
func (n node) eval(e *env) (any, error) {
	if *e.left--; *e.left < 0 {
		return nil, errSteps
	}
	v, err := n(e)
	if _, isObject := v.(map[string]any); isObject || err != nil {
		return v, err // an object is weighed where it is made, and not each time one of its members is read
	}
	return v, e.pay(v)
}

// pay takes the steps of a value.
func (e *env) pay(v any) error {
	if *e.left -= weigh(v, *e.left); *e.left < 0 {
		return errSteps
	}
	return nil
}

// weigh returns how many steps a value takes, as far as there are so many: one for 64 bytes of text or four elements,
// and what those take in turn. Elements that are in a list several times count each time, as they are written so.
func weigh(v any, most int) (steps int) {
	switch v := v.(type) {
	case string:
		return len(v) / 64
	case []any:
		steps = len(v) / 4
		for i := 0; i < len(v) && steps <= most; i++ {
			steps += weigh(v[i], most-steps)
		}
	case map[string]any:
		steps = len(v)
		for key, one := range v {
			if steps += weigh(key, most) + weigh(one, most-steps); steps > most {
				break
			}
		}
	}
	return steps
}

// with returns the names with one more.
func (e *env) with(name string, value any) *env {
	names := make(map[string]any, len(e.names)+1)
	for k, v := range e.names {
		names[k] = v
	}
	names[name] = value
	return &env{names, e.left}
}

// all evaluates parts in turn.
func all(e *env, nodes []node) ([]any, error) {
	out := make([]any, len(nodes))
	for i, n := range nodes {
		var err error
		if out[i], err = n.eval(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}
