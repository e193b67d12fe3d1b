package clientsql

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// expression is a client's derivation while it is being bound.
type expression struct {
	schema    schema.Schema
	column    schema.Column // the derived column
	text      string        // the statement around it
	uses      []use
	functions []string
}

// use is a place in the text that names a column: the bytes from at to end.
type use struct {
	at, end int
	id      int
}

const (
	beforeExpression = "SELECT ("
	afterExpression  = "\n) FROM records"
)

// BindDerivation checks a client's derivation for column c, which must be one SQL expression over other columns of s,
// and returns it with references in place of names (schema.Reference).
func BindDerivation(
	ctx context.Context, box *duck.Conn, s schema.Schema, c schema.Column, written string,
) (string, error) {
	if strings.TrimSpace(written) == "" || strings.ContainsRune(written, 0) {
		return "", RefuseDerivation("a derivation must be an SQL expression, neither empty nor with NUL characters")
	}
	e := &expression{schema: s, column: c, text: beforeExpression + written + afterExpression}
	n, err := parse(ctx, box, e.text)
	if err != nil {
		return "", ofDerivation(err)
	}
	// Text that closes our parenthesis and opens another, as "a) + (b" does, doesn't parse without them.
	if _, err := parse(ctx, box, "SELECT "+written+"\nFROM records"); err != nil {
		return "", ofDerivation(err)
	}
	list := n.all("select_list")
	if !n.readsRecords() || len(list) != 1 || n.hasAny(clauses...) || n.hasAny("where_clause") {
		return "", RefuseDerivation("%q is not one SQL expression", fault.Clip(written))
	}
	if err := walk(inExpression{expression: e, ctx: ctx, box: box}, list[0]); err != nil {
		return "", err
	}
	if err := onlyRecords(ctx, box, n); err != nil {
		return "", ofDerivation(err)
	}
	if err := e.checkFunctions(ctx, box); err != nil {
		return "", err
	}
	return e.referring()
}

// RefuseDerivation returns the error for a derivation that can't be accepted.
func RefuseDerivation(format string, args ...any) error {
	return fault.Errorf(fault.Invalid, "invalid_derivation",
		"The derivation is refused: %s.", fmt.Sprintf(format, args...))
}

// ofDerivation turns a refusal of SQL that can't be run into one of the derivation.
func ofDerivation(err error) error {
	if why, ok := reasonOf(err); ok {
		return RefuseDerivation("%s", why)
	}
	return err
}

// notInExpressions are the parts of SQL that refer to more than one record, or to nothing in the expression.
var notInExpressions = map[string]string{
	"SUBQUERY": "a subquery", "WINDOW": "a window function", "PARAMETER": "a parameter (?, $1)", "STAR": "*",
	"POSITIONAL_REFERENCE": "a column's number (#1)", "DEFAULT": "DEFAULT",
}

// inExpression visits the parts of a derivation.
type inExpression struct {
	*expression
	ctx   context.Context
	box   *duck.Conn
	bound []string // parameters of the lambdas around it
}

func (e inExpression) visit(n *node) (visitor, error) {
	if what, ok := notInExpressions[n.Class]; ok {
		return nil, RefuseDerivation("it has %s; it is one SQL expression over the columns of one record", what)
	}
	switch names := e.lambdaNames(n.one("lhs")); {
	case n.Class == "COLUMN_REF":
		return nil, e.nameColumn(n)
	case n.Class == "LAMBDA" && len(names) > 0:
		if i := slices.IndexFunc(names, looksLikeReference.MatchString); i >= 0 {
			return nil, RefuseDerivation("the lambda's %q needs another name: c and a number are columns here",
				names[i])
		}
		e.bound = slices.Concat(e.bound, names)
		return nil, walk(e, n.one("expr"))
	case n.Class == "FUNCTION":
		return e, e.call(n)
	}
	return e, nil
}

var looksLikeReference = regexp.MustCompile(`^[cC]\d+$`)

// lambdaNames returns the parameters of a lambda. The parser gives them no offset, unlike the left side of the operator
// ->, which it also parses as a lambda.
func (e *expression) lambdaNames(side *node) (names []string) {
	if list := side.all("children"); len(list) > 0 {
		for _, one := range list {
			names = append(names, e.lambdaNames(one)...)
		}
		return names
	}
	if e.places(side) {
		return nil
	}
	return side.Columns
}

// places reports whether a part has an offset in the text.
func (e *expression) places(n *node) bool { return n.Offset >= 0 && n.Offset < len(e.text) }

// nameColumn notes which column a part of the expression names.
func (e inExpression) nameColumn(n *node) error {
	if len(n.Columns) == 0 {
		return nil
	}
	name := n.Columns[0]
	if slices.ContainsFunc(e.bound, func(b string) bool { return schema.SameName(b, name) }) {
		return nil
	}
	c, ok := e.schema.ByName(name)
	if row := e.schema.KeyColumns()[0]; !ok && schema.SameName(name, row.Name) {
		c, ok = row, true
	}
	if !ok && schema.SameName(name, e.column.Name) || ok && c.ID == e.column.ID {
		return RefuseDerivation("variable %q can't be derived from itself", e.column.Name)
	}
	if !ok {
		return e.unknown(name)
	}
	if !e.places(n) {
		return unclear(name)
	}
	end := n.Offset + nameLength(e.text[n.Offset:])
	if !schema.SameName(unquoted(e.text[n.Offset:end]), name) {
		return unclear(name)
	}
	e.uses = append(e.uses, use{n.Offset, end, c.ID})
	return nil
}

func unclear(name string) error {
	return RefuseDerivation("column %q can't be located in the text; write its name in quotes", name)
}

var writtenName = regexp.MustCompile(`^("([^"]|"")*"|[\pL_][\pL\pM\pN_$]*)`)

// unquoted returns a name without its quotes.
func unquoted(written string) string {
	if inside, ok := strings.CutPrefix(written, `"`); ok {
		return strings.ReplaceAll(strings.TrimSuffix(inside, `"`), `""`, `"`)
	}
	return written
}

// nameLength returns the length in bytes of the name at the start of a text.
func nameLength(text string) int { return len(writtenName.FindString(text)) }

// unknown returns an error that suggests the column that was probably meant.
func (e inExpression) unknown(name string) error {
	var have []string
	for _, c := range e.schema.Columns {
		if c.ID != e.column.ID {
			have = append(have, c.Name)
		}
	}
	if len(have) == 0 {
		return RefuseDerivation("there is no column %q", fault.Clip(name))
	}
	near, err := Nearest(e.ctx, e.box, have, name, 1)
	if err != nil {
		return err
	}
	return RefuseDerivation("there is no column %q; the nearest is %q", fault.Clip(name), near[0])
}

// call notes a function that the expression calls.
func (e *expression) call(n *node) error {
	name := strings.ToLower(n.Function)
	if name == "age" && len(n.all("children")) == 1 {
		return RefuseDerivation("age() with one argument depends on today's date; give it two")
	}
	e.functions = append(e.functions, name)
	return nil
}

// unsteady is the SQL of those functions, out of a list, whose value differs from call to call or that aggregate
// records.
const unsteady = `SELECT DISTINCT function_name FROM duckdb_functions()
	WHERE list_contains({names}, function_name)
	AND (stability <> 'CONSISTENT' OR function_type = 'aggregate' OR macro_definition LIKE '%current\_%' ESCAPE '\')
	ORDER BY 1`

func (e *expression) checkFunctions(ctx context.Context, box *duck.Conn) error {
	if len(e.functions) == 0 {
		return nil
	}
	names, err := listed(ctx, box, duck.Fill(unsteady, duck.Parts{"names": duck.Texts(e.functions)}))
	if err != nil || len(names) == 0 {
		return err
	}
	return RefuseDerivation("%s() is not a function of one record's values alone", names[0])
}

// referring returns the expression with references in place of names.
func (e *expression) referring() (string, error) {
	slices.SortFunc(e.uses, func(a, b use) int { return b.at - a.at }) // the last first
	// CASE a WHEN 1 … WHEN 2 is parsed as a = 1, a = 2, with the same offset for both.
	e.uses = slices.Compact(e.uses)
	out := e.text
	for _, u := range e.uses {
		out = out[:u.at] + schema.Reference(u.id) + out[u.end:]
	}
	out = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(out, beforeExpression), afterExpression))
	if len(schema.References(out)) != len(e.uses) {
		return "", RefuseDerivation(
			`it has a "c" and a number in quotes, which stands for a column here; write it in another way`)
	}
	return out, nil
}
