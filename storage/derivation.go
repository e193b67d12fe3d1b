package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rowback/storage/duck"
	"rowback/storage/fault"
	"rowback/storage/gate"
	"rowback/storage/schema"
)

// A derived column is a client's SQL expression over other columns. It is computed where records are read, in a sandbox,
// never stored. Where the expression fails for a record, the value is null.

// DerivationText is a column's derivation with the names that the columns have in s; empty where it has none.
func DerivationText(s schema.Schema, c schema.Column) string { return s.DerivationText(c) }

// Records is the SQL of Rows with the derived columns beside the stored ones. It is for sandboxes.
func (s *Snapshot) Records(place bool) string {
	sql := s.Rows(place)
	for _, layer := range s.Schema.Layers() {
		list := "*"
		for _, c := range layer {
			list += fmt.Sprintf(", TRY(CAST((%s\n) AS %s)) AS %s", c.Derivation, c.Type.SQL(), columnName(c.ID))
		}
		sql = "SELECT " + list + " FROM (" + sql + ")"
	}
	return sql
}

// deriveTypes finds the types of the derived columns, if the columns that they are derived from are not what they were.
// A derivation that has no type any more refuses the commit.
func (w *work) deriveTypes(ctx context.Context) error {
	if !slices.ContainsFunc(w.schema.Columns, schema.Column.Derived) || derivationInputs(w.schema) == derivationInputs(w.bound) {
		return nil
	}
	for _, c := range w.schema.Columns {
		if way := w.schema.Cycle(c.ID); way != nil {
			return fault.Errorf(fault.Conflict, "derivation_cycle", "Variable %q would be derived from itself: %s.", c.Name, strings.Join(columnNamesOf(way), " → ")).
				With("variable", c.Name)
		}
	}
	box, err := w.store.Sandbox(ctx, true, nil)
	if err != nil {
		return err
	}
	defer box.Close()
	for _, layer := range w.schema.Layers() {
		for _, c := range layer {
			if c.Type, err = deriveType(ctx, box, w.schema, c); err != nil {
				return err
			}
			w.schema = w.schema.With(c)
		}
	}
	w.bound = w.schema
	return nil
}

// derivationInputs tells all that the types of derived columns depend on.
func derivationInputs(s schema.Schema) string {
	var text strings.Builder
	for _, c := range s.Columns {
		fmt.Fprintf(&text, "%d %s %s\n", c.ID, c.Type, c.Derivation)
	}
	return text.String()
}

// deriveType finds the type of a derived column, without a look at any value.
func deriveType(ctx context.Context, box *duck.Conn, s schema.Schema, c schema.Column) (t schema.Type, err error) {
	nulls := []string{"1 AS _n"}
	for _, d := range append(s.Stored(), slices.Concat(s.Layers()...)...) {
		nulls = append(nulls, "CAST(NULL AS "+d.Type.SQL()+") AS "+columnName(d.ID))
	}
	for _, id := range schema.References(c.Derivation) {
		if _, ok := s.ByID(id); !ok {
			return t, fault.Errorf(fault.Conflict, "derivation_unbound", "Variable %q is derived from a variable that would not be there. Undo what takes that away first, or drop %q.", c.Name, c.Name).
				With("variable", c.Name)
		}
	}
	var name string
	err = box.Row(ctx, fmt.Sprintf("SELECT column_type FROM (DESCRIBE SELECT _n, TRY((%s\n)) AS v FROM (SELECT %s)) WHERE column_name = 'v'",
		c.Derivation, strings.Join(nulls, ", ")), &name)
	if duck.CauseOf(err) == duck.Input {
		return t, unbound(s, c, unfailing(s.WithNames(duck.Message(err))))
	}
	if err != nil {
		return t, err
	}
	found, err := schema.Parse(name)
	if err != nil {
		return t, unbound(s, c, "it has fields without names; name them, as in {'a': 1, 'b': 2}")
	}
	t, ok := schema.Stored(found)
	if !ok || gate.Type(t) != "" {
		return t, unbound(s, c, fmt.Sprintf("it is %s, which can't be given out in every format; cast it to another type", found))
	}
	return t, nil
}

// unfailing takes the name of what makes a failing expression null out of a message: clients did not write it.
func unfailing(message string) string {
	return strings.ReplaceAll(message, "the TRY expression", "a derivation")
}

func unbound(s schema.Schema, c schema.Column, why string) error {
	return fault.Errorf(fault.Invalid, "derivation_refused", "Variable %q can't be derived as %s: %s.", c.Name, fault.Clip(s.DerivationText(c)), why).
		With("variable", c.Name)
}
