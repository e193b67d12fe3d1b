package clientsql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// Table is the name of a table in a statement.
type Table struct {
	Schema    string // including the catalog, if the statement names one
	Name      string
	Offset    int    // of the name in the statement, in bytes
	Unit      string // VERSION or TIMESTAMP, from AT (… => …); empty: there is no AT
	Point     string // the value in AT, if it is a literal
	Parameter string // the parameter in AT, if it is one
}

// Select has the names in a client's statement.
type Select struct {
	Tables     []Table  // in the order of the text
	Parameters []string // by name, or by number from 1
	Passed     Passed
}

// ParseSelect parses a client's text, which must be one SELECT, and returns the tables and parameters that it names.
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
	return Select{r.tables, slices.Compact(slices.Sorted(slices.Values(r.parameters))), passed(n, r)}, err
}

// reach is everything that a statement refers to.
type reach struct {
	tables     []Table
	parameters []string
	calls      []call
}

// scope visits a part of a statement and adds to its reach. It returns an error for whatever no statement may use.
type scope struct {
	*reach
	names []string // of common table expressions that are visible here, folded
}

func (s scope) with(name string) scope {
	s.names = append(slices.Clone(s.names), schema.Fold(name))
	return s
}

// visit visits the parts itself, because they see different names: each common table expression sees those before it,
// and of a recursive one only the right side sees its own name.
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

// showsList is the refusal of SHOW TABLES and the like, for which the parser has no offset.
const showsList = "The SQL lists what is in the database (SHOW), which is not allowed. " +
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

// name notes a table, unless it is a common table expression of the statement.
func (s scope) name(n *node) error {
	t := Table{Schema: n.Schema, Name: n.Table, Offset: n.Offset}
	if n.Catalog != "" {
		t.Schema = n.Catalog + "." + t.Schema
	}
	own := t.Schema == "" && slices.Contains(s.names, schema.Fold(t.Name))
	switch at := n.all("at_clause"); {
	case own && len(at) > 0:
		return invalid(t.Offset, "%q is defined in the statement itself (WITH) and has no versions: AT is for datasets.",
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

// constant returns the value of a constant or the name of a parameter, ignoring casts; both are empty if n is neither.
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
