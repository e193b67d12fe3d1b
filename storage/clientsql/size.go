package clientsql

import (
	"maps"
	"regexp"

	"github.com/rowback/rowback/storage/schema"
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
	all := &sizing{inlined: notMaterialized.MatchString(statement), named: map[string]size{}}
	return walk(all, n)
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
		return tooComplex("names tables more than %d times, where the queries of "+
			"WITH … AS NOT MATERIALIZED are written out. Leave out NOT MATERIALIZED, or make more statements of it.",
			maxTables)
	case s.columns > maxColumns:
		return tooComplex("has a query with more than %d columns. Name those that are needed, instead of *.",
			maxColumns)
	}
	return nil
}

// sizing finds the size of a node from the sizes of the nodes in it: each adds its own to that around it, when it has
// been visited.
type sizing struct {
	inlined bool            // queries of a WITH may be written out where they are named
	around  *sizing         // of the node around this one
	named   map[string]size // the sizes of the queries that have names here

	parts        size // of the nodes in this one, together
	widest, from int  // columns: of the widest of them, and of its FROM
}

// notMaterialized is looked for in the text: the parsed statement does not have it.
var notMaterialized = regexp.MustCompile(`(?i)\bNOT\s+MATERIALIZED\b`)

func (s *sizing) visit(n *node) (visitor, error) {
	return &sizing{inlined: s.inlined, around: s, named: s.named}, nil
}

// leave adds a node's size to that of the node around it. The query of a WITH counts where it is named.
func (s *sizing) leave(n *node) error {
	own, err := s.of(n)
	if err != nil {
		return err
	}
	around := s.around
	if n.Place == with {
		around.named = maps.Clone(around.named) // what lies further out does not see the name
		around.named[schema.Fold(n.Given)] = own
		return own.check()
	}
	around.parts = around.parts.plus(own)
	around.widest = max(around.widest, own.columns)
	if n.Place == "from_table" {
		around.from = own.columns
	}
	return own.check()
}

// of is the size of a node, once those of the nodes in it are known.
func (s *sizing) of(n *node) (size, error) {
	switch {
	case n.Type == "BASE_TABLE":
		return s.ofTable(n), nil
	case n.Type == "SELECT_NODE":
		list := n.all("select_list")
		return size{s.parts.tables, s.columnsOf(list)}, checkAliases(list)
	case n.Type == "SET_OPERATION_NODE", n.Type == "RECURSIVE_CTE_NODE":
		return size{s.parts.tables, s.widest}, nil
	case n.Class != "": // an expression is one column of a list, whatever is in it
		return size{s.parts.tables, 0}, nil
	}
	return s.parts, nil
}

func (s *sizing) ofTable(n *node) size {
	own, named := s.named[schema.Fold(n.Table)]
	if !named || n.Schema != "" {
		return size{1, 1}
	}
	if !s.inlined {
		own.tables = 0
	}
	own.tables++
	return own
}

// columnsOf counts the columns of a SELECT's list, where * stands for those of its FROM.
func (s *sizing) columnsOf(list []*node) (columns int) {
	for _, item := range list {
		columns++
		if item.Class == "STAR" {
			columns += s.from - 1
		}
	}
	return columns
}

// checkAliases refuses a list in which an alias stands for too many others.
func checkAliases(list []*node) error {
	aliases := map[string]int{}
	for _, item := range list {
		e := expansion{aliases: aliases}
		if err := walk(&e, item); err != nil {
			return err
		}
		if item.Alias != "" {
			aliases[schema.Fold(item.Alias)] = max(e.uses, 1)
		}
	}
	return nil
}

// expansion counts the aliases in an expression, with those that they stand for.
type expansion struct {
	aliases map[string]int // what those before it come to
	uses    int
}

func (e *expansion) visit(n *node) (visitor, error) {
	if n.Class != "COLUMN_REF" || len(n.Columns) != 1 {
		return e, nil
	}
	if e.uses += e.aliases[schema.Fold(n.Columns[0])]; e.uses > maxExpanded {
		return nil, tooComplex("has an alias that stands for more than %d others. "+
			"Compute some of them in a query of their own.", maxExpanded)
	}
	return nil, nil
}
