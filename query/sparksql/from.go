package sparksql

import "strings"

// from reads the relations after FROM.
func (p *parser) from() {
	for p.joined(); p.accept(","); {
		p.joined()
	}
	for p.accept("LATERAL") {
		p.expect("VIEW")
		p.lateralView()
	}
}

// lateralView reads a generator, with the name of its table and those of its columns.
func (p *parser) lateralView() {
	_ = p.accept("OUTER")
	p.generator()
	if isName(p.peek()) {
		p.name()
	}
	if p.accept("AS") {
		p.names()
	}
}

// joined reads a relation, and those that are joined to it.
func (p *parser) joined() {
	for p.relation(); p.join(); {
		p.relation()
		switch {
		case p.accept("ON"):
			p.expressions(false)
		case p.accept("USING"):
			p.inside(p.names)
		}
	}
}

// join reads the words up to JOIN, if a join comes.
func (p *parser) join() bool {
	if !p.is("JOIN", "NATURAL", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI") {
		return false
	}
	_ = p.accept("NATURAL")
	_ = p.accept("INNER", "CROSS", "LEFT", "RIGHT", "FULL")
	_ = p.accept("OUTER", "SEMI", "ANTI")
	p.expect("JOIN")
	return true
}

// relation reads a table, a generator, a subquery, or relations in parentheses.
func (p *parser) relation() {
	lateral := p.is("LATERAL") && p.after(1).upper != "VIEW" && p.accept("LATERAL")
	switch t := p.peek(); {
	case t.upper == "(":
		p.inside(p.relations)
		p.sample()
		p.alias()
	case t.kind == word && p.after(1).upper == "(":
		p.generator()
		p.alias()
	case !lateral && isName(t):
		p.table()
	case t.kind == text:
		p.refuse("a table is expected here, and quotes enclose a text in Spark SQL. Write names in backticks: %s",
			quote(strings.Trim(t.raw, `"'`)))
	default:
		p.refuse("expected a table here, a subquery, or (VALUES …). A keyword that is meant as a name is written in backticks")
	}
	for p.accept("PIVOT", "UNPIVOT") {
		_ = p.accept("INCLUDE", "EXCLUDE") && p.accept("NULLS")
		p.inside(p.argument)
		p.alias()
	}
}

// relations reads what is inside the parentheses of a relation.
func (p *parser) relations() {
	if p.is("SELECT", "WITH", "VALUES", "(") && !p.isJoin() {
		p.query()
		return
	}
	p.joined()
}

// isJoin reports whether the parenthesis that is next has joined relations, and not a query.
func (p *parser) isJoin() bool {
	at := p.at
	for at < len(p.tokens) && p.tokens[at].upper == "(" {
		at++
	}
	return at > p.at && !isOneOf(p.tokens[at], "SELECT", "WITH", "VALUES")
}

// generator reads a function that returns a table.
func (p *parser) generator() {
	if t := p.peek(); t.kind != word || !generators[strings.ToLower(t.raw)] || p.after(1).upper != "(" {
		p.refuse("expected one of the functions that return tables: explode, explode_outer, inline, inline_outer, " +
			"json_tuple, posexplode, posexplode_outer, range, stack")
	}
	p.at++
	p.inside(p.argument)
}

var generators = set("explode explode_outer inline inline_outer json_tuple posexplode posexplode_outer range stack")

// table reads a table, with its version or time, and gives it its name for the engine.
func (p *parser) table() {
	begin := p.at
	parts := []string{p.name().name()}
	for p.accept(".") {
		parts = append(parts, p.name().name())
	}
	name, from := parts[len(parts)-1], strings.ToLower(strings.Join(parts[:len(parts)-1], "."))
	if from != "" && from != "datasets" {
		p.at = begin
		p.refuse("there is no schema %s. Name a dataset; only DuckDB has the tables of the schema rowback", from)
	}
	alias, made := name, ""
	if from == "" {
		made = p.common(name)
	}
	if made == "" {
		made = p.dataset(name+p.version(name), begin)
	}
	p.edits[begin] = edit{p.at, made}
	p.sample()
	if at := p.at; !p.alias() {
		p.before(at, " AS "+quote(alias)+" ")
	}
}

// common returns the name for the engine of a common table expression; empty: there is none of that name here.
func (p *parser) common(name string) string {
	for i := len(p.scopes) - 1; i >= 0; i-- {
		if made := p.scopes[i][strings.ToLower(name)]; made != "" {
			return made
		}
	}
	return ""
}

// dataset returns the name for the engine of a dataset. The same text has the same one.
func (p *parser) dataset(name string, begin int) string {
	for _, t := range p.tables {
		if t.Name == name {
			return t.As
		}
	}
	t := Table{Name: name, As: p.makeName(), Offset: p.tokens[begin].offset}
	p.tables = append(p.tables, t)
	return t.As
}

// version reads VERSION AS OF or TIMESTAMP AS OF, and returns the ref with its @; empty: neither comes.
func (p *parser) version(name string) string {
	begin := p.at
	_ = p.accept("FOR")
	if !p.accept("VERSION", "SYSTEM_VERSION", "TIMESTAMP", "SYSTEM_TIME") || !p.accept("AS") || !p.accept("OF") {
		p.at = begin
		return ""
	}
	t := p.peek()
	ref := strings.Trim(t.raw, "'")
	if t.kind != number && (t.kind != text || t.raw[0] != '\'' || strings.ContainsAny(ref, `'\`)) {
		p.refuse("expected a version or a time here: a number, or a text in single quotes")
	}
	if strings.Contains(name, "@") {
		p.refuse("%s already has a ref after the @: leave out one of the two", name)
	}
	p.at++
	return "@" + strings.Replace(ref, " ", "T", 1)
}

// sample reads TABLESAMPLE.
func (p *parser) sample() {
	if p.accept("TABLESAMPLE") {
		p.inside(p.argument)
	}
}

// alias reads the name of a relation and those of its columns, if it has one.
func (p *parser) alias() bool {
	if !p.accept("AS") && !isName(p.peek()) {
		return false
	}
	p.name()
	if p.is("(") {
		p.inside(p.names)
	}
	return true
}
