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
	if strings.ContainsRune(where, 0) {
		return fault.Errorf(fault.Invalid, "invalid_condition", "A condition can't contain NUL characters.")
	}
	n, err := parse(ctx, box, "SELECT 1 FROM records WHERE ("+where+"\n)")
	if err != nil {
		return err
	}
	// Text that closes our parenthesis and opens another, as "a) OR (b" does, doesn't parse without them.
	_, err = parse(ctx, box, "SELECT 1 FROM records WHERE "+where+"\n")
	if err != nil && fault.KindOf(err) != fault.Invalid {
		return err
	}
	if err != nil || !n.readsRecords() || n.hasAny(clauses...) {
		return fault.Errorf(fault.Invalid, "invalid_condition", "%q is not one SQL condition.", fault.Clip(where))
	}
	return onlyRecords(ctx, box, n)
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
