package crunch

import (
	"context"
	"encoding/json"
	"strings"

	"rowback/server/crunch/expression"
	"rowback/storage"
	"rowback/storage/duck"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// selection is the records of a state that clients see and that a filter of theirs selects.
type selection struct {
	where string          // SQL condition; empty: all records
	reads []schema.Column // that the condition reads
}

// selectSeen returns the selection of a filter, which is an expression; of all that clients see, where it is none.
func selectSeen(s snapshot.State, filter json.RawMessage) (out selection, err error) {
	excluded, reads, err := storage.Excluded(s)
	if err != nil {
		return out, err
	}
	var and []string
	if excluded != "" {
		and, out.reads = append(and, "NOT "+excluded), reads
	}
	if !expression.IsEmpty(filter) {
		e, err := expression.Read(s.Schema, s.Dataset.ID, filter)
		if err != nil {
			return out, err
		}
		condition, err := e.Condition()
		if err != nil {
			return out, err
		}
		and, out.reads = append(and, "coalesce(TRY("+condition+"), false)"), append(out.reads, columnsOf(s.Schema, e)...)
	}
	out.where = strings.Join(and, " AND ")
	return out, nil
}

// of returns the SQL of the selected records of a relation.
func (s selection) of(from string) string {
	if s.where == "" {
		return from
	}
	return "(SELECT * FROM " + from + " WHERE " + s.where + ")"
}

// columnsOf returns the columns that an expression reads.
func columnsOf(s schema.Schema, e expression.Expression) (out []schema.Column) {
	for _, id := range e.Columns {
		if c, ok := s.ByID(id); ok {
			out = append(out, c)
		}
	}
	return out
}

// openSeen opens a connection on which some columns of the records that clients see can be read from from, by name.
func (f *Face) openSeen(
	ctx context.Context, snap *snapshot.Snapshot, columns []schema.Column,
) (conn *duck.Conn, from string, err error) {
	seen, err := selectSeen(snap.State, nil)
	if err != nil {
		return nil, "", err
	}
	conn, from, err = f.store.OpenTable(ctx, snap, append(seen.reads, columns...))
	return conn, seen.of(from), err
}

// count returns how many records clients see.
func (f *Face) count(ctx context.Context, s snapshot.State) (n int64, err error) {
	if s.Properties.Exclusion == nil {
		return s.Total(), nil
	}
	snap, err := f.store.Snapshot(ctx, s.Dataset.ID, commitRef(s))
	if err != nil {
		return 0, err
	}
	conn, from, err := f.openSeen(ctx, snap, nil)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	err = conn.Row(ctx, "SELECT count(*) FROM "+from, &n)
	return n, err
}
