package expression

// parenthesized reads an expression in parentheses, or a tuple, which is a list here.
func (p *parser) parenthesized() (node, error) {
	if p.take(")") {
		return constant([]any{}), nil
	}
	first, err := p.element()
	if err != nil {
		return nil, err
	}
	if p.take(")") {
		return first, nil
	}
	return p.rest([]node{first}, ")")
}

// list reads a list, or a comprehension.
func (p *parser) list(end string) (node, error) {
	if p.take(end) {
		return func(*env) (any, error) { return []any{}, nil }, nil
	}
	isComprehension := p.hasFor()
	first, err := p.element()
	if err != nil {
		return nil, err
	}
	if isComprehension {
		return first, p.need(end)
	}
	return p.rest([]node{first}, end)
}

// hasFor reports whether what comes at this level is a comprehension.
func (p *parser) hasFor() bool {
	depth := 0
	for _, t := range p.tokens {
		switch {
		case t.opens():
			depth++
		case t.closes():
			if depth--; depth < 0 {
				return false
			}
		case depth == 0 && t.kind == nameToken && t.text == "for":
			return true
		}
	}
	return false
}

// rest reads the other elements of a list.
func (p *parser) rest(elements []node, end string) (node, error) {
	for !p.take(end) {
		if err := p.need(","); err != nil {
			return nil, err
		}
		if p.take(end) {
			break
		}
		one, err := p.element()
		if err != nil {
			return nil, err
		}
		elements = append(elements, one)
	}
	return func(e *env) (any, error) {
		list, err := all(e, elements)
		if err != nil {
			return nil, err
		}
		return list, e.left.handle(list...)
	}, nil
}

// object reads an object.
func (p *parser) object() (node, error) {
	var keys, values []node
	for !p.take("}") {
		if len(keys) > 0 {
			if err := p.need(","); err != nil {
				return nil, err
			}
			if p.take("}") {
				break
			}
		}
		key, err := p.expression()
		if err == nil {
			err = p.need(":")
		}
		if err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		keys, values = append(keys, key), append(values, value)
	}
	return func(e *env) (any, error) {
		out := map[string]any{}
		for i, key := range keys {
			pair, err := all(e, []node{key, values[i]})
			if err != nil {
				return nil, err
			}
			if err := e.left.handle(pair...); err != nil {
				return nil, err
			}
			out[text(pair[0])] = pair[1]
		}
		return out, nil
	}, nil
}
