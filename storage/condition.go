package storage

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"rowback/storage/duck"
	"rowback/storage/schema"
)

// Filter opens a sandbox in which a snapshot's records are the view "records", for conditions that clients write. With
// place, the view also has _file and _pos. files are more files that our own statements on it may touch.
func (s *Store) Filter(ctx context.Context, snap *Snapshot, place bool, files []string) (*duck.Conn, error) {
	list := underNames(snap.TableColumns())
	if place {
		list += ", _file, _pos"
	}
	return s.Sandbox(ctx, place, append(files, snap.Paths()...), "CREATE VIEW records AS SELECT "+list+" FROM ("+snap.Records(place)+")")
}

// OpenTable opens a connection on which some columns of a snapshot can be read from from, by name. Where one of them is
// derived, it is a sandbox.
func (s *Store) OpenTable(ctx context.Context, snap *Snapshot, columns []schema.Column) (conn *duck.Conn, from string, err error) {
	if slices.ContainsFunc(columns, schema.Column.Derived) {
		conn, err = s.Filter(ctx, snap, false, nil)
		return conn, "records", err
	}
	conn, err = s.Conn(ctx)
	return conn, "(" + snap.StoredTable() + ")", err
}

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

// CheckCondition makes sure that a client's text is one SQL condition on records, and nothing more.
func CheckCondition(ctx context.Context, box *duck.Conn, where string) error {
	if strings.ContainsRune(where, 0) {
		return failf(Invalid, "invalid_condition", "A condition has no NUL characters.")
	}
	n, tree, err := parse(ctx, box, "SELECT 1 FROM records WHERE ("+where+"\n)")
	if err != nil {
		return err
	}
	if n.Type != "SELECT_NODE" || n.FromTable.Type != "BASE_TABLE" || n.FromTable.TableName != "records" ||
		len(n.Groups)+len(n.Modifiers) > 0 || n.Having != nil || n.Qualify != nil || n.Sample != nil {
		return failf(Invalid, "invalid_condition", "%q is not one SQL condition.", clip(where))
	}
	named := map[string]bool{"records": true}
	collectNames(tree, named)
	return checkTree(tree, named)
}

// collectNames finds the names that a statement gives to queries of its own (WITH).
func collectNames(tree any, named map[string]bool) {
	switch t := tree.(type) {
	case []any:
		for _, part := range t {
			collectNames(part, named)
		}
	case map[string]any:
		if ctes, ok := t["cte_map"].(map[string]any); ok {
			list, _ := ctes["map"].([]any)
			for _, entry := range list {
				if e, ok := entry.(map[string]any); ok {
					named[schema.Fold(text(e["key"]))] = true
				}
			}
		}
		for _, part := range t {
			collectNames(part, named)
		}
	}
}

// Functions that tell of the server instead of the records, or that run statements, and table functions that read
// nothing.
var (
	serverFunctions = []string{
		"current_setting", "current_query", "getenv", "getvariable", "current_database", "current_schema", "current_schemas", "write_log",
		"json_serialize_plan", "json_execute_serialized_sql", "in_search_path", "txid_current", "version", "sleep_ms",
	}
	pureTables = []string{"unnest", "range", "generate_series"}
)

// checkTree looks through a parsed statement: it may read the records and what it names itself, and nothing else.
func checkTree(tree any, named map[string]bool) error {
	switch t := tree.(type) {
	case []any:
		for _, part := range t {
			if err := checkTree(part, named); err != nil {
				return err
			}
		}
	case map[string]any:
		if err := checkNode(t, named); err != nil {
			return err
		}
		for _, part := range t {
			if err := checkTree(part, named); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkNode(n map[string]any, named map[string]bool) error {
	kind, _ := n["type"].(string)
	class, _ := n["class"].(string)
	switch {
	case class == "PARAMETER":
		return failf(Invalid, "invalid_condition", "A condition has no parameters (?, $1): write the values.")
	case class == "FUNCTION" && asksServer(strings.ToLower(text(n["function_name"]))):
		return forbidden(text(n["function_name"]) + "()")
	case kind == "TABLE_FUNCTION":
		function, _ := n["function"].(map[string]any)
		if name := strings.ToLower(text(function["function_name"])); !slices.Contains(pureTables, name) {
			return forbidden("a table other than the records")
		}
	case kind == "BASE_TABLE" && (!named[schema.Fold(text(n["table_name"]))] || text(n["schema_name"])+text(n["catalog_name"]) != ""):
		return forbidden("a table other than the records")
	case kind == "SHOW_REF":
		return forbidden("SHOW")
	}
	return nil
}

func asksServer(function string) bool {
	return slices.Contains(serverFunctions, function) || strings.HasPrefix(function, "pg_") || strings.HasPrefix(function, "duckdb_")
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func forbidden(what string) error {
	return failf(Invalid, "forbidden_sql", "The SQL asks for %s, which it can't have: it reads the records, and nothing else.", clip(what))
}

// parse parses one SELECT statement.
func parse(ctx context.Context, box *duck.Conn, statement string) (n node, tree any, err error) {
	var text string
	if err := box.Row(ctx, "SELECT CAST(json_serialize_sql("+duck.Text(statement)+", skip_null := true, skip_empty := true) AS VARCHAR)", &text); err != nil {
		return n, nil, ClientError(err)
	}
	var parsed struct {
		Error      bool   `json:"error"`
		Message    string `json:"error_message"`
		Statements []struct {
			Node json.RawMessage `json:"node"`
		} `json:"statements"`
	}
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		return n, nil, err
	}
	if parsed.Error || len(parsed.Statements) != 1 {
		msg, _, _ := strings.Cut(parsed.Message, "\n")
		if msg == "" {
			msg = "it is not one statement"
		}
		return n, nil, failf(Invalid, "invalid_sql", "The SQL can't be parsed: %s.", strings.TrimRight(msg, "."))
	}
	first := parsed.Statements[0].Node
	return n, tree, errors.Join(json.Unmarshal(first, &n), json.Unmarshal(first, &tree))
}

// ReadError says what it means where a statement of ours can't read what is stored.
func ReadError(err error) error {
	switch duck.CauseOf(err) {
	case duck.Input, duck.Unreadable:
		return &Error{Kind: Corrupt, Code: "corrupted_data", Detail: "The stored files of this state can't be read: one of them is damaged or gone. Look at …/validation, and restore a backup.", Cause: err}
	}
	return err
}

// ClientError turns DuckDB's refusal of a client's SQL into a sentence for the client.
func ClientError(err error) error {
	switch duck.CauseOf(err) {
	case duck.Input:
		return failf(Invalid, "invalid_sql", "The SQL can't be run: %s.", duck.Message(err))
	case duck.Forbidden:
		return forbidden("something")
	}
	return err
}
