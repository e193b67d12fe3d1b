package clientsql

import (
	"context"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// CheckCondition returns an error unless a client's text is one SQL condition on the view "records".
func CheckCondition(ctx context.Context, box *duck.Conn, where string) error {
	_, err := ReadCondition(ctx, box, where)
	return err
}

// Condition is what a condition says of the view "records".
type Condition struct {
	Names [][]string // of columns, each in its parts: a; records.a; s.a for a field
	All   bool       // it may mean columns that it does not name, as COLUMNS(*) and queries within it do
}

// ReadCondition is CheckCondition, and returns what the condition says.
func ReadCondition(ctx context.Context, box *duck.Conn, where string) (c Condition, err error) {
	if strings.ContainsRune(where, 0) {
		return c, fault.Errorf(fault.Invalid, "invalid_condition", "A condition can't contain NUL characters.")
	}
	n, err := parse(ctx, box, "SELECT 1 FROM records WHERE ("+where+"\n)")
	if err != nil {
		return c, err
	}
	// Text that closes our parenthesis and opens another, as "a) OR (b" does, doesn't parse without them.
	_, err = parse(ctx, box, "SELECT 1 FROM records WHERE "+where+"\n")
	if err != nil && fault.KindOf(err) != fault.Invalid {
		return c, err
	}
	if err != nil || !n.readsRecords() || n.hasAny(clauses...) {
		return c, fault.Errorf(fault.Invalid, "invalid_condition", "%q is not one SQL condition.", fault.Clip(where))
	}
	for _, p := range n.Parts {
		c.add(p)
	}
	return c, onlyRecords(ctx, box, n)
}

// add adds what an expression names.
func (c *Condition) add(n *node) {
	switch n.Class {
	case "STAR", "SUBQUERY", "POSITIONAL_REFERENCE":
		c.All = true
	case "COLUMN_REF":
		c.Names = append(c.Names, n.Columns)
	}
	for _, p := range n.Parts {
		c.add(p)
	}
}

// readsRecords reports whether a statement is a SELECT from the view "records".
func (n *node) readsRecords() bool {
	from := n.one("from_table")
	return n.Type == "SELECT_NODE" && from.Type == "BASE_TABLE" && from.Table == "records"
}

// clauses are the parts of a SELECT besides its list, its tables and its condition.
var clauses = []string{"group_expressions", "modifiers", "having", "qualify", "sample"}

// onlyRecords returns an error unless a parsed statement reads only the view "records".
func onlyRecords(ctx context.Context, box *duck.Conn, n *node) error {
	r := &reach{}
	if err := walk(scope{r, nil}, n); err != nil {
		return err
	}
	if len(r.parameters) > 0 {
		return fault.Errorf(fault.Invalid, "invalid_condition",
			"A condition can't have parameters (?, $1). Write the values.")
	}
	for _, t := range r.tables {
		if !schema.SameName(t.Name, "records") || t.Schema != "" || t.Unit != "" {
			return forbidden("a table other than the records")
		}
	}
	return checkCalls(ctx, box, r.calls)
}
