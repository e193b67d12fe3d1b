// Package expression evaluates the expressions that target_fields have: one line of Python, of which the part that maps
// plainly to values is supported: literals, names, attributes and items, operators, comparisons, conditions, lists and
// their comprehensions, and the functions and methods in functions.go. Everything else is refused when it is parsed, by
// name. It knows no records but the values that it is given.
package expression

import (
	"context"
	"errors"
	"fmt"
)

// Expression is a parsed expression.
type Expression struct{ root node }

// node is a part of an expression.
type node func(*env) (any, error)

// env is what names stand for while an expression is evaluated, and how much of it may still be done.
type env struct {
	names map[string]any
	given *given // by comprehensions
	left  *left
}

// given is what a name stands for within a comprehension, which is within another one.
type given struct {
	name  string
	value any
	outer *given
}

// left is what may still be done.
type left struct {
	ctx       context.Context
	one       int  // steps for this value
	all       *int // steps for all values
	unchecked int  // steps since it was seen whether anyone waits
}

// maxSteps is how many steps one value takes at most: the evaluation of a part is one, and so is each element of a list
// that is made or looked through, or textPerStep bytes of a text. maxSize is how many bytes a text has that is made.
const (
	maxSteps    = 1_000_000
	maxSize     = 10_000_000
	textPerStep = 64
	checkEvery  = 10_000
)

// ErrSteps is the error of values that take more steps together than they may.
var ErrSteps = errors.New("the expressions take too many steps")

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

// Eval evaluates an expression. Values are nil, bool, int64, float64, string, []any and map[string]any. steps is how
// many steps may be taken for this value and others; those that were taken are subtracted. When none are left the error
// is ErrSteps, and once nobody waits any more, that of the context.
func (x *Expression) Eval(ctx context.Context, names map[string]any, steps *int) (any, error) {
	return x.root.eval(&env{names: names, left: &left{ctx: ctx, one: maxSteps, all: steps}})
}

// eval evaluates a part.
func (n node) eval(e *env) (any, error) {
	if err := e.left.spend(1); err != nil {
		return nil, err
	}
	return n(e)
}

// spend notes steps, and refuses more than may be taken.
func (l *left) spend(steps int) error {
	l.one, *l.all, l.unchecked = l.one-steps, *l.all-steps, l.unchecked+steps
	switch {
	case l.one < 0:
		return fmt.Errorf("it takes more than %d steps", maxSteps)
	case *l.all < 0:
		return ErrSteps
	case l.unchecked > checkEvery:
		l.unchecked = 0
		return l.ctx.Err()
	}
	return nil
}

// handle spends what it takes to look through values, with all that is in them. An element that is shared counts each
// time: written out, it is as often there.
func (l *left) handle(values ...any) error {
	steps := 0
	for _, v := range values {
		steps += weight(v, l.one+1-steps)
	}
	return l.spend(steps)
}

// weight returns how many steps it takes to look through a value, or a number above most.
func weight(v any, most int) (steps int) {
	switch v := v.(type) {
	case string:
		return len(v) / textPerStep
	case []any:
		for _, one := range v {
			if steps += 1 + weight(one, most-steps); steps > most {
				break
			}
		}
	case map[string]any:
		for name, one := range v {
			if steps += 1 + len(name)/textPerStep + weight(one, most-steps); steps > most {
				break
			}
		}
	}
	return steps
}

// made returns what an operation made of values, unless that takes too many steps.
func (l *left) made(of []any, do func() (any, error)) (any, error) {
	if err := l.handle(of...); err != nil {
		return nil, err
	}
	v, err := do()
	if err != nil {
		return nil, err
	}
	return v, l.handle(v)
}

// with returns the names with one more.
func (e *env) with(name string, value any) *env {
	return &env{e.names, &given{name, value, e.given}, e.left}
}

// value returns what a name stands for.
func (e *env) value(name string) any {
	for g := e.given; g != nil; g = g.outer {
		if g.name == name {
			return g.value
		}
	}
	return e.names[name]
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
