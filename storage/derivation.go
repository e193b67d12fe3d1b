package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/gate"
	"github.com/rowback/rowback/storage/schema"
)

// A derived column is a client's SQL expression over other columns. It is computed where records are read, in a
// sandbox, never stored. Where the expression fails for a record, the value is null.

// deriveTypes finds the types of the derived columns, if the columns that they are derived from are not what they were.
// A derivation that has no type any more refuses the commit.
func (w *work) deriveTypes(ctx context.Context) error {
	some := slices.ContainsFunc(w.schema.Columns, schema.Column.Derived)
	if !some || derivationInputs(w.schema) == derivationInputs(w.bound) {
		return nil
	}
	for _, c := range w.schema.Columns {
		// A cycle can come about without anyone writing one: by a rollback or a merge that brings an earlier derivation
		// back.
		if way := w.schema.Cycle(c.ID); way != nil {
			return &underived{c, fault.Errorf(fault.Conflict, "derivation_cycle",
				"Variable %q would be derived from itself: %s.", c.Name, strings.Join(columnNamesOf(way), " → ")).
				With("variable", c.Name)}
		}
	}
	// The expression is a client's: it is bound where nothing of the store can be reached.
	box, err := w.store.Sandboxes.OpenLocked(ctx, true, nil)
	if err != nil {
		return err
	}
	defer box.Close()
	// In layers: a column's type depends on those that it is derived from.
	for _, layer := range w.schema.Layers() {
		for _, c := range layer {
			if c.Type, err = derivedType(ctx, box, w.schema, c); err != nil {
				return &underived{c, err}
			}
			w.schema = w.schema.With(c)
		}
	}
	w.bound = w.schema
	return nil
}

// underived is why a derived column has no type, or the exclusion can't be computed: the error, and the column that it
// is about.
type underived struct {
	column schema.Column
	err    error
}

// Error returns the sentence of the error itself.
func (u *underived) Error() string { return u.err.Error() }

// Unwrap returns the error of the derivation.
func (u *underived) Unwrap() error { return u.err }

// derivationInputs is all that the types of derived columns depend on.
func derivationInputs(s schema.Schema) string {
	var text strings.Builder
	for _, c := range s.Columns {
		fmt.Fprintf(&text, "%d %s %s\n", c.ID, c.Type, c.Derivation)
	}
	return text.String()
}

// derivedType finds the type of a derived column, which must be one that every format and SQL can give out.
func derivedType(ctx context.Context, box *duck.Conn, s schema.Schema, c schema.Column) (schema.Type, error) {
	t, err := clientsql.DerivedType(ctx, box, s, c)
	if err == nil && gate.Type(t) != "" {
		err = clientsql.RefuseDerivedType(s, c, t)
	}
	return t, err
}

// columnNamesOf returns the names of columns, in their order.
func columnNamesOf(columns []schema.Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}
