package storage

import (
	"context"
	"slices"
	"strings"

	"rowback/storage/duck"
	"rowback/storage/fault"
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
	return s.openTable(ctx, snap, columns, nil)
}

// openTable is OpenTable where files may be touched too.
func (s *Store) openTable(ctx context.Context, snap *Snapshot, columns []schema.Column, files []string) (conn *duck.Conn, from string, err error) {
	if slices.ContainsFunc(columns, schema.Column.Derived) {
		conn, err = s.Filter(ctx, snap, false, files)
		return conn, "records", err
	}
	conn, err = s.Conn(ctx)
	return conn, "(" + snap.StoredTable() + ")", err
}

// CheckCondition makes sure that a client's text is one SQL condition on records, and nothing more.
func CheckCondition(ctx context.Context, box *duck.Conn, where string) error {
	if strings.ContainsRune(where, 0) {
		return fault.Errorf(fault.Invalid, "invalid_condition", "A condition has no NUL characters.")
	}
	n, tree, err := parse(ctx, box, "SELECT 1 FROM records WHERE ("+where+"\n)")
	if err != nil {
		return err
	}
	if n.Type != "SELECT_NODE" || n.FromTable.Type != "BASE_TABLE" || n.FromTable.TableName != "records" ||
		len(n.Groups)+len(n.Modifiers) > 0 || n.Having != nil || n.Qualify != nil || n.Sample != nil {
		return fault.Errorf(fault.Invalid, "invalid_condition", "%q is not one SQL condition.", fault.Clip(where))
	}
	return readsRecords(ctx, box, tree)
}

// readsRecords makes sure that a parsed statement reads the records, and nothing else.
func readsRecords(ctx context.Context, box *duck.Conn, tree any) error {
	r := &reach{}
	if err := r.walk(tree, nil); err != nil {
		return err
	}
	if len(r.parameters) > 0 {
		return fault.Errorf(fault.Invalid, "invalid_condition", "A condition has no parameters (?, $1): write the values.")
	}
	for _, t := range r.tables {
		if !schema.SameName(t.Name, "records") || t.Schema != "" || t.Unit != "" {
			return forbidden("a table other than the records")
		}
	}
	return checkCalls(ctx, box, r.calls)
}

// ClientError turns DuckDB's refusal of a client's SQL into a sentence for the client.
func ClientError(err error) error {
	switch duck.CauseOf(err) {
	case duck.Input:
		return fault.Errorf(fault.Invalid, "invalid_sql", "The SQL can't be run: %s.", duck.Message(err))
	case duck.Forbidden:
		return forbidden("something")
	}
	return err
}
