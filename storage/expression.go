package storage

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"rowback/storage/duck"
	"rowback/storage/fault"
	"rowback/storage/schema"
)

// expression is a derivation as a client wrote it, while it is looked through.
type expression struct {
	schema    schema.Schema
	column    schema.Column // that it is to be
	text      string        // of the statement that it is part of
	uses      []use
	functions []string
}

// use is a place in the text that names a column: from byte at to before end.
type use struct {
	at, end int
	id      int
}

const (
	beforeExpression = "SELECT ("
	afterExpression  = "\n) FROM records"
)

// bindDerivation reads a derivation that a client wrote for column c: one SQL expression over other columns of s. It
// returns it with references in place of names.
func bindDerivation(ctx context.Context, box *duck.Conn, s schema.Schema, c schema.Column, written string) (string, error) {
	if strings.TrimSpace(written) == "" || strings.ContainsRune(written, 0) {
		return "", badDerivation("a derivation is an SQL expression; it is not empty and has no NUL characters")
	}
	e := &expression{schema: s, column: c, text: beforeExpression + written + afterExpression}
	n, tree, err := parse(ctx, box, e.text)
	if err != nil {
		return "", derivationOf(err)
	}
	if n.Type != "SELECT_NODE" || n.FromTable.Type != "BASE_TABLE" || n.FromTable.TableName != "records" || len(n.Select) != 1 ||
		len(n.Groups)+len(n.Modifiers)+len(n.Where) > 0 || n.Having != nil || n.Qualify != nil || n.Sample != nil {
		return "", badDerivation("%q is not one SQL expression", fault.Clip(written))
	}
	if err := e.walk(ctx, box, n.Select[0], nil); err != nil {
		return "", err
	}
	if err := readsRecords(ctx, box, tree); err != nil {
		return "", derivationOf(err)
	}
	if err := e.checkFunctions(ctx, box); err != nil {
		return "", err
	}
	return e.referring()
}

func badDerivation(format string, args ...any) error {
	return fault.Errorf(fault.Invalid, "invalid_derivation", "The derivation is refused: %s.", fmt.Sprintf(format, args...))
}

// derivationOf says of a derivation what is said of SQL.
func derivationOf(err error) error {
	told := Explain(err)
	if told.Code != "invalid_sql" {
		return err
	}
	why, unparsed := strings.CutPrefix(told.Detail, "The SQL can't be parsed: ")
	if unparsed {
		why = "it can't be parsed: " + why
	}
	return badDerivation("%s", strings.TrimSuffix(why, "."))
}

// notInExpressions are the parts of SQL that tell of more than one record, or of nothing that is written there.
var notInExpressions = map[string]string{
	"SUBQUERY": "a subquery", "WINDOW": "a window function", "PARAMETER": "a parameter (?, $1)", "STAR": "*",
	"POSITIONAL_REFERENCE": "a column's number (#1)", "DEFAULT": "DEFAULT",
}

// walk looks through a part of the parsed expression. bound are the names that lambdas around it give to their values.
func (e *expression) walk(ctx context.Context, box *duck.Conn, tree any, bound []string) error {
	switch t := tree.(type) {
	case []any:
		for _, part := range t {
			if err := e.walk(ctx, box, part, bound); err != nil {
				return err
			}
		}
	case map[string]any:
		class := text(t["class"])
		if what, ok := notInExpressions[class]; ok {
			return badDerivation("it has %s; it is one SQL expression over the columns of one record", what)
		}
		switch names := lambdaNames(t["lhs"], len(e.text)); {
		case class == "COLUMN_REF":
			return e.nameColumn(ctx, box, t, bound)
		case class == "LAMBDA" && len(names) > 0:
			if i := slices.IndexFunc(names, looksLikeReference.MatchString); i >= 0 {
				return badDerivation("the lambda's %q needs another name: c and a number are columns here", names[i])
			}
			return e.walk(ctx, box, t["expr"], slices.Concat(bound, names))
		case class == "FUNCTION":
			if err := e.call(t); err != nil {
				return err
			}
		}
		for _, name := range slices.Sorted(maps.Keys(t)) {
			if err := e.walk(ctx, box, t[name], bound); err != nil {
				return err
			}
		}
	}
	return nil
}

var looksLikeReference = regexp.MustCompile(`^[cC]\d+$`)

// lambdaNames returns the names that a lambda gives to its values. They have no place in the text, unlike the left side
// of the operator ->, which is parsed as a lambda, too.
func lambdaNames(side any, length int) (names []string) {
	t, _ := side.(map[string]any)
	if list, ok := t["children"].([]any); ok {
		for _, part := range list {
			names = append(names, lambdaNames(part, length)...)
		}
		return names
	}
	if _, placed := placeOf(t, length); t == nil || placed {
		return nil
	}
	return columnNames(t)
}

func placeOf(t map[string]any, length int) (at int, ok bool) {
	place, ok := t["query_location"].(float64)
	if !ok || place < 0 || place >= float64(length) {
		return 0, false
	}
	return int(place), true
}

func columnNames(t map[string]any) []string {
	list, _ := t["column_names"].([]any)
	names := make([]string, len(list))
	for i, name := range list {
		names[i] = text(name)
	}
	return names
}

// nameColumn finds the column that a part of the expression names.
func (e *expression) nameColumn(ctx context.Context, box *duck.Conn, t map[string]any, bound []string) error {
	names := columnNames(t)
	if len(names) == 0 || slices.ContainsFunc(bound, func(b string) bool { return schema.SameName(b, names[0]) }) {
		return nil
	}
	c, ok := e.schema.ByName(names[0])
	if row := e.schema.KeyColumns()[0]; !ok && schema.SameName(names[0], row.Name) {
		c, ok = row, true
	}
	if !ok && schema.SameName(names[0], e.column.Name) || ok && c.ID == e.column.ID {
		return badDerivation("variable %q can't be derived from itself", e.column.Name)
	}
	if !ok {
		return e.unknown(ctx, box, names[0])
	}
	at, placed := placeOf(t, len(e.text))
	end := at + nameLength(e.text[at:])
	if !placed || !schema.SameName(strings.Trim(e.text[at:end], `"`), strings.ReplaceAll(names[0], `"`, `""`)) {
		return badDerivation("column %q can't be made out where it is written; write its name in quotes", names[0])
	}
	e.uses = append(e.uses, use{at, end, c.ID})
	return nil
}

var writtenName = regexp.MustCompile(`^("([^"]|"")*"|[\pL_][\pL\pM\pN_$]*)`)

// nameLength is how many bytes the name has that a text starts with.
func nameLength(text string) int { return len(writtenName.FindString(text)) }

// unknown names the column that was perhaps meant.
func (e *expression) unknown(ctx context.Context, box *duck.Conn, name string) error {
	var have []string
	for _, c := range e.schema.Columns {
		if c.ID != e.column.ID {
			have = append(have, c.Name)
		}
	}
	if len(have) == 0 {
		return badDerivation("there is no column %q", fault.Clip(name))
	}
	near, err := Nearest(ctx, box, have, name, 1)
	if err != nil {
		return err
	}
	return badDerivation("there is no column %q; the nearest is %q", fault.Clip(name), near[0])
}

// Nearest returns up to most of some names: those that are most like one.
func Nearest(ctx context.Context, conn *duck.Conn, names []string, like string, most int) (near []string, err error) {
	err = conn.Rows(ctx, fmt.Sprintf("SELECT n FROM (SELECT unnest(%s) AS n) ORDER BY damerau_levenshtein(lower(n), lower(%s)), n LIMIT %d", duck.Texts(names), duck.Text(like), most), func(scan duck.Scan) error {
		var name string
		err := scan(&name)
		near = append(near, name)
		return err
	})
	return near, err
}

func (e *expression) call(t map[string]any) error {
	name := strings.ToLower(text(t["function_name"]))
	if values, _ := t["children"].([]any); name == "age" && len(values) == 1 {
		return badDerivation("age() of one value counts from today; give it two")
	}
	e.functions = append(e.functions, name)
	return nil
}

// checkFunctions refuses functions that give other values from one time to the next, or one for many records.
func (e *expression) checkFunctions(ctx context.Context, box *duck.Conn) error {
	if len(e.functions) == 0 {
		return nil
	}
	var names []string
	err := box.Rows(ctx, `SELECT DISTINCT function_name FROM duckdb_functions() WHERE list_contains(`+duck.Texts(e.functions)+`, function_name) AND
		(stability <> 'CONSISTENT' OR function_type = 'aggregate' OR macro_definition LIKE '%current\_%' ESCAPE '\') ORDER BY 1`, func(scan duck.Scan) error {
		var name string
		err := scan(&name)
		names = append(names, name)
		return err
	})
	if err != nil || len(names) == 0 {
		return err
	}
	return badDerivation("%s() is not a function of one record's values alone", names[0])
}

// referring returns the expression with references in place of names.
func (e *expression) referring() (string, error) {
	slices.SortFunc(e.uses, func(a, b use) int { return b.at - a.at }) // the last first
	e.uses = slices.Compact(e.uses)                                    // CASE a WHEN 1 … WHEN 2 is parsed as a = 1, a = 2
	out := e.text
	for _, u := range e.uses {
		out = out[:u.at] + schema.Reference(u.id) + out[u.end:]
	}
	out = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(out, beforeExpression), afterExpression))
	if len(schema.References(out)) != len(e.uses) {
		return "", badDerivation(`it has a "c" and a number in quotes, which stands for a column here; write that otherwise`)
	}
	return out, nil
}
