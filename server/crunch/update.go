package crunch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/crunch/expression"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// assignment is what a column becomes.
type assignment struct {
	column schema.Column
	values expression.Values
}

// update gives columns of the selected records other values. The new values are computed into a file of keys and
// columns, which is then upserted: a record whose values stay the same is not written again.
func (f *Face) update(ctx context.Context, s snapshot.State, in command, r storage.Request) (catalog.Commit, error) {
	selected, err := selectSeen(s, in.Filter)
	if err != nil {
		return catalog.Commit{}, err
	}
	all, err := in.assignments(s)
	if err != nil {
		return catalog.Commit{}, err
	}
	snap, err := f.store.Snapshot(ctx, s.Dataset.ID, commitRef(s))
	if err != nil {
		return catalog.Commit{}, err
	}
	// What the filter and the expressions read, and nothing else.
	reads := selected.reads
	for _, a := range all {
		reads = append(reads, columnsOf(s.Schema, a.values.Expression)...)
	}
	u, rows, err := f.store.Extract(ctx, snap, reads, nil, func(from string) string {
		return updated(s.Schema.KeyColumns(), all, selected.of(from))
	})
	defer calls.Upload{Upload: u}.Remove()
	// Nothing selected: no commit, and the answer is 204 all the same.
	if err != nil || rows == 0 {
		return s.Commit, err
	}
	for _, a := range all {
		if n := int64(a.values.Count); n > 0 && n != rows {
			return s.Commit, invalid("variables", fmt.Sprintf(
				"there are %d values for variable %q and %d records that the filter selects", n, a.column.Name, rows))
		}
	}
	r.Message = cmp.Or(r.Message, "Updated "+strings.Join(aliases(all), ", "))
	return f.store.Commit(ctx, s.Dataset.ID, storage.Change{Request: r, Mode: catalog.Upsert, Upload: u})
}

// updated returns the SQL of the keys of records and of what columns become in them. _n numbers the selected records in
// key order, for values that are given as a list.
func updated(key []schema.Column, all []assignment, from string) string {
	var list, order []string
	for _, k := range key {
		list, order = append(list, duck.Ident(k.Name)), append(order, duck.Ident(k.Name))
	}
	for _, a := range all {
		list = append(list, a.values.SQL+" AS "+duck.Ident(a.column.Name))
	}
	return "SELECT " + strings.Join(list, ", ") +
		" FROM (SELECT *, row_number() OVER (ORDER BY " + strings.Join(order, ", ") + ") AS _n FROM " + from + ") r"
}

// aliases returns the names of the columns that are assigned.
func aliases(all []assignment) []string {
	out := make([]string, len(all))
	for i, a := range all {
		out[i] = a.column.Name
	}
	return out
}

// assignments reads what the columns become that a command names.
func (in command) assignments(s snapshot.State) (out []assignment, err error) {
	for _, named := range slices.Sorted(maps.Keys(in.Variables)) {
		a, err := assign(s, named, in.Variables[named])
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o assignment) bool { return o.column.ID == a.column.ID }) {
			return nil, invalid("variables", fmt.Sprintf("variable %q is named twice", a.column.Name))
		}
		out = append(out, a)
	}
	return out, nil
}

// assign reads what one column becomes, and refuses columns that can't be written through this face.
func assign(s snapshot.State, named string, text json.RawMessage) (a assignment, err error) {
	if a.column, err = expression.Find(s.Schema, s.Dataset.ID, named); err != nil {
		return a, err
	}
	c := a.column
	switch {
	case s.Schema.IsKey(c.ID):
		return a, invalid("variables", fmt.Sprintf("variable %q is in the key, and keys are not updated", c.Name))
	case c.Derived():
		return a, invalid("variables", fmt.Sprintf("variable %q is derived; change its derivation", c.Name))
	case c.Type.Nested() || c.Type.Name == schema.JSON || c.Type.Name == schema.Blob:
		return a, invalid("variables", fmt.Sprintf("variable %q is %s, which Crunch clients can't write", c.Name, c.Type))
	}
	a.values, err = expression.Assign(s.Schema, s.Dataset.ID, c, text)
	return a, err
}
