package storage

import (
	"maps"
	"regexp"
	"slices"

	"rowback/storage/fault"
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

// size is what a part of a statement comes to.
type size struct{ tables, columns int }

func (s size) plus(o size) size { return size{s.tables + o.tables, s.columns + o.columns} }

// depth is how deep a part of a statement lies.
type depth struct{ queries, subqueries, expressions int }

// sizing finds how large a statement is.
type sizing struct {
	inlined bool // queries of a WITH may be written out where they are named
}

// notMaterialized is looked for in the text: the parsed statement does not have it.
var notMaterialized = regexp.MustCompile(`(?i)\bNOT\s+MATERIALIZED\b`)

// checkSize refuses a statement that is too large.
func checkSize(statement string, tree any) error {
	s := &sizing{notMaterialized.MatchString(statement)}
	_, err := s.of(tree, nil, depth{})
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
			return tooComplex("has more than %d brackets inside one another. Leave out those that it does not need.", maxBracketsDeep)
		}
	}
	return nil
}

func tooComplex(format string, args ...any) error {
	return fault.Errorf(fault.Invalid, "too_complex", "The SQL "+format, args...)
}

// of finds the size of a part. with are the sizes of the queries that have names there.
func (s *sizing) of(tree any, with map[string]size, at depth) (sum size, err error) {
	switch t := tree.(type) {
	case []any:
		return s.sum(slices.Values(t), with, at)
	case map[string]any:
		if at, err = at.into(t); err != nil {
			return sum, err
		}
		return s.ofNode(t, with, at)
	}
	return sum, nil
}

// into is the depth inside a part.
func (d depth) into(t map[string]any) (depth, error) {
	switch kind, class := text(t["type"]), text(t["class"]); {
	case class == "SUBQUERY":
		d.subqueries, d.expressions = d.subqueries+1, 0
	case class != "":
		d.expressions++
	case kind == "SELECT_NODE":
		d.queries, d.expressions = d.queries+1, 0
	}
	switch {
	case d.queries > maxQueriesDeep:
		return d, tooComplex("has queries inside one another, more than %d deep. Give names to some of them, with WITH.", maxQueriesDeep)
	case d.subqueries > maxSubqueriesDeep:
		return d, tooComplex("has subqueries inside one another, more than %d deep. Join some of them instead.", maxSubqueriesDeep)
	case d.expressions > maxExpressionDeep:
		return d, tooComplex("has an expression with more than %d parts inside one another. Compute some of them in a query of their own.", maxExpressionDeep)
	}
	return d, nil
}

func (s *sizing) ofNode(t map[string]any, with map[string]size, at depth) (sum size, err error) {
	if text(t["type"]) == "BASE_TABLE" {
		return s.ofTable(t, with), nil
	}
	if with, err = s.named(t, with, at); err != nil {
		return sum, err
	}
	switch text(t["type"]) {
	case "SELECT_NODE":
		return s.ofSelect(t, with, at)
	case "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE":
		return s.ofBoth(t, with, at)
	}
	if sum, err = s.sum(maps.Values(t), with, at); err != nil {
		return sum, err
	}
	if text(t["class"]) != "" {
		sum.columns = 0
	}
	return sum, sum.check()
}

func (s *sizing) sum(parts func(yield func(any) bool), with map[string]size, at depth) (sum size, err error) {
	for part := range parts {
		own, err := s.of(part, with, at)
		if err != nil {
			return sum, err
		}
		sum = sum.plus(own)
	}
	return sum, sum.check()
}

// check refuses what is too large. It is called after every step, so that no number grows far past the bounds.
func (s size) check() error {
	switch {
	case s.tables > maxTables:
		return tooComplex("names tables more than %d times, where the queries of WITH … AS NOT MATERIALIZED are written out. Leave out NOT MATERIALIZED, or make more statements of it.", maxTables)
	case s.columns > maxColumns:
		return tooComplex("has a query with more than %d columns. Name those that are needed, instead of *.", maxColumns)
	}
	return nil
}

func (s *sizing) ofTable(t map[string]any, with map[string]size) size {
	own, named := with[schema.Fold(text(t["table_name"]))]
	if !named || text(t["schema_name"]) != "" {
		return size{1, 1}
	}
	if !s.inlined {
		own.tables = 0
	}
	own.tables++
	return own
}

// named adds the queries of a part's WITH, each of which sees those before it.
func (s *sizing) named(t map[string]any, with map[string]size, at depth) (map[string]size, error) {
	clause, _ := t["cte_map"].(map[string]any)
	list, _ := clause["map"].([]any)
	if len(list) == 0 {
		return with, nil
	}
	with = maps.Clone(with)
	if with == nil {
		with = map[string]size{}
	}
	for _, part := range list {
		entry, _ := part.(map[string]any)
		own, err := s.of(entry["value"], with, at)
		if err != nil {
			return nil, err
		}
		with[schema.Fold(text(entry["key"]))] = own
	}
	return with, nil
}

// ofBoth counts the tables of both sides of a UNION, and the columns of the wider one.
func (s *sizing) ofBoth(t map[string]any, with map[string]size, at depth) (sum size, err error) {
	left, err := s.of(t["left"], with, at)
	if err != nil {
		return sum, err
	}
	right, err := s.of(t["right"], with, at)
	if err != nil {
		return sum, err
	}
	sum = size{left.tables + right.tables, max(left.columns, right.columns)}
	return sum, sum.check()
}

// ofSelect counts the tables of all parts of a SELECT but its WITH, and the columns of its list.
func (s *sizing) ofSelect(t map[string]any, with map[string]size, at depth) (sum size, err error) {
	from, err := s.of(t["from_table"], with, at)
	if err != nil {
		return sum, err
	}
	for name, part := range t {
		own := from
		if name != "from_table" && name != "cte_map" {
			if own, err = s.of(part, with, at); err != nil {
				return sum, err
			}
		}
		if name != "cte_map" {
			sum.tables += own.tables
		}
	}
	list, _ := t["select_list"].([]any)
	for _, item := range list {
		sum.columns++
		if n, _ := item.(map[string]any); text(n["class"]) == "STAR" {
			sum.columns += from.columns - 1
		}
	}
	if err := checkAliases(list); err != nil {
		return sum, err
	}
	return sum, sum.check()
}

// checkAliases refuses a list in which an alias stands for too many others.
func checkAliases(list []any) error {
	aliases := map[string]int{}
	for _, item := range list {
		uses := expanded(item, aliases)
		if uses > maxExpanded {
			return tooComplex("has an alias that stands for more than %d others. Compute some of them in a query of their own.", maxExpanded)
		}
		if n, _ := item.(map[string]any); text(n["alias"]) != "" {
			aliases[schema.Fold(text(n["alias"]))] = max(uses, 1)
		}
	}
	return nil
}

// expanded counts the aliases in an expression, with those that they stand for.
func expanded(tree any, aliases map[string]int) (uses int) {
	switch t := tree.(type) {
	case []any:
		for _, part := range t {
			uses += expanded(part, aliases)
		}
	case map[string]any:
		if names := columnNames(t); text(t["class"]) == "COLUMN_REF" && len(names) == 1 {
			return aliases[schema.Fold(names[0])]
		}
		for _, part := range t {
			uses += expanded(part, aliases)
		}
	}
	return uses
}
