package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rowback/storage/duck"
	"rowback/storage/fault"
	"rowback/storage/schema"
)

// What a client's SQL may touch is decided here, on the statement as DuckDB parses it, before any of it runs: the tables
// that it is given, and functions that compute. The sandbox refuses the rest a second time.

// node is what is looked at of a parsed statement.
type node struct {
	Type      string `json:"type"`
	FromTable struct {
		Type      string `json:"type"`
		TableName string `json:"table_name"`
	} `json:"from_table"`
	Groups    []any           `json:"group_expressions"`
	Having    any             `json:"having"`
	Qualify   any             `json:"qualify"`
	Sample    any             `json:"sample"`
	Modifiers []any           `json:"modifiers"`
	Where     json.RawMessage `json:"where_clause"`
	Select    []any           `json:"select_list"`
}

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
	_, tree, err := parse(ctx, box, text)
	if err != nil {
		return Select{}, err
	}
	r := &reach{}
	if err = r.walk(tree, nil); err == nil {
		err = checkCalls(ctx, box, r.calls)
	}
	slices.SortFunc(r.tables, func(a, b Table) int { return a.Offset - b.Offset })
	return Select{r.tables, slices.Compact(slices.Sorted(slices.Values(r.parameters)))}, err
}

// reach walks a parsed statement and finds what it touches. What none may touch is an error.
type reach struct {
	tables     []Table
	parameters []string
	calls      []call
}

// walk looks through a part of the statement. ctes are the names that queries around it have given to queries (WITH).
func (r *reach) walk(tree any, ctes []string) error {
	switch t := tree.(type) {
	case []any:
		for _, part := range t {
			if err := r.walk(part, ctes); err != nil {
				return err
			}
		}
	case map[string]any:
		if err := r.look(t, ctes); err != nil {
			return err
		}
		return r.walkParts(t, ctes)
	}
	return nil
}

func (r *reach) walkParts(t map[string]any, ctes []string) error {
	ctes, err := r.walkWith(t, ctes)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(t)) {
		inside := ctes
		if text(t["type"]) == "RECURSIVE_CTE_NODE" && name == "right" { // the left side does not see the name
			inside = append(slices.Clone(ctes), schema.Fold(text(t["cte_name"])))
		}
		if name == "cte_map" {
			continue
		}
		if err := r.walk(t[name], inside); err != nil {
			return err
		}
	}
	return nil
}

// walkWith looks through the queries of a WITH, each of which sees the names before it, and adds their names.
func (r *reach) walkWith(t map[string]any, ctes []string) ([]string, error) {
	with, _ := t["cte_map"].(map[string]any)
	list, _ := with["map"].([]any)
	ctes = slices.Clone(ctes)
	for _, part := range list {
		entry, _ := part.(map[string]any)
		if err := r.walk(entry["value"], ctes); err != nil {
			return nil, err
		}
		ctes = append(ctes, schema.Fold(text(entry["key"])))
	}
	return ctes, nil
}

func (r *reach) look(n map[string]any, ctes []string) error {
	kind, class := text(n["type"]), text(n["class"])
	switch {
	case class == "PARAMETER":
		r.parameters = append(r.parameters, text(n["identifier"]))
	case class == "FUNCTION" && kind == "FUNCTION", class == "WINDOW":
		r.calls = append(r.calls, call{strings.ToLower(text(n["function_name"])), offsetOf(n)})
	case kind == "TABLE_FUNCTION":
		function, _ := n["function"].(map[string]any)
		if !slices.Contains(pureTables, strings.ToLower(text(function["function_name"]))) {
			return &Placed{offsetOf(n), forbidden("a table function other than " + strings.Join(pureTables, ", "))}
		}
	case kind == "BASE_TABLE":
		return r.name(n, ctes)
	case kind == "SHOW_REF" && (n["query"] == nil || text(n["table_name"]) != ""):
		return fault.Errorf(fault.Invalid, "forbidden_sql", "The SQL asks for a list of what the server has (SHOW), which it can't have. The datasets are in the table rowback.datasets.")
	}
	return nil
}

// name notes a table that is no query of the statement's own.
func (r *reach) name(n map[string]any, ctes []string) error {
	t := Table{Schema: text(n["schema_name"]), Name: text(n["table_name"]), Offset: offsetOf(n)}
	if catalog := text(n["catalog_name"]); catalog != "" {
		t.Schema = catalog + "." + t.Schema
	}
	at, ok := n["at_clause"].(map[string]any)
	if t.Schema == "" && slices.Contains(ctes, schema.Fold(t.Name)) {
		if ok {
			return &Placed{t.Offset, fault.Errorf(fault.Invalid, "invalid_sql", "%q is a query of the statement itself (WITH), which has no versions: AT is for datasets.", fault.Clip(t.Name))}
		}
		return nil
	}
	if ok {
		t.Unit = text(at["unit"])
		t.Point, t.Parameter = constant(at["expr"])
	}
	r.tables = append(r.tables, t)
	return nil
}

// constant is the value of a constant, through casts, or the parameter that has it; both are empty where it is neither.
func constant(expr any) (value, parameter string) {
	t, _ := expr.(map[string]any)
	for text(t["class"]) == "CAST" {
		t, _ = t["child"].(map[string]any)
	}
	v, _ := t["value"].(map[string]any)
	switch {
	case text(t["class"]) == "PARAMETER":
		return "", text(t["identifier"])
	case text(t["class"]) != "CONSTANT" || v["value"] == nil:
		return "", ""
	}
	return fmt.Sprint(v["value"]), ""
}

// offsetOf is where a part of the statement begins, bytes into it; -1: the parser does not say.
func offsetOf(n map[string]any) int {
	at, ok := n["query_location"].(float64)
	if !ok || at > maxStatement {
		return -1
	}
	return int(at)
}

// maxStatement is more than the bytes of any statement: the parser gives larger places to what has none.
const maxStatement = 1 << 40

func text(v any) string {
	s, _ := v.(string)
	return s
}

func forbidden(what string) *fault.Error {
	return fault.Errorf(fault.Invalid, "forbidden_sql", "The SQL asks for %s, which it can't have: it reads records, and nothing else.", fault.Clip(what))
}

// parse parses one SELECT statement.
func parse(ctx context.Context, box *duck.Conn, statement string) (n node, tree any, err error) {
	if err := checkBrackets(statement); err != nil {
		return n, nil, err
	}
	text, err := serialized(ctx, box, statement)
	if err != nil {
		return n, nil, err
	}
	var parsed struct {
		Error      bool   `json:"error"`
		Message    string `json:"error_message"`
		Position   string `json:"position"`
		Statements []struct {
			Node json.RawMessage `json:"node"`
		} `json:"statements"`
	}
	if err := json.Unmarshal([]byte(text), &parsed); err != nil { // a number that is infinite has no JSON
		return n, nil, unparsed("it has a number that is too large", "")
	}
	if parsed.Error || len(parsed.Statements) != 1 {
		return n, nil, unparsed(parsed.Message, parsed.Position)
	}
	first := parsed.Statements[0].Node
	if err := errors.Join(json.Unmarshal(first, &n), json.Unmarshal(first, &tree)); err != nil {
		return n, nil, err
	}
	return n, tree, checkSize(statement, tree)
}

// maxTree is how large a parsed statement may be, bytes: a list of 50,000 numbers has 7 MB.
const maxTree = 16 << 20

// serialized is the parsed statement as JSON.
func serialized(ctx context.Context, box *duck.Conn, statement string) (tree string, err error) {
	err = box.Row(ctx, fmt.Sprintf("SELECT CASE WHEN strlen(tree) <= %d THEN tree ELSE '' END FROM (SELECT CAST(json_serialize_sql(%s, skip_null := true, skip_empty := true) AS VARCHAR) AS tree)",
		maxTree, duck.Text(statement)), &tree)
	switch {
	case err != nil:
		return "", ClientError(err)
	case tree == "":
		return "", tooComplex("has too many parts. Give long lists as a parameter: x IN (SELECT unnest($list)).")
	}
	return tree, nil
}

// Placed is a refusal of SQL with its place.
type Placed struct {
	Offset  int // bytes into the text; -1: nowhere in it
	refusal *fault.Error
}

func (p *Placed) Error() string { return p.refusal.Error() }

// Unwrap returns the refusal without its place.
func (p *Placed) Unwrap() error { return p.refusal }

func unparsed(message, position string) error {
	message, _, _ = strings.Cut(message, "\n")
	switch {
	case message == "":
		message = "it is not one statement"
	case strings.Contains(message, "Only SELECT statements"):
		message = "it is not one SELECT, or a PIVOT that does not list its values (ON … IN (…))"
	}
	e := &Placed{-1, fault.Errorf(fault.Invalid, "invalid_sql", "The SQL can't be parsed: %s.", strings.TrimRight(message, "."))}
	if offset, err := strconv.Atoi(position); err == nil {
		e.Offset = offset
	}
	return e
}
