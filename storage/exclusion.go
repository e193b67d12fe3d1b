package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// An exclusion is a property of a dataset: a condition on records that Crunch clients do not see. It is not a change of
// the records, so nothing but the Shoji face looks at it.

// exclude gives the dataset an exclusion, or takes it away where it is empty. Its condition is bound to the columns by
// their ids, so that a renaming changes nothing.
func (w *work) exclude(ctx context.Context, e catalog.Exclusion) error {
	if e == (catalog.Exclusion{}) {
		w.properties.Exclusion = nil
		return nil
	}
	box, err := w.store.Sandboxes.OpenLocked(ctx, true, nil)
	if err != nil {
		return err
	}
	defer box.Close()
	if e.Condition, err = clientsql.BindCondition(ctx, box, w.schema, e.Condition); err != nil {
		return err
	}
	w.properties.Exclusion = &e
	return nil
}

// excludeAs gives the dataset the exclusion of an archive, if it has the columns that it reads. An exclusion that can't
// be kept is dropped: it hides records from some clients, and is no reason to refuse a restore.
func (d *draft) excludeAs(archive schema.Schema, e *catalog.Exclusion) {
	d.properties.Exclusion = nil
	if e == nil {
		return
	}
	ids := sameNames(archive, d.schema)
	for _, id := range schema.References(e.Condition) {
		if _, ok := ids[id]; !ok {
			return
		}
	}
	d.properties.Exclusion = &catalog.Exclusion{
		Expression: schema.Renumbered(e.Expression, ids), Condition: schema.Renumbered(e.Condition, ids),
	}
}

// Excluded returns the SQL condition of the records that a state's exclusion hides, and the columns that it reads; an
// empty one where there is no exclusion.
func Excluded(s snapshot.State) (condition string, columns []schema.Column, err error) {
	e := s.Properties.Exclusion
	if e == nil {
		return "", nil, nil
	}
	for _, id := range schema.References(e.Condition) {
		c, ok := s.Schema.ByID(id)
		if !ok {
			return "", nil, fault.Errorf(fault.Conflict, "exclusion_unbound",
				"The exclusion of dataset '%s' reads a variable that is not there any more. Change or remove the exclusion.",
				s.Properties.Name)
		}
		columns = append(columns, c)
	}
	return "coalesce(TRY((" + strings.TrimSpace(s.Schema.WithNames(e.Condition)) + "\n)), false)", columns, nil
}

// checkExclusion makes sure that the exclusion can be computed of the columns that the draft has, if it or they are not
// what they were.
func (w *work) checkExclusion(ctx context.Context) error {
	e, inputs := w.properties.Exclusion, exclusionInputs(w.schema, w.properties.Exclusion)
	if e == nil || inputs == w.excluding {
		return nil
	}
	columns, err := w.exclusionColumns(e)
	if err != nil {
		return err
	}
	// The condition is a client's: it is bound where nothing of the store can be reached.
	box, err := w.store.Sandboxes.OpenLocked(ctx, true, nil)
	if err != nil {
		return err
	}
	defer box.Close()
	if _, err = clientsql.BindCondition(ctx, box, w.schema, w.exclusionText()); fault.KindOf(err) == fault.Invalid {
		return &underived{columns[0], fault.Errorf(fault.Conflict, "exclusion_unbound",
			"The exclusion of the dataset, %s, could no longer be computed. %s Change or remove the exclusion first.",
			fault.Clip(w.exclusionText()), Explain(err).Detail)}
	}
	if err == nil {
		w.excluding = inputs
	}
	return err
}

// exclusionColumns are the columns that an exclusion reads, those that changed first. It refuses one that is gone.
func (d *draft) exclusionColumns(e *catalog.Exclusion) (columns []schema.Column, err error) {
	for _, id := range schema.References(e.Condition) {
		before, was := d.head.Schema.ByID(id)
		c, ok := d.schema.ByID(id)
		switch {
		case !ok && was:
			return nil, &underived{before, fault.Errorf(fault.Conflict, "variable_used",
				"Variable %q can't be dropped: the exclusion of the dataset reads it. "+
					"Change or remove the exclusion first.", before.Name).With("variable", before.Name)}
		case !ok:
			return nil, fault.Errorf(fault.Conflict, "exclusion_unbound",
				"The dataset would have an exclusion that reads a variable which was dropped since. "+
					"Bring the variable back first, or give the dataset another exclusion.")
		case was && !before.Type.Equal(c.Type):
			columns = slices.Insert(columns, 0, c)
		default:
			columns = append(columns, c)
		}
	}
	return columns, nil
}

// exclusionInputs is all that makes whether an exclusion can be computed.
func exclusionInputs(s schema.Schema, e *catalog.Exclusion) string {
	if e == nil {
		return ""
	}
	var text strings.Builder
	text.WriteString(e.Condition)
	for _, id := range schema.References(e.Condition) {
		c, ok := s.ByID(id)
		fmt.Fprintf(&text, "\n%d %t %s", id, ok, c.Type)
	}
	return text.String()
}
