package storage

import (
	"context"
	"strings"

	"rowback/storage/catalog"
	"rowback/storage/clientsql"
	"rowback/storage/fault"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// An exclusion is a property of a dataset: a condition on records that Crunch clients do not see. It is not a change of
// the records, so nothing but the Shoji face looks at it.

// exclude gives the dataset an exclusion, or takes it away where it is empty.
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

// excludeAs gives the dataset the exclusion of an archive, if it has the columns that it reads.
func (w *work) excludeAs(archive schema.Schema, e *catalog.Exclusion) {
	w.properties.Exclusion = nil
	if e == nil {
		return
	}
	ids := sameNames(archive, w.schema)
	for _, id := range schema.References(e.Condition) {
		if _, ok := ids[id]; !ok {
			return
		}
	}
	w.properties.Exclusion = &catalog.Exclusion{
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

// exclusionText is the condition of the exclusion, with names; empty where there is none.
func (d *draft) exclusionText() string {
	if d.properties.Exclusion == nil {
		return ""
	}
	return d.schema.WithNames(d.properties.Exclusion.Condition)
}

// notExcluding refuses to drop a variable that the exclusion reads.
func (d *draft) notExcluding(c schema.Column) error {
	e := d.properties.Exclusion
	if e == nil {
		return nil
	}
	for _, id := range schema.References(e.Condition) {
		if id == c.ID {
			return fault.Errorf(fault.Conflict, "variable_used",
				"Variable %q can't be dropped: the exclusion of the dataset reads it. "+
					"Change or remove the exclusion first.", c.Name)
		}
	}
	return nil
}
