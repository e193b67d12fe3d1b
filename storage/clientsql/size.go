package clientsql

import (
	"maps"
	"regexp"

	"rowback/storage/schema"
)

// How large a statement may be. DuckDB's work on a statement before it runs grows without bound: it doubles with each
// subquery inside another, with each alias that is used twice in the next one, and with each * beside another.
const (
	maxQueriesDeep    = 50     // queries inside one another
	maxSubqueriesDeep = 15     // subqueries inside one another, in expressions
	maxExpressionDeep = 400    // parts of an expression inside one another
	maxBracketsDeep   = 500    // brackets inside one another: what is parsed here is parsed again inside more of them
	maxTables         = 1_000  // tables that are named, with WITH … AS NOT MATERIALIZED written out
	maxExpanded       = 5_000  // aliases in an expression, with those that they stand for written out
	maxColumns        = 10_000 // of a query, where a table counts as one
)

// checkSize refuses a statement that is too large.
func checkSize(statement string, n *node) error {
	if err := walk(depth{}, n); err != nil {
		return err
	}
	s := sizing{inlined: notMaterialized.MatchString(statement)}
	_, err := s.of(n, nil)
	return err
}

// checkBrackets refuses brackets that are too deep, which leave no trace in the parsed statement.
func checkBrackets(statement string) error {
	depth, quote := 0, byte(0)
	for i := range len(statement) {
		switch c := statement[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'', c == '"':
			quote = c
		case c == '(', c == '[', c == '{':
			depth++
		case c == ')', c == ']', c == '}':
			depth--
		}
		if depth > maxBracketsDeep {
			return tooComplex("has more than %d brackets inside one another. Leave out those that it does not need.",
				maxBracketsDeep)
		}
	}
	return nil
}

// depth is how deep a part of a statement lies.
type depth struct{ queries, subqueries, expressions int }

// visit refuses a part that lies too deep.
func (d depth) visit(n *node) (visitor, error) {
	switch {
	case n.Class == "SUBQUERY":
		d.subqueries, d.expressions = d.subqueries+1, 0
	case n.Class != "":
		d.expressions++
	case n.Type == "SELECT_NODE":
		d.queries, d.expressions = d.queries+1, 0
	}
	switch {
	case d.queries > maxQueriesDeep:
		return d, tooComplex("has queries inside one another, more than %d deep. "+
			"Give names to some of them, with WITH.", maxQueriesDeep)
	case d.subqueries > maxSubqueriesDeep:
		return d, tooComplex("has subqueries inside one another, more than %d deep. Join some of them instead.",
			maxSubqueriesDeep)
	case d.expressions > maxExpressionDeep:
		return d, tooComplex("has an expression with more than %d parts inside one another. "+
			"Compute some of them in a query of their own.", maxExpressionDeep)
	}
	return d, nil
}

// size is what a part of a statement comes to.
type size struct{ tables, columns int }

func (s size) plus(o size) size { return size{s.tables + o.tables, s.columns + o.columns} }

// check refuses what is too large. It is called after every step, so that no number grows far past the bounds.
func (s size) check() error {
	switch {
	case s.tables > maxTables:
		return tooComplex("names tables more than %d times, where the queries of WITH … AS NOT MATERIALIZED are "+
			"written out. "+
			"Leave out NOT MATERIALIZED, or make more statements of it.", maxTables)
	case s.columns > maxColumns:
		return tooComplex("has a query with more than %d columns. Name those that are needed, instead of *.",
			maxColumns)
	}
	return nil
}

// sizing finds how large a statement is: the size of each part comes from those of its own parts.
type sizing struct {
	inlined bool // queries of a WITH may be written out where they are named
}

// notMaterialized is looked for in the text: the parsed statement does not have it.
var notMaterialized = regexp.MustCompile(`(?i)\bNOT\s+MATERIALIZED\b`)

// of finds the size of a part. with are the sizes of the queries that have names there.
func (s sizing) of(n *node, with map[string]size) (sum size, err error) {
	if n.Type == "BASE_TABLE" {
		return s.ofTable(n, with), nil
	}
	if with, err = s.named(n, with); err != nil {
		return sum, err
	}
	switch n.Type {
	case "SELECT_NODE":
		return s.ofSelect(n, with)
	case "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE":
		return s.ofBoth(n, with)
	}
	for _, p := range n.Parts {
		own, err := s.of(p.node, with)
		if err != nil {
			return sum, err
		}
		sum = sum.plus(own)
	}
	if n.Class != "" {
		sum.columns = 0
	}
	return sum, sum.check()
}

func (s sizing) ofTable(n *node, with map[string]size) size {
	own, named := with[schema.Fold(n.Table)]
	if !named || n.Schema != "" {
		return size{1, 1}
	}
	if !s.inlined {
		own.tables = 0
	}
	own.tables++
	return own
}

// named adds the queries of a part's WITH, each of which sees those before it.
func (s sizing) named(n *node, with map[string]size) (map[string]size, error) {
	if len(n.With) == 0 {
		return with, nil
	}
	with = maps.Clone(with)
	if with == nil {
		with = map[string]size{}
	}
	for _, w := range n.With {
		own, err := s.of(w.query, with)
		if err != nil {
			return nil, err
		}
		with[schema.Fold(w.name)] = own
	}
	return with, nil
}

// ofBoth counts the tables of both sides of a UNION, and the columns of the wider one.
func (s sizing) ofBoth(n *node, with map[string]size) (sum size, err error) {
	left, err := s.of(n.one("left"), with)
	if err != nil {
		return sum, err
	}
	right, err := s.of(n.one("right"), with)
	if err != nil {
		return sum, err
	}
	sum = size{left.tables + right.tables, max(left.columns, right.columns)}
	return sum, sum.check()
}

// ofSelect counts the tables of all parts of a SELECT but its WITH, and the columns of its list.
func (s sizing) ofSelect(n *node, with map[string]size) (sum size, err error) {
	from := 0 // columns
	for _, p := range n.Parts {
		own, err := s.of(p.node, with)
		if err != nil {
			return sum, err
		}
		sum.tables += own.tables
		if p.name == "from_table" {
			from = own.columns
		}
	}
	list := n.all("select_list")
	for _, item := range list {
		sum.columns++
		if item.Class == "STAR" {
			sum.columns += from - 1
		}
	}
	if err := checkAliases(list); err != nil {
		return sum, err
	}
	return sum, sum.check()
}

// checkAliases refuses a list in which an alias stands for too many others.
func checkAliases(list []*node) error {
	aliases := map[string]int{}
	for _, item := range list {
		uses := expanded(item, aliases)
		if uses > maxExpanded {
			return tooComplex("has an alias that stands for more than %d others. "+
				"Compute some of them in a query of their own.", maxExpanded)
		}
		if item.Alias != "" {
			aliases[schema.Fold(item.Alias)] = max(uses, 1)
		}
	}
	return nil
}

// expanded counts the aliases in an expression, with those that they stand for.
func expanded(n *node, aliases map[string]int) (uses int) {
	if n.Class == "COLUMN_REF" && len(n.Columns) == 1 {
		return aliases[schema.Fold(n.Columns[0])]
	}
	for _, w := range n.With {
		uses += expanded(w.query, aliases)
	}
	for _, p := range n.Parts {
		uses += expanded(p.node, aliases)
	}
	return uses
}
