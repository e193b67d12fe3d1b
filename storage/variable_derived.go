package storage

import (
	"context"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// createDerived adds a derived column.
func (w variableWork) createDerived(ctx context.Context, c schema.Column, n NewVariable) error {
	if n.Values != nil {
		return fault.Errorf(fault.Invalid, "derived_variable",
			"Variable %q has both a derivation and values. Send one or the other.", c.Name)
	}
	var declared *string
	if n.Type != "" {
		declared = &n.Type
	}
	return w.rederive(ctx, c, n.Derivation, declared)
}

// rederive gives a column a derivation. It keeps the type that it has, or gets the one that is declared with it.
func (w variableWork) rederive(ctx context.Context, c schema.Column, written string, declared *string) error {
	if was, ok := w.head.Schema.ByID(c.ID); ok && !was.Derived() {
		return fault.Errorf(fault.Invalid, "stored_variable",
			"Variable %q has values of its own and can't be derived. Create another one.", c.Name)
	}
	box, err := w.store.Sandboxes.OpenLocked(ctx, true, nil)
	if err != nil {
		return err
	}
	defer box.Close()
	before := c.Type
	if c.Derivation, err = clientsql.BindDerivation(ctx, box, w.schema, c, written); err != nil {
		return err
	}
	// Bound by ids, so that renaming a column changes no derivation.
	w.schema = w.schema.With(c)
	if way := w.schema.Cycle(c.ID); way != nil {
		return clientsql.RefuseDerivation("variable %q would be derived from itself: %s",
			c.Name, strings.Join(columnNamesOf(way), " → "))
	}
	if c.Type, err = derivedType(ctx, box, w.schema, c); err != nil {
		return err
	}
	want := before
	if declared != nil && wordTakes(*declared, c.Type) {
		want = c.Type
	} else if declared != nil {
		if want, err = declaredType(ctx, box, *declared); err != nil {
			return err
		}
	}
	if want.Name != schema.Null && !want.Equal(c.Type) {
		return fault.Errorf(fault.Invalid, "derivation_type",
			"Variable %q is %s, and the derivation gives %s. Cast it in the derivation: CAST(… AS %s).",
			c.Name, want, c.Type, want).
			With("variable", c.Name)
	}
	w.schema = w.schema.With(c)
	return checkCategorical(c)
}

// makeRoom retires the columns that are derived and are not so in an archive, or the other way round. Retired, they
// keep their ids, and their values stay in the files of earlier versions.
func (d *draft) makeRoom(archive schema.Schema) {
	for _, c := range d.schema.Columns {
		kept, there := archive.ByName(c.Name)
		if c.Derived() != (there && kept.Derived()) && !d.schema.IsKey(c.ID) {
			d.schema = d.schema.Without(c.ID).After(d.schema)
		}
	}
}

// describeAs gives the columns what an archive says of them beside their values. Derivations are read as any client's.
func (w variableWork) describeAs(ctx context.Context, archive schema.Schema) error {
	for _, kept := range slices.Concat(append([][]schema.Column{archive.Stored()}, archive.Layers()...)...) {
		c, ok := w.schema.ByName(kept.Name)
		c.Title, c.Description, c.Categories = kept.Title, kept.Description, kept.Categories
		if c.Type.Equal(kept.Type) {
			c.Extension = kept.Extension // of those in Arrow, a Parquet file has only geometries
		}
		switch {
		case !kept.Derived() && ok:
			w.schema = w.schema.With(c)
		case kept.Derived():
			if !ok {
				c.Name = kept.Name
				var err error
				if c.ID, err = w.family.nextFieldID(ctx); err != nil {
					return err
				}
			}
			if err := w.checkName(c.Name, c.ID); err != nil {
				return err
			}
			c.Type = schema.Of(schema.Null) // it is what the derivation gives
			c.Expression = schema.Renumbered(kept.Expression, sameNames(archive, w.schema))
			if err := w.rederive(ctx, c, archive.DerivationText(kept), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameNames finds the columns of an archive among those of a dataset, by name.
func sameNames(archive, own schema.Schema) map[int]int {
	out := map[int]int{}
	for _, kept := range archive.Columns {
		if c, ok := own.ByName(kept.Name); ok {
			out[kept.ID] = c.ID
		}
	}
	return out
}

// areNames says of columns that they are something.
func areNames(columns []schema.Column) string {
	verb := " is"
	if len(columns) > 1 {
		verb = " are"
	}
	return strings.Join(columnNamesOf(columns), ", ") + verb
}
