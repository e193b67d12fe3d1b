package query

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// An AT clause after a table's name and alias, with a literal or a parameter. Other expressions would have to be
// evaluated first.
const (
	// gap is white space or a comment, atName an identifier, quoted or not. Group 1 of the whole is the table's alias.
	gap      = `(?:\s|--[^\n]*\n|/\*.*?\*/)`
	atName   = `(?:"(?:[^"]|"")*"|[\pL_][\pL\pM\pN_$]*)`
	atNames  = gap + `*\(` + gap + `*` + atName + `(?:` + gap + `*,` + gap + `*` + atName + `)*` + gap + `*\)`
	atType   = `TIMESTAMP\s+WITH\s+TIME\s+ZONE|TIMESTAMPTZ|TIMESTAMP|DATE`
	literal  = `(?:(?:` + atType + `)?` + gap + `*('(?:[^']|'')*'|\d+)|(\?\d*|\$\w+))`
	casts    = `(?:` + gap + `*::` + gap + `*(?:` + atType + `|\w+))*`
	cast     = `CAST` + gap + `*\(` + gap + `*` + literal + gap + `+AS` + gap + `+(?:` + atType + `|\w+)` + gap + `*\)`
	atSchema = `(?:` + atName + gap + `*\.` + gap + `*){0,2}`
	atClause = `(?is)^` + atSchema + atName + `(` + gap + `+(?:AS` + gap + `+)?` + atName + `(?:` + atNames + `)?)?` +
		gap + `+AT` + gap + `*\(` + gap +
		`*(?:VERSION|TIMESTAMP)` + gap + `*=>` + gap + `*(?:` + literal + casts + `|` + cast + `)` + gap + `*\)`
)

// DuckDB's parser has found the clause already (clientsql.Table); the pattern only finds where it ends in the text.
var atPattern = regexp.MustCompile(atClause)

const wantsLiteral = "AT takes a literal or a parameter, as in AT (VERSION => '1.0.0'), AT (TIMESTAMP => " +
	"'2026-01-31T10:00:00Z') or AT (VERSION => $1), after the table's alias."

// nameVersions replaces each table with an AT clause by the equivalent name: employees AT (VERSION => '1.0.0') becomes
// "employees@1.0.0". It returns the values of the remaining parameters. Tables then have one form, whichever way the
// client wrote the version, and DuckDB needs no support for AT.
func (t *text) nameVersions(ctx context.Context, box *duck.Conn, values []duck.Param) ([]duck.Param, error) {
	replaced := false // an edit has replaced a parameter
	for _, table := range t.Tables {
		if table.Unit == "" {
			continue
		}
		e, parameter, err := t.named(table, values)
		if err != nil {
			t.edits = nil
			return nil, t.located(err, table.Offset)
		}
		t.edits, replaced = append(t.edits, e), replaced || parameter
	}
	if len(t.edits) == 0 {
		return values, nil
	}
	if replaced {
		if err := t.renumber(&values); err != nil {
			return nil, err
		}
	}
	t.rewrite()
	var err error
	// Parsed again, so that everything after this works on the statement that runs.
	t.Select, err = clientsql.ParseSelect(ctx, box, t.sql)
	return slices.DeleteFunc(values,
		func(p duck.Param) bool { return !slices.Contains(t.Parameters, p.Name) }), t.explain(err)
}

// named returns the edit that names a table's version, and whether a parameter holds the version.
func (t *text) named(table clientsql.Table, values []duck.Param) (e edit, parameter bool, refused *fault.Error) {
	switch {
	// The tables about the history show all of it, as it is now.
	case table.Schema != "" && schema.Fold(table.Schema) != viewSchema:
		return e, false, refuse("invalid_sql", "%s.%s has no versions: AT is for datasets.", clip(table.Schema, maxName),
			clip(table.Name, maxName))
	case strings.Contains(table.Name, "@"):
		return e, false, refuse("invalid_sql", "%q already names a version; leave out AT, or the part after the @.",
			clip(table.Name, maxName))
	}
	m := atPattern.FindStringSubmatch(t.written[table.Offset:])
	if m == nil {
		return e, false, refuse("invalid_sql", wantsLiteral)
	}
	ref := table.Point
	if table.Parameter != "" {
		if ref, refused = refOf(table.Parameter, values); refused != nil {
			return e, true, refused
		}
	}
	if ref == "" {
		return e, false, refuse("invalid_sql", wantsLiteral)
	}
	// SQL writes a time with a space, and refs are as in RFC 3339.
	if strings.EqualFold(table.Unit, "TIMESTAMP") {
		ref = strings.Replace(ref, " ", "T", 1)
	}
	// Without one, columns qualified by the table's name would no longer be found.
	alias := m[1]
	if alias == "" {
		alias = " AS " + duck.Ident(table.Name)
	}
	return edit{table.Offset, table.Offset + len(m[0]), duck.Ident(table.Name+"@"+ref) + alias}, table.Parameter != "", nil
}

// refOf returns the ref that a parameter's value stands for.
func refOf(name string, values []duck.Param) (string, *fault.Error) {
	for _, p := range values {
		if p.Name != name {
			continue
		}
		switch v := p.Value.(type) {
		case string:
			if v != "" {
				return v, nil
			}
		case int64:
			return strconv.FormatInt(v, 10), nil
		}
	}
	return "", refuse("invalid_params",
		"params: $%s selects the state of a dataset (AT). Use a string such as \"1.0.0\", or a commit id.", name)
}

// token matches parameters, and the tokens inside which nothing is a parameter.
var token = regexp.MustCompile(`(?s)[eE]'(?:\\.|''|[^'\\])*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|` +
	`--[^\n]*|/\*.*?\*/|\$\$.*?\$\$|[\pL_][\pL\pM\pN_$]*|\?\d*|\$\d+`)

// renumber numbers the remaining numbered parameters from 1, without gaps. DuckDB wants the numbers from 1 on, and some
// of them named versions.
func (t *text) renumber(values *[]duck.Param) error {
	found, kept := t.numbered()
	// Our own reading of the text and DuckDB's must agree on how many there are; if not, nothing is guessed.
	if asked := slices.DeleteFunc(slices.Clone(t.asked),
		func(name string) bool { return !isNumber(name) }); len(found) != len(asked) {
		return refuse("invalid_sql",
			"A parameter of AT can't be distinguished from the others. Write all parameters as $name.")
	}
	numbers := map[string]string{}
	for i, n := range slices.Sorted(maps.Keys(kept)) {
		numbers[strconv.Itoa(n)] = strconv.Itoa(i + 1)
		for _, e := range kept[n] {
			e.words = "$" + strconv.Itoa(i+1)
			t.edits = append(t.edits, e)
		}
	}
	slices.SortFunc(t.edits, func(a, b edit) int { return a.at - b.at })
	var left []duck.Param
	for _, p := range *values {
		if number, ok := numbers[p.Name]; ok {
			left = append(left, duck.Param{Name: number, Value: p.Value})
		} else if !isNumber(p.Name) {
			left = append(left, p)
		}
	}
	*values = left
	return nil
}

// isNumber reports whether a parameter is numbered (? or $1) and not named.
func isNumber(name string) bool {
	_, err := strconv.Atoi(name)
	return err == nil
}

// numbered finds the numbered parameters of the original statement, and the places of those that no edit replaces.
func (t *text) numbered() (found map[int]bool, kept map[int][]edit) {
	found, kept = map[int]bool{}, map[int][]edit{}
	last := 0
	for _, m := range token.FindAllStringIndex(t.written, -1) {
		word := t.written[m[0]:m[1]]
		// Strings, comments, names and dollar quotes match only so that nothing inside them does.
		if word[0] != '?' && (word[0] != '$' || word[1] == '$') {
			continue
		}
		n, err := strconv.Atoi(word[1:])
		if err != nil {
			n = last + 1
		}
		last = max(last, n)
		found[n] = true
		if !slices.ContainsFunc(t.edits, func(e edit) bool { return e.at <= m[0] && m[1] <= e.end }) {
			kept[n] = append(kept[n], edit{at: m[0], end: m[1]})
		}
	}
	return found, kept
}

// rewrite applies the edits to the original statement. The edits do not overlap, and are in order.
func (t *text) rewrite() {
	var out strings.Builder
	done := 0
	for _, e := range t.edits {
		fmt.Fprint(&out, t.written[done:e.at], e.words)
		done = e.end
	}
	t.sql = out.String() + t.written[done:]
}
