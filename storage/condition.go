package storage

import (
	"context"
	"encoding/json"
	"strings"

	"rowback/storage/duck"
)

// Filter opens a sandbox in which a snapshot's records are the view "records", for conditions that clients write. With
// place, the view also has _file and _pos.
func (s *Store) Filter(ctx context.Context, snap *Snapshot, place bool) (*duck.Conn, error) {
	list := []string{}
	for _, c := range snap.TableColumns() {
		name := columnName(c.ID)
		if c.Name == "_commit" {
			name = c.Name
		}
		list = append(list, name+" AS "+duck.Ident(c.Name))
	}
	if place {
		list = append(list, "_file", "_pos")
	}
	return s.Sandbox(ctx, []*Snapshot{snap}, "CREATE VIEW records AS SELECT "+strings.Join(list, ", ")+" FROM ("+snap.Rows(place)+")")
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
	n, err := parse(ctx, box, "SELECT 1 FROM records WHERE ("+where+"\n)")
	if err != nil {
		return err
	}
	if n.Type != "SELECT_NODE" || n.FromTable.Type != "BASE_TABLE" || n.FromTable.TableName != "records" ||
		len(n.Groups)+len(n.Modifiers) > 0 || n.Having != nil || n.Qualify != nil || n.Sample != nil {
		return failf(Invalid, "invalid_condition", "%q is not one SQL condition.", clip(where))
	}
	return nil
}

// parse parses one SELECT statement.
func parse(ctx context.Context, box *duck.Conn, statement string) (node, error) {
	var text string
	if err := box.Row(ctx, "SELECT CAST(json_serialize_sql("+duck.Text(statement)+", skip_null := true, skip_empty := true) AS VARCHAR)", &text); err != nil {
		return node{}, ClientError(err)
	}
	var parsed struct {
		Error      bool   `json:"error"`
		Message    string `json:"error_message"`
		Statements []struct {
			Node node `json:"node"`
		} `json:"statements"`
	}
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		return node{}, err
	}
	if parsed.Error || len(parsed.Statements) != 1 {
		msg, _, _ := strings.Cut(parsed.Message, "\n")
		if msg == "" {
			msg = "it is not one statement"
		}
		return node{}, failf(Invalid, "invalid_sql", "The SQL can't be parsed: %s.", strings.TrimRight(msg, "."))
	}
	return parsed.Statements[0].Node, nil
}

// ClientError turns DuckDB's refusal of a client's SQL into a sentence for the client.
func ClientError(err error) error {
	switch duck.CauseOf(err) {
	case duck.Input:
		return failf(Invalid, "invalid_sql", "The SQL can't be run: %s.", duck.Message(err))
	case duck.Forbidden:
		return failf(Invalid, "forbidden_sql", "The SQL asks for something that a query can't have: it reads the records it names, and nothing else.")
	}
	return err
}
