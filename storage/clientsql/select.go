package clientsql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rowback/storage/duck"
	"rowback/storage/fault"
	"rowback/storage/schema"
)

// Table is a name in a statement that stands for a table.
type Table struct {
	Schema    string // with the catalog before it, where one is written
	Name      string
	Offset    int    // where the name begins, bytes into the statement
	Unit      string // of AT (VERSION => …) or AT (TIMESTAMP => …): the word; empty: there is none
	Point     string // of AT: its value, if it is a literal
	Parameter string // of AT: the parameter that has its value, if it is one
}

// Select is what a client's statement names.
type Select struct {
	Tables     []Table  // in the order of the text
	Parameters []string // by name, or by number from 1
}

// ParseSelect parses a text that a client wrote, which must be one SELECT, and finds what it names.
func ParseSelect(ctx context.Context, box *duck.Conn, text string) (Select, error) {
	n, err := parse(ctx, box, text)
	if err != nil {
		return Select{}, err
	}
	r := &reach{}
	if err = walk(scope{r, nil}, n); err == nil {
		err = checkCalls(ctx, box, r.calls)
	}
	slices.SortFunc(r.tables, func(a, b Table) int { return a.Offset - b.Offset })
	return Select{r.tables, slices.Compact(slices.Sorted(slices.Values(r.parameters)))}, err
}

// reach is what a statement touches.
type reach struct {
	tables     []Table
	parameters []string
	calls      []call
}

// scope finds what a part of a statement touches. What none may touch is an error.
type scope struct {
	*reach
	names []string // that the queries around it have given to queries (WITH), folded
}

func (s scope) with(name string) scope {
	s.names = append(slices.Clone(s.names), schema.Fold(name))
	return s
}

// visit visits the parts itself, as they do not all see the same names: each query of a WITH sees those before it, and
// of a recursive query only the right side sees its name.
func (s scope) visit(n *node) (visitor, error) {
	if err := s.look(n); err != nil {
		return nil, err
	}
	inside := s
	for _, p := range n.Parts {
		at := inside
		if n.Type == "RECURSIVE_CTE_NODE" && p.Place == "right" {
			at = inside.with(n.CTE)
		}
		if err := walk(at, p); err != nil {
			return nil, err
		}
		if p.Place == with {
			inside = inside.with(p.Given)
		}
	}
	return nil, nil
}

// showsList is the refusal of SHOW TABLES and the like, for which the parser gives no place.
const showsList = "The SQL asks for a list of what the server has (SHOW), which it can't have. " +
	"The datasets are in the table rowback.datasets."

func (s scope) look(n *node) error {
	switch {
	case n.Class == "PARAMETER":
		s.parameters = append(s.parameters, n.Name)
	case n.Class == "FUNCTION" && n.Type == "FUNCTION", n.Class == "WINDOW":
		s.calls = append(s.calls, call{strings.ToLower(n.Function), n.Offset})
	case n.Type == "TABLE_FUNCTION":
		if !slices.Contains(pureTables, strings.ToLower(n.one("function").Function)) {
			return forbiddenAt(n.Offset, "a table function other than "+strings.Join(pureTables, ", "))
		}
	case n.Type == "BASE_TABLE":
		return s.name(n)
	case n.Type == "SHOW_REF" && (!n.hasAny("query") || n.Table != ""):
		return fault.Errorf(fault.Invalid, "forbidden_sql", showsList)
	}
	return nil
}

// name notes a table that is not one of the statement's own queries.
func (s scope) name(n *node) error {
	t := Table{Schema: n.Schema, Name: n.Table, Offset: n.Offset}
	if n.Catalog != "" {
		t.Schema = n.Catalog + "." + t.Schema
	}
	own := t.Schema == "" && slices.Contains(s.names, schema.Fold(t.Name))
	switch at := n.all("at_clause"); {
	case own && len(at) > 0:
		return invalid(t.Offset, "%q is a query of the statement itself (WITH), which has no versions: AT is for datasets.",
			fault.Clip(t.Name))
	case own:
		return nil
	case len(at) > 0:
		t.Unit = at[0].Unit
		t.Point, t.Parameter = constant(at[0].one("expr"))
	}
	s.tables = append(s.tables, t)
	return nil
}

// constant returns the value of a constant, through casts, or the parameter that has it; both are empty where n is
// neither.
func constant(n *node) (value, parameter string) {
	for n.Class == "CAST" {
		n = n.one("child")
	}
	switch v := n.one("value").Value; {
	case n.Class == "PARAMETER":
		return "", n.Name
	case n.Class != "CONSTANT" || v == nil:
		return "", ""
	default:
		return fmt.Sprint(v), ""
	}
}
