package sparksql

import "strings"

// setOperations are between two queries.
var setOperations = []string{"UNION", "EXCEPT", "MINUS", "SETMINUS", "INTERSECT"}

// query reads a query: WITH, operands with set operations between them, and what orders and limits the whole.
func (p *parser) query() {
	p.scopes = append(p.scopes, map[string]string{})
	if p.accept("WITH") {
		p.commonTables()
	}
	p.operand()
	for p.accept(setOperations...) {
		_ = p.accept("ALL", "DISTINCT")
		if p.accept("BY") {
			p.expect("NAME")
		}
		p.operand()
	}
	p.ending()
	p.scopes = p.scopes[:len(p.scopes)-1]
}

// commonTables reads common table expressions. Each can be named by those after it, and by itself if RECURSIVE is said.
func (p *parser) commonTables() {
	recursive := p.accept("RECURSIVE")
	scope := p.scopes[len(p.scopes)-1]
	for {
		at := p.at
		name, made := strings.ToLower(p.name().name()), p.makeName()
		if _, twice := scope[name]; twice {
			p.at = at
			p.refuse("two common table expressions have this name")
		}
		p.edits[at] = edit{at + 1, made}
		if p.is("(") {
			p.inside(func() { p.names() })
		}
		_ = p.accept("AS")
		if recursive {
			scope[name] = made
		}
		p.inside(p.query)
		scope[name] = made
		if !p.accept(",") {
			return
		}
	}
}

// names reads names with commas between them.
func (p *parser) names() {
	for p.name(); p.accept(","); {
		p.name()
	}
}

// operand reads one query of a set operation.
func (p *parser) operand() {
	switch {
	case p.is("("):
		p.inside(p.query)
	case p.accept("VALUES"):
		p.expressions(true)
	case p.accept("SELECT"):
		p.selection()
	default:
		p.refuse("expected SELECT here. A statement is one query")
	}
}

// selection reads what follows SELECT.
func (p *parser) selection() {
	_ = p.accept("ALL", "DISTINCT")
	p.expressions(true)
	if p.accept("FROM") {
		p.from()
	}
	if p.accept("WHERE") {
		p.expressions(false)
	}
	if p.accept("GROUP") {
		p.expect("BY")
		p.expressions(true)
		if p.accept("WITH") && !p.accept("ROLLUP", "CUBE") {
			p.refuse("expected ROLLUP or CUBE here")
		}
	}
	for p.accept("HAVING", "QUALIFY") {
		p.expressions(false)
	}
}

// ending reads what orders and limits a query.
func (p *parser) ending() {
	for {
		switch {
		case p.accept("ORDER", "SORT", "CLUSTER", "DISTRIBUTE"):
			p.expect("BY")
			p.expressions(true)
		case p.accept("LIMIT", "OFFSET"):
			if !p.accept("ALL") {
				p.expressions(false)
			}
		case p.accept("WINDOW"):
			p.windows()
		default:
			return
		}
	}
}

// windows reads named windows.
func (p *parser) windows() {
	for {
		p.name()
		p.expect("AS")
		p.inside(p.argument)
		if !p.accept(",") {
			return
		}
	}
}

// endsExpressions are what follows an expression in a query.
var endsExpressions = set(`FROM WHERE GROUP HAVING QUALIFY ORDER SORT CLUSTER DISTRIBUTE LIMIT OFFSET WINDOW UNION EXCEPT
	MINUS SETMINUS INTERSECT JOIN INNER CROSS LEFT RIGHT FULL NATURAL SEMI ANTI LATERAL WITH`)

// notInExpressions are keywords that no expression has, or only in forms that are not supported.
var notInExpressions = set(`SELECT TABLE USING VIEW PIVOT UNPIVOT TABLESAMPLE STREAM ON`)

// expressions reads one expression or, with commas between them, several. There must be one.
func (p *parser) expressions(several bool) {
	begin := p.at
	for ; ; p.at++ {
		switch t := p.peek(); {
		case t.kind == end || isOneOf(t, ")", "]", ";"):
			p.some(begin)
			return
		case t.upper == ",":
			if p.some(begin); !several {
				return // whoever asked for one refuses the comma, or knows what it stands for
			}
			begin = p.at + 1
		case p.isPart():
			p.part()
		case t.kind == word && endsExpressions[t.upper] && !p.isCall() && !p.isExcept():
			if t.upper == "FROM" && p.tokens[p.at-1].upper == "DISTINCT" {
				p.refuse("IS DISTINCT FROM is not supported. Write NOT a <=> b, and a <=> b for IS NOT DISTINCT FROM")
			}
			p.some(begin)
			return
		default:
			p.part()
		}
	}
}

// some refuses an expression without anything.
func (p *parser) some(begin int) {
	if p.at == begin {
		p.refuse("expected an expression here. A keyword that is meant as a name is written in backticks")
	}
}

// isPart reports whether the next token is the name of a field, after a dot that is not the end of a number.
func (p *parser) isPart() bool {
	if p.at < 2 || p.tokens[p.at-1].upper != "." {
		return false
	}
	of := p.tokens[p.at-2]
	return of.kind == word || of.kind == quoted || isOneOf(of, ")", "]")
}

// isCall reports whether the next token is a function that is named as a keyword is: left('abc', 1).
func (p *parser) isCall() bool { return p.is("LEFT", "RIGHT") && p.after(1).upper == "(" }

// isExcept reports whether columns are left out here: * EXCEPT (a, b).
func (p *parser) isExcept() bool {
	return p.is("EXCEPT") && p.tokens[p.at-1].upper == "*" && p.after(1).upper == "("
}

// part reads a token of an expression; or, of parentheses and brackets, all that is inside, so that its end is the last
// one read.
func (p *parser) part() {
	t := p.peek()
	switch {
	case t.upper == "(":
		p.call()
		p.inside(p.argument)
		p.at--
	case t.upper == "[":
		p.brackets()
	case (t.kind == word || t.kind == quoted) && hidden[strings.ToLower(t.name())]:
		p.refuse("%s is a column of the engine's own, which tells where the records lie. Leave it out", t.name())
	case t.kind == word && notInExpressions[t.upper] && !p.isPart():
		p.refuse("unexpected %s. A keyword that is meant as a name is written in backticks", t.upper)
	case t.upper == "|" && p.after(1).upper == ">":
		p.refuse("|> is not supported. Write a subquery")
	}
}

// hidden are columns that engines have of every table: paths of files, and places in them.
var hidden = set("_metadata _file _pos _spec_id _partition _deleted _row_id _last_updated_sequence_number")

// brackets reads an index.
func (p *parser) brackets() {
	p.at++
	if p.depth++; p.depth > maxDepth {
		p.refuse("more than %d parentheses are inside one another", maxDepth)
	}
	p.expressions(false)
	p.depth--
	if !p.is("]") {
		p.refuse("expected ] here")
	}
}

// argument reads what is inside parentheses: a query, or any number of expressions.
func (p *parser) argument() {
	if p.is("SELECT", "WITH", "VALUES") {
		p.query()
		return
	}
	if p.is(")") {
		return
	}
	p.expressionsInside()
}

// expressionsInside reads expressions inside parentheses, where windows have an order, and calls filters.
func (p *parser) expressionsInside() {
	for {
		if p.is("FROM") {
			p.refuse("FROM is not supported inside a call. Write date_part('YEAR', t) for extract(YEAR FROM t), " +
				"trim(s) or substring(s, 1, 2)")
		}
		if p.accept("ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "PARTITION") {
			p.expect("BY")
		}
		_ = p.accept("DISTINCT", "ALL", "WHERE")
		p.expressions(true)
		if !p.is("ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "FROM", "WHERE") {
			return
		}
	}
}

// call refuses the parenthesis that is next if it calls what may not be called.
func (p *parser) call() {
	if p.at == 0 {
		return
	}
	switch before := p.tokens[p.at-1]; {
	case before.kind == quoted, before.kind == number, before.kind == text:
		p.at--
		p.refuse("this can't be called. Functions are named without quotes")
	case before.kind != word:
	case p.at > 1 && p.tokens[p.at-2].upper == ".":
		p.at--
		p.refuse("functions of a catalog or schema are not supported")
	case !functions[strings.ToLower(before.raw)] && !beforeParenthesis[before.upper]:
		p.at--
		p.refuse("the function %s is unknown or not allowed", before.raw)
	}
}

// beforeParenthesis are keywords and types that may have a parenthesis after them.
var beforeParenthesis = set(`IN AND OR NOT OVER GROUP FILTER EXISTS ANY SOME ALL BETWEEN THEN ELSE WHEN CASE LIKE ILIKE
	RLIKE REGEXP DISTINCT BY SETS ROLLUP CUBE VALUES SELECT LIMIT OFFSET IS DECIMAL DEC NUMERIC VARCHAR CHAR CHARACTER
	WHERE HAVING QUALIFY EXCEPT AS FOR ON UNION INTERSECT DIV`)
