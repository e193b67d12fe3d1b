package clientsql

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"rowback/storage/duck"
)

// node is a part of a statement as DuckDB's parser gives it: a query, a table, an expression. It has what is looked at
// here, and all the nodes in it.
type node struct {
	Type, Class            string   // what it is; expressions have a class
	Function               string   // function_name
	Catalog, Schema, Table string   // catalog_name, schema_name, table_name
	Columns                []string // column_names
	Alias                  string
	Name                   string // identifier: of a parameter
	CTE                    string // cte_name: of a recursive query
	Unit                   string // of AT
	Value                  any    // of a constant's value: a string, a number or a boolean
	Offset                 int    // query_location: bytes into the statement
	With                   []commonTable
	Parts                  []part // all other nodes in it
}

// commonTable is a query that a WITH gives a name to.
type commonTable struct {
	name  string
	query *node
}

// part is a node in another, under the name that its place there has. Those of a list have the same name.
type part struct {
	name string
	*node
}

// nodeOf makes a node of a parsed object. Everything else has no nodes.
func nodeOf(tree any) *node {
	object, ok := tree.(map[string]any)
	if !ok {
		return &node{Offset: unplaced}
	}
	n := &node{
		Type: text(object["type"]), Class: text(object["class"]), Function: text(object["function_name"]),
		Catalog: text(object["catalog_name"]), Schema: text(object["schema_name"]), Table: text(object["table_name"]),
		Alias: text(object["alias"]), Name: text(object["identifier"]), CTE: text(object["cte_name"]),
		Unit:    text(object["unit"]),
		Columns: texts(object["column_names"]), Value: scalar(object["value"]), Offset: offsetOf(object["query_location"]),
		With: withOf(object["cte_map"]),
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if name != "cte_map" {
			n.add(name, object[name])
		}
	}
	return n
}

// add adds the nodes in a value.
func (n *node) add(name string, value any) {
	switch v := value.(type) {
	case map[string]any:
		n.Parts = append(n.Parts, part{name, nodeOf(v)})
	case []any:
		for _, item := range v {
			n.add(name, item)
		}
	}
}

func withOf(clause any) (list []commonTable) {
	object, _ := clause.(map[string]any)
	entries, _ := object["map"].([]any)
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		list = append(list, commonTable{text(entry["key"]), nodeOf(entry["value"])})
	}
	return list
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func texts(v any) (list []string) {
	items, _ := v.([]any)
	for _, item := range items {
		list = append(list, text(item))
	}
	return list
}

func scalar(v any) any {
	switch v.(type) {
	case map[string]any, []any:
		return nil
	}
	return v
}

// unplaced is the offset of what has no place in the text. The parser gives it a larger place than any statement has.
const (
	unplaced = -1
	farthest = 1 << 40
)

func offsetOf(v any) int {
	at, ok := v.(float64)
	if !ok || at > farthest {
		return unplaced
	}
	return int(at)
}

// all returns the nodes in one place, which may be a list.
func (n *node) all(name string) (list []*node) {
	for _, p := range n.Parts {
		if p.name == name {
			list = append(list, p.node)
		}
	}
	return list
}

// one returns the node in one place. An empty node stands for none.
func (n *node) one(name string) *node {
	if list := n.all(name); len(list) > 0 {
		return list[0]
	}
	return &node{Offset: unplaced}
}

// hasAny reports whether there is a node in any of those places.
func (n *node) hasAny(names ...string) bool {
	return slices.ContainsFunc(n.Parts, func(p part) bool { return slices.Contains(names, p.name) })
}

// visitor looks at nodes. What it knows of the nodes around them is its own value: visit returns the visitor for the
// nodes in this one, or nil where they are not to be visited.
type visitor interface {
	visit(n *node) (visitor, error)
}

// walk visits a node and the nodes in it, the queries of its WITH first.
func walk(v visitor, n *node) error {
	inside, err := v.visit(n)
	if err != nil || inside == nil {
		return err
	}
	for _, w := range n.With {
		if err := walk(inside, w.query); err != nil {
			return err
		}
	}
	for _, p := range n.Parts {
		if err := walk(inside, p.node); err != nil {
			return err
		}
	}
	return nil
}

// parse parses one SELECT statement that is not too large.
func parse(ctx context.Context, box *duck.Conn, statement string) (*node, error) {
	if err := checkBrackets(statement); err != nil {
		return nil, err
	}
	text, err := serialized(ctx, box, statement)
	if err != nil {
		return nil, err
	}
	var parsed struct {
		Error      bool   `json:"error"`
		Message    string `json:"error_message"`
		Position   string `json:"position"`
		Statements []struct {
			Node any `json:"node"`
		} `json:"statements"`
	}
	if err := json.Unmarshal([]byte(text), &parsed); err != nil { // a number that is infinite has no JSON
		return nil, unparsed("it has a number that is too large", "")
	}
	if parsed.Error || len(parsed.Statements) != 1 {
		return nil, unparsed(parsed.Message, parsed.Position)
	}
	n := nodeOf(parsed.Statements[0].Node)
	return n, checkSize(statement, n)
}

// maxTree is how large a parsed statement may be, bytes: a list of 50,000 numbers has 7 MB.
const maxTree = 16 << 20

// serialize gives the parsed statement as JSON, or nothing where that is too large.
const serialize = `SELECT CASE WHEN strlen(tree) <= %d THEN tree ELSE '' END FROM (
	SELECT CAST(json_serialize_sql(%s, skip_null := true, skip_empty := true) AS VARCHAR) AS tree)`

func serialized(ctx context.Context, box *duck.Conn, statement string) (tree string, err error) {
	err = box.Row(ctx, fmt.Sprintf(serialize, maxTree, duck.Text(statement)), &tree)
	switch {
	case err != nil:
		return "", Explain(err)
	case tree == "":
		return "", tooComplex("has too many parts. Give long lists as a parameter: x IN (SELECT unnest($list)).")
	}
	return tree, nil
}
