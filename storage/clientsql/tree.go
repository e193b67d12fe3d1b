package clientsql

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/rowback/rowback/storage/duck"
)

// node is a part of a statement as DuckDB's parser returns it: a query, a table, an expression. It has the properties
// that are used in this package, and all nodes inside it.
type node struct {
	Place                  string   // the property of the node around it that it is in; nodes of a list have the same
	Given                  string   // the name that a WITH gives to this query
	Type, Class            string   // expressions have a class and a more specific type
	Function               string   // function_name
	Catalog, Schema, Table string   // catalog_name, schema_name, table_name
	Columns                []string // column_names
	Renamed                []string // column_name_alias: of a table
	Excluded               []string // exclude_list: of a star
	Alias                  string
	Name                   string  // identifier: of a parameter
	CTE                    string  // cte_name: of a recursive query
	Unit                   string  // of AT
	Value                  any     // of a constant: a string, a number or a boolean
	Offset                 int     // query_location: in the statement, in bytes
	Parts                  []*node // all nodes inside it, its common table expressions first
}

// nodeOf converts a parsed JSON object to a node. Other values become empty nodes.
func nodeOf(place string, tree any) *node {
	object, ok := tree.(map[string]any)
	if !ok {
		return &node{Place: place, Offset: unplaced}
	}
	n := &node{
		Place: place,
		Type:  text(object["type"]), Class: text(object["class"]), Function: text(object["function_name"]),
		Catalog: text(object["catalog_name"]), Schema: text(object["schema_name"]), Table: text(object["table_name"]),
		Alias: text(object["alias"]), Name: text(object["identifier"]), CTE: text(object["cte_name"]),
		Unit:    text(object["unit"]),
		Columns: texts(object["column_names"]), Renamed: texts(object["column_name_alias"]),
		Excluded: texts(object["exclude_list"]),
		Value:    scalar(object["value"]), Offset: offsetOf(object["query_location"]),
		Parts: withOf(object[with]),
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if name != with {
			n.add(name, object[name])
		}
	}
	return n
}

// with is the property that has the common table expressions: the queries that a WITH names.
const with = "cte_map"

// add adds the nodes in the value of a property.
func (n *node) add(name string, value any) {
	switch v := value.(type) {
	case map[string]any:
		n.Parts = append(n.Parts, nodeOf(name, v))
	case []any:
		for _, item := range v {
			n.add(name, item)
		}
	}
}

// withOf returns the queries of a WITH clause, each with its name.
func withOf(clause any) (list []*node) {
	object, _ := clause.(map[string]any)
	entries, _ := object["map"].([]any)
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		query := nodeOf(with, entry["value"])
		query.Given = text(entry["key"])
		list = append(list, query)
	}
	return list
}

// text returns a string of DuckDB's JSON; empty where it is none.
func text(v any) string {
	s, _ := v.(string)
	return s
}

// texts returns a list of strings of DuckDB's JSON.
func texts(v any) (list []string) {
	items, _ := v.([]any)
	for _, item := range items {
		list = append(list, text(item))
	}
	return list
}

// scalar returns a plain value of DuckDB's JSON; nil for lists and objects.
func scalar(v any) any {
	switch v.(type) {
	case map[string]any, []any:
		return nil
	}
	return v
}

// unplaced is the offset of a node without a position in the text. The parser marks those with a huge number.
const (
	unplaced = -1
	farthest = 1 << 40
)

// offsetOf returns a place in the statement, in bytes. DuckDB marks an unknown one with a number beyond any text.
func offsetOf(v any) int {
	at, ok := v.(float64)
	if !ok || at > farthest {
		return unplaced
	}
	return int(at)
}

// all returns the nodes in one property, which may be a list.
func (n *node) all(name string) (list []*node) {
	for _, p := range n.Parts {
		if p.Place == name {
			list = append(list, p)
		}
	}
	return list
}

// one returns the first node in one property; an empty node if there is none.
func (n *node) one(name string) *node {
	if list := n.all(name); len(list) > 0 {
		return list[0]
	}
	return &node{Offset: unplaced}
}

// hasAny reports whether there is a node in any of the properties.
func (n *node) hasAny(names ...string) bool {
	return slices.ContainsFunc(n.Parts, func(p *node) bool { return slices.Contains(names, p.Place) })
}

// visitor visits nodes. Its value is what it knows about the nodes around them: visit returns the visitor for the nodes
// inside n, or nil if they should not be visited.
type visitor interface {
	visit(n *node) (visitor, error)
}

// leaver is a visitor of the nodes inside n that is also called when all of them have been visited: what is known about
// n only then, such as its size, is found there.
type leaver interface {
	leave(n *node) error
}

// walk visits a node and the nodes inside it, its common table expressions first.
func walk(v visitor, n *node) error {
	inside, err := v.visit(n)
	if err != nil || inside == nil {
		return err
	}
	for _, p := range n.Parts {
		if err := walk(inside, p); err != nil {
			return err
		}
	}
	if l, ok := inside.(leaver); ok {
		return l.leave(n)
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
	if err := json.Unmarshal([]byte(text), &parsed); err != nil { // DuckDB writes infinite numbers, which are not JSON
		return nil, unparsed("it has a number that is too large", "")
	}
	if parsed.Error || len(parsed.Statements) != 1 {
		return nil, unparsed(parsed.Message, parsed.Position)
	}
	n := nodeOf("", parsed.Statements[0].Node)
	return n, checkSize(statement, n)
}

// maxTree is the maximum size of a parsed statement, in bytes: a list of 50,000 numbers has 7 MB.
const maxTree = 16 << 20

// serialize is the SQL of a parsed statement as JSON, or of an empty text if that is too large.
const serialize = `SELECT CASE WHEN strlen(tree) <= {most} THEN tree ELSE '' END
	FROM (SELECT CAST(json_serialize_sql({statement}, skip_null := true, skip_empty := true) AS VARCHAR) AS tree)`

// serialized has DuckDB parse a statement, and returns its tree as JSON.
func serialized(ctx context.Context, box *duck.Conn, statement string) (tree string, err error) {
	query := duck.Fill(serialize, duck.Parts{"most": maxTree, "statement": duck.Text(statement)})
	err = box.Row(ctx, query, &tree)
	switch {
	case err != nil:
		return "", Explain(err)
	case tree == "":
		return "", tooComplex("has too many parts. Pass long lists as a parameter: x IN (SELECT unnest($list)).")
	}
	return tree, nil
}
