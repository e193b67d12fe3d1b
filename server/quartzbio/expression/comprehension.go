package expression

import "fmt"

// element reads a value, or a comprehension of values: a list.
func (p *parser) element() (node, error) {
	// The name that a comprehension gives is after the value that uses it: look for it first.
	added := p.comprehended()
	for _, name := range added {
		p.known[name] = true
	}
	value, err := p.expression()
	if err != nil || p.peek().text != "for" {
		p.forget(added)
		return value, err
	}
	value, err = p.comprehension(value)
	p.forget(added)
	return value, err
}

// forget makes names unknown again.
func (p *parser) forget(names []string) {
	for _, name := range names {
		delete(p.known, name)
	}
}

// comprehended returns the names that the comprehension of the next element gives, which are not known otherwise.
func (p *parser) comprehended() (names []string) {
	depth := 0
	for i, t := range p.tokens {
		if t.opens() {
			depth++
		}
		if t.closes() {
			if depth--; depth < 0 {
				return names
			}
		}
		if depth == 0 && t.kind == signToken && t.text == "," { // the next element
			return names
		}
		if depth == 0 && t.kind == nameToken && t.text == "for" && i+1 < len(p.tokens) {
			if name := p.tokens[i+1]; name.kind == nameToken && !p.known[name.text] {
				names = append(names, name.text)
			}
		}
	}
	return names
}

// comprehension reads what a value is made for: for x in list if condition, any number of times.
func (p *parser) comprehension(value node) (node, error) {
	if err := p.need("for"); err != nil {
		return nil, err
	}
	if p.depth++; p.depth > maxNesting {
		return nil, fmt.Errorf("it is nested more than %d deep", maxNesting)
	}
	defer func() { p.depth-- }()
	name := p.next()
	if name.kind != nameToken {
		return nil, unexpected(name)
	}
	if err := p.need("in"); err != nil {
		return nil, err
	}
	source, err := p.or()
	if err != nil {
		return nil, err
	}
	condition := constant(true)
	for p.take("if") {
		first := condition
		second, err := p.or()
		if err != nil {
			return nil, err
		}
		condition = func(e *env) (any, error) {
			if v, err := first.eval(e); err != nil || !truth(v) {
				return v, err
			}
			return second.eval(e)
		}
	}
	isNested := p.peek().text == "for"
	if isNested {
		if value, err = p.comprehension(value); err != nil {
			return nil, err
		}
	}
	return func(e *env) (any, error) { return comprehend(e, name.text, source, condition, value, isNested) }, nil
}

// comprehend makes a list of a value for each element of another.
func comprehend(e *env, name string, source, condition, value node, isNested bool) (any, error) {
	from, err := source.eval(e)
	if err != nil {
		return nil, err
	}
	elements, err := listOf(from)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, element := range elements {
		inner := e.with(name, element)
		is, err := condition.eval(inner)
		if err != nil {
			return nil, err
		}
		if !truth(is) {
			continue
		}
		v, err := value.eval(inner)
		if err != nil {
			return nil, err
		}
		if made, _ := v.([]any); isNested { // whose elements were looked through
			err = e.left.spend(len(made))
			out = append(out, made...)
		} else {
			err = e.left.handle(v)
			out = append(out, v)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
