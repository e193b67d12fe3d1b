package storage

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/fault"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// playColumns does to the commit's columns what an action did to the source's (design, section 6). A column that both
// sides made alike, each with an id of its own, is one: the action's states are renumbered to the id that it has here.
func (w *work) playColumns(ctx context.Context, did *action) error {
	// Before anything is compared: a column that both sides made would otherwise be a new one, of a name that is taken.
	did.renumber(w.aliases(*did))
	before, after := did.before.Schema, did.after.Schema
	put := columnSet{}
	for _, id := range changedColumns(before, after) {
		if err := w.playColumn(*did, id, &put); err != nil {
			return err
		}
	}
	// All at once: columns may have exchanged their names, and one after the other they would clash.
	w.setColumns(put)
	if err := w.settleNames(*did); err != nil {
		return err
	}
	for _, f := range append(snapshot.OfKind(did.opened, schema.Data), snapshot.OfKind(did.closed, schema.Rollback)...) {
		if err := w.coverValues(ctx, did, f); err != nil {
			return err
		}
	}
	// Last, as the records of the action may have widened a column once more.
	return w.checkWidened(ctx)
}

// aliases finds the columns of the action that the commit's schema has under other ids.
func (d *draft) aliases(did action) map[int]int {
	out := map[int]int{}
	names, _ := d.schema.Names()
	for _, c := range slices.Concat(did.before.Schema.Columns, did.after.Schema.Columns) {
		if _, known := d.schema.ByID(c.ID); known || slices.Contains(d.schema.Dropped, c.ID) {
			continue
		}
		own, ok := names[schema.Fold(c.Name)]
		c.Derivation, c.Expression = schema.Renumbered(c.Derivation, out), schema.Renumbered(c.Expression, out)
		if _, theirs := did.after.Schema.ByID(own.ID); ok && !theirs && schema.SameDefinition(c, own, did.explicit) {
			out[c.ID] = own.ID
		}
	}
	return out
}

// renumber gives columns other ids, in the action's states and in the files' schemas as those states read them.
func (did *action) renumber(ids map[int]int) {
	if len(ids) == 0 {
		return
	}
	did.renumbered = ids
	did.before, did.after, did.head = did.before.Renumbered(ids), did.after.Renumbered(ids), did.head.Renumbered(ids)
}

// playColumn does to one column what the action did to it: nothing, where it is so already; else it must be as the
// action found it, or both have widened it.
func (d *draft) playColumn(did action, id int, put *columnSet) error {
	before, was := did.before.Schema.ByID(id)
	after, is := did.after.Schema.ByID(id)
	now, have := d.schema.ByID(id)
	switch {
	case is == have && reflect.DeepEqual(after, now):
		return nil
	case !did.explicit && was && (!is || !have || narrower(before, after)):
		return nil // records went, or the variable was changed here: it stays so, unless narrowColumns finds it idle
	case was == have && reflect.DeepEqual(before, now):
		put.set(did, after, is, id)
		return nil
	case did.explicit && was && is && have && before.Type.Equal(after.Type) && widenedOnly(before, now):
		after.Type = now.Type
		put.put = append(put.put, after)
		return nil
	case did.explicit && !was && have: // records that a filter let through brought it before, as the source had it later
		return nil
	case !did.explicit && after.Derived(): // its type follows from the others
		return nil
	case !did.explicit && is && have:
		typ, ok := schema.Widen(now.Type, after.Type)
		if now.Type = typ; ok {
			put.put = append(put.put, now)
			return nil
		}
	}
	if end, ends := did.head.Schema.ByID(id); ends == have && reflect.DeepEqual(end, now) {
		return nil // what the source did to it since has led to what is here
	}
	name := after.Name
	if !is {
		name = before.Name
	}
	return onVariable(name, "Both sides changed variable %q, to different ends.", name)
}

// widenedOnly reports whether nothing but records made a column other than it was, by widening its type.
func widenedOnly(before, now schema.Column) bool {
	_, ok := schema.Widen(before.Type, now.Type)
	before.Type = now.Type
	return ok && reflect.DeepEqual(before, now)
}

// playDerivations finds the types that derived columns have here, and keeps the columns that are measured what they
// are.
func (w *work) playDerivations(ctx context.Context) error {
	snapshot.FollowNames(w.head.Schema, w.schema, &w.properties)
	err := w.deriveTypes(ctx)
	var u *underived
	if kind := fault.KindOf(err); errors.As(err, &u) && (kind == fault.Invalid || kind == fault.Conflict) {
		return onVariable(u.column.Name, "%s", Explain(err).Detail)
	}
	return err
}

// narrowColumns takes away what an action took away that was not about variables, columns and the width of columns,
// where they are as the action found them and no record here may need them.
func (d *draft) narrowColumns(did action) {
	if did.explicit || len(d.opened) > 0 {
		return // records written anew have all columns
	}
	after, put := d.leaves(), columnSet{}
	for _, id := range changedColumns(did.before.Schema, did.after.Schema) {
		before, was := did.before.Schema.ByID(id)
		now, have := d.schema.ByID(id)
		if !was || !have || !reflect.DeepEqual(before, now) || put.leavesDerived(d.schema, id) {
			continue
		}
		next, is := did.after.Schema.ByID(id)
		if slices.ContainsFunc(after.Data, func(f *catalog.File) bool {
			c, has := after.SchemaOf(f).ByID(id)
			return has && !(is && next.Type.Holds(c.Type))
		}) {
			continue
		}
		put.set(did, next, is, id)
	}
	d.setColumns(put)
}

// narrower reports whether an action took from a column's type what records had widened it by.
func narrower(before, after schema.Column) bool {
	wide, ok := schema.Widen(after.Type, before.Type)
	return ok && wide.Equal(before.Type) && !before.Type.Equal(after.Type) && len(before.Earlier) == len(after.Earlier)
}

// columnSet is what becomes of columns: all are set at once, as each change of a schema makes another one.
type columnSet struct {
	put           []schema.Column // as they are then
	dropped, gone []int
}

// set makes a column what it is after the action, or takes it away.
func (s *columnSet) set(did action, c schema.Column, is bool, id int) {
	switch {
	case is:
		s.put = append(s.put, c)
	case slices.Contains(did.after.Schema.Dropped, id):
		s.dropped = append(s.dropped, id)
	default:
		s.gone = append(s.gone, id)
	}
}

// leavesDerived reports whether a column that stays is derived from one.
func (s *columnSet) leavesDerived(now schema.Schema, id int) bool {
	return slices.ContainsFunc(now.DerivedFrom(id), func(c schema.Column) bool {
		return !slices.Contains(s.dropped, c.ID) && !slices.Contains(s.gone, c.ID)
	})
}

func (d *draft) setColumns(s columnSet) {
	d.putColumns(s.put...)
	if len(s.dropped) > 0 {
		d.schema = d.schema.Drop(s.dropped...)
	}
	if len(s.gone) > 0 {
		d.schema = d.schema.Without(s.gone...).After(d.schema)
	}
}

// settleNames makes sure that columns which the action left have names of their own here. One whose name they take
// over, as in a restore of the one that had it first, goes with the last records that may have values in it.
func (w *work) settleNames(did action) error {
	shared := sharedNames(w.schema)
	for _, id := range changedColumns(did.before.Schema, did.after.Schema) {
		c, here := w.schema.ByID(id)
		if _, is := did.after.Schema.ByID(id); !is || !here || !shared[schema.Fold(c.Name)] {
			continue
		}
		i := slices.IndexFunc(w.schema.Columns, func(o schema.Column) bool {
			return o.ID != id && schema.SameName(o.Name, c.Name)
		})
		if i < 0 {
			continue
		}
		other := w.schema.Columns[i]
		if !w.leavesIdle(did, other) {
			return anotherVariable(c, other)
		}
		gone := columnSet{}
		gone.set(did, other, false, other.ID)
		w.setColumns(gone)
	}
	return nil
}

// leavesIdle reports whether an action took a column away that was not about variables, and no record here has it then.
func (w *work) leavesIdle(did action, c schema.Column) bool {
	before, was := did.before.Schema.ByID(c.ID)
	_, is := did.after.Schema.ByID(c.ID)
	if did.explicit || !was || is || !reflect.DeepEqual(before, c) || len(w.schema.DerivedFrom(c.ID)) > 0 ||
		!w.canLink(did) {
		return false
	}
	linked := w.clone()
	linked.links(did)
	after := linked.leaves()
	return !slices.ContainsFunc(after.Data, func(f *catalog.File) bool {
		_, has := after.SchemaOf(f).ByID(c.ID)
		return has
	})
}

// addColumn adds a column, or puts it in the place of the one with its id.
func (d *draft) addColumn(c schema.Column) error {
	if other, taken := d.schema.ByName(c.Name); taken && other.ID != c.ID {
		return anotherVariable(c, other)
	}
	d.putColumns(c)
	return nil
}

func (d *draft) putColumns(columns ...schema.Column) {
	d.schema = d.schema.With(columns...)
	d.schema.Dropped = slices.DeleteFunc(slices.Clone(d.schema.Dropped), func(id int) bool {
		_, is := d.schema.ByID(id)
		return is
	})
}

// anotherVariable is the conflict of a column of the source with one of its name here.
func anotherVariable(c, other schema.Column) error {
	if c.Type.Equal(other.Type) {
		return onVariable(c.Name, "There is another variable %q here, which is not defined as the source's %q is.",
			other.Name, c.Name)
	}
	return onVariable(c.Name, "There is another variable %q here, of type %s; the source's is %s.",
		other.Name, other.Type, c.Type)
}

// coverValues makes room for the values in a file that the action gave to records: columns that an earlier action,
// which was not played, had added, and types that take those values.
func (w *work) coverValues(ctx context.Context, did *action, f *catalog.File) error {
	lacking, err := w.lacking(ctx, did, f)
	if err != nil {
		return err
	}
	for _, c := range lacking {
		now, have := w.schema.ByID(c.ID)
		if !have {
			now = did.latest(c)
		}
		if typ, ok := schema.Widen(now.Type, c.Type); ok && len(now.Earlier) == len(c.Earlier) {
			now.Type = typ
		}
		var values, fit int64
		query := duck.Fill(countFitting, duck.Parts{
			"becomes": becomes(c.Type, now.Type), "column": duck.Ident(c.Name),
			"file": did.after.ReadFiles([]*catalog.File{f}),
		})
		if err := w.conn.Row(ctx, query, &values, &fit); err != nil {
			return err
		}
		if fit < values {
			return onVariable(now.Name, "Variable %q is %s here, and the records have values that are %s.",
				now.Name, now.Type, c.Type)
		}
		if values == 0 {
			continue
		}
		if err := w.addColumn(now); err != nil {
			return err
		}
	}
	return nil
}

// countFitting is the SQL of how many values a column has in a file, and how many of them are of another type too.
const countFitting = `SELECT count(v), count(v) FILTER ({becomes}) FROM (SELECT {column} AS v FROM {file})`

// schemaOf is the schema that one of the action's files was written with.
func (did *action) schemaOf(f *catalog.File) schema.Schema {
	if fs, ok := did.after.Schemas[f.SchemaID]; ok {
		return fs
	}
	return did.before.SchemaOf(f)
}

// latest is a column of a file as the source has it after the action; as the file has it, where the source has it no
// more.
func (did *action) latest(c schema.Column) schema.Column {
	if now, ok := did.after.Schema.ByID(c.ID); ok {
		return now
	}
	return c
}

// checkWidened makes sure that what is stored here fits the types that the action gave to columns.
func (w *work) checkWidened(ctx context.Context) error {
	var widened []schema.Column
	for _, c := range w.schema.Stored() {
		if old, was := w.head.Schema.ByID(c.ID); was && !c.Type.Holds(old.Type) {
			widened = append(widened, c)
		}
	}
	if len(widened) == 0 {
		return nil
	}
	err := w.checkStored(ctx, widened)
	if old, ok := mismatchOf(err); ok {
		c, _ := w.schema.ByID(old.ID)
		return onVariable(c.Name, "Variable %q would become %s, which does not hold all the values that it has, or had, here.",
			c.Name, c.Type)
	}
	return err
}
