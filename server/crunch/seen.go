package crunch

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/rowback/rowback/server/crunch/expression"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// selection is the records of a state that clients see and that a filter of theirs selects. The two are joined in one
// condition because a client must not reach excluded records through its filter.
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
	// Excluded has made it false where it can't be computed: an error hides no record.
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
		// A condition that fails or is null for a record does not select it.
		and, out.reads = append(and, "coalesce(TRY("+condition+"), false)"), append(out.reads, columnsOf(s.Schema, e)...)
	}
	out.where = strings.Join(and, " AND ")
	return out, nil
}

// of returns the SQL of the selected records of a relation. The whole relation where it selects all: DuckDB plans that
// better than a condition that is true.
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
	// The catalog has the count: nothing is read.
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

// makeSeen adds a column with a value for each record that clients see; it is null in the others. Which records are
// seen depends on the state, so the values are spread anew whenever another commit comes first.
func (f *Face) makeSeen(
	ctx context.Context, dataset string, n storage.NewVariable, r storage.Request,
) (catalog.Commit, error) {
	return f.onNewest(ctx, dataset, r,
		func(ctx context.Context, s snapshot.State, r storage.Request) (catalog.Commit, error) {
			all := n
			var err error
			if all.Values, err = f.spread(ctx, s, n.Values); err != nil {
				return catalog.Commit{}, err
			}
			return f.makeVariable(ctx, s, all, r)
		})
}

// spread returns a value for each record, in key order, of those for the records that clients see. Clients do not know
// of the excluded records, and send values for the others only.
func (f *Face) spread(ctx context.Context, s snapshot.State, values []json.RawMessage) ([]json.RawMessage, error) {
	if s.Properties.Exclusion == nil || s.Total() == 0 {
		return values, nil
	}
	seen, err := selectSeen(s, nil)
	if err != nil {
		return nil, err
	}
	snap, err := f.store.Snapshot(ctx, s.Dataset.ID, commitRef(s))
	if err != nil {
		return nil, err
	}
	conn, from, err := f.store.OpenTable(ctx, snap, seen.reads)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	all, next := make([]json.RawMessage, 0, s.Total()), 0
	err = conn.Rows(ctx, "SELECT "+seen.where+" FROM "+from+snap.ByKey(), func(scan duck.Scan) error {
		is, value := false, null
		if err := scan(&is); err != nil {
			return err
		}
		if is {
			if next < len(values) {
				value = values[next]
			}
			next++
		}
		all = append(all, value)
		return nil
	})
	if err == nil && next != len(values) {
		err = fault.Errorf(fault.Invalid, "values_count",
			"There are %d values and %d records that are not excluded. Send one for each, in the order of the key.",
			len(values), next)
	}
	return all, err
}
