package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// lacking returns the columns of an action's file which are not here, or too narrow, and in which the action gave
// values to records. Its files hold whole records: values that it left as they were came with earlier actions, and go
// with those.
func (w actionWork) lacking(ctx context.Context, f *catalog.File) ([]schema.Column, error) {
	columns := slices.DeleteFunc(slices.Clone(w.did.schemaOf(f).Columns), func(c schema.Column) bool {
		now, have := w.schema.ByID(c.ID)
		return c.Derived() || have && now.Type.Holds(c.Type) || c.Type.Name == schema.Null ||
			slices.Contains(w.schema.Dropped, c.ID)
	})
	if len(columns) == 0 {
		return nil, nil
	}
	given, err := w.givenIn(ctx)
	return slices.DeleteFunc(columns, func(c schema.Column) bool { return !given[c.ID] }), err
}

// givenIn finds the columns in which an action gave values to records: those that it is about, if it is only about
// variables. It is found once for an action, however many files it has.
func (w actionWork) givenIn(ctx context.Context) (map[int]bool, error) {
	if w.did.given != nil {
		return w.did.given, nil
	}
	w.did.given = map[int]bool{}
	if w.did.onlyVariables {
		for _, id := range changedColumns(w.did.before.Schema, w.did.after.Schema) {
			w.did.given[id] = true
		}
		return w.did.given, nil
	}
	d := snapshot.Diff(w.did.before, w.did.after)
	for _, columns := range snapshot.InSlices(d.Schema.Stored()) {
		if err := w.findGiven(ctx, d.Narrow(columns), columns); err != nil {
			return nil, err
		}
	}
	return w.did.given, nil
}

// findGiven reads a slice of the columns: given is what has a value after the action, and had another before.
func (w actionWork) findGiven(ctx context.Context, d *snapshot.Difference, columns []schema.Column) error {
	list, found := make([]string, len(columns)), make([]bool, len(columns))
	into := make([]any, len(columns))
	for i, c := range columns {
		list[i] = fmt.Sprintf("coalesce(bool_or(b%[1]d IS NOT NULL AND a%[1]d IS DISTINCT FROM b%[1]d), false)", c.ID)
		into[i] = &found[i]
	}
	if err := w.conn.Row(ctx, "SELECT "+strings.Join(list, ", ")+" FROM ("+d.Joined()+")", into...); err != nil {
		return err
	}
	for i, c := range columns {
		w.did.given[c.ID] = found[i]
	}
	return nil
}
