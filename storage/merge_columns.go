package storage

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// playColumns does to the commit's columns what an action did to the source's (design, section 6). A column that both
// sides made alike, each with an id of its own, is one: the action's states are renumbered to the id that it has here.
func (w actionWork) playColumns(ctx context.Context) error {
	// Before anything is compared: a column that both sides made would otherwise be a new one, of a name that is taken.
	before, after, explicit := w.did.before.Schema, w.did.after.Schema, w.did.explicit
	w.did.renumber(w.aliases(slices.Concat(before.Columns, after.Columns), after, explicit),
		w.aliases(w.did.head.Schema.Columns, w.did.head.Schema, explicit))
	before, after = w.did.before.Schema, w.did.after.Schema
	put := columnSet{}
	for _, id := range changedColumns(before, after) {
		if err := w.playColumn(id, &put); err != nil {
			return err
		}
	}
	// All at once: columns may have exchanged their names, and one after the other they would clash.
	w.setColumns(put)
	if err := w.settleNames(); err != nil {
		return err
	}
	brings := append(snapshot.OfKind(w.did.opened, schema.Data), snapshot.OfKind(w.did.closed, schema.Rollback)...)
	for _, f := range brings {
		if err := w.coverValues(ctx, f); err != nil {
			return err
		}
	}
	// Last, as the records of the action may have widened a column once more.
	return w.checkWidened(ctx)
}

// aliases finds the columns of the source that the commit's schema has under other ids, which theirs does not have.
// Columns are the same if they have one name and one definition; explicit says that people, and not records, made them,
// so that more has to be equal.
func (d *draft) aliases(columns []schema.Column, theirs schema.Schema, explicit bool) map[int]int {
	out := map[int]int{}
	names, _ := d.schema.Names()
	for _, c := range columns {
		if _, known := d.schema.ByID(c.ID); known || slices.Contains(d.schema.Dropped, c.ID) {
			continue
		}
		own, ok := names[schema.Fold(c.Name)]
		c.Derivation, c.Expression = schema.Renumbered(c.Derivation, out), schema.Renumbered(c.Expression, out)
		if _, there := theirs.ByID(own.ID); ok && !there && schema.SameDefinition(c, own, explicit) {
			out[c.ID] = own.ID
		}
	}
	return out
}

// renumber gives columns other ids, in the action's states and in the files' schemas as those states read them. The
// source's head may have ids of its own: records, or people, made the columns anew.
func (did *action) renumber(ids, ofHead map[int]int) {
	if len(ofHead) > 0 {
		did.head = did.head.Renumbered(ofHead)
	}
	if len(ids) == 0 {
		return
	}
	did.renumbered = ids
	did.before, did.after = did.before.Renumbered(ids), did.after.Renumbered(ids)
}

// playColumn does to one column what the action did to it: nothing, where it is so already; else it must be as the
// action found it, or both have widened it. The cases are in the order in which they are decided; what none of them
// decides is a conflict.
func (w actionWork) playColumn(id int, put *columnSet) error {
	before, was := w.did.before.Schema.ByID(id)
	after, is := w.did.after.Schema.ByID(id)
	now, have := w.schema.ByID(id)
	switch {
	case is == have && reflect.DeepEqual(after, now):
		return nil
	case !w.did.explicit && was && (!is || !have || narrower(before, after)):
		return nil // records went, or the variable was changed here: it stays so, unless narrowColumns finds it idle
	case was == have && reflect.DeepEqual(before, now):
		put.set(w.did, after, is, id)
		return nil
	case w.did.explicit && was && is && have && before.Type.Equal(after.Type) && widenedOnly(before, now):
		after.Type, after.Extension = now.Type, now.Extension
		put.put = append(put.put, after)
		return nil
	case w.did.explicit && !was && have: // records that a filter let through brought it before, as the source had it later
		return nil
	case !w.did.explicit && after.Derived(): // its type follows from the others
		return nil
	case !w.did.explicit && is && have:
		typ, ok := schema.Widen(now.Type, after.Type)
		both, fits := now.Extension.Joined(after.Extension)
		if now.Type, now.Extension = typ, both; ok && fits {
			put.put = append(put.put, now)
			return nil
		}
	}
	if end, ends := w.did.head.Schema.ByID(id); ends == have && reflect.DeepEqual(end, now) {
		return nil // what the source did to it since has led to what is here
	}
	if theirs, decided := w.did.settleVariable(); decided && have {
		if theirs {
			put.set(w.did, after, is, id)
		}
		return nil
	}
	name := after.Name
	if !is {
		name = before.Name
	}
	return onVariable(name, "Both sides changed variable %q, to different ends.", name)
}

// widenedOnly reports whether nothing but records made a column other than it was, by widening its type or what is said
// of the values.
func widenedOnly(before, now schema.Column) bool {
	_, ok := schema.Widen(before.Type, now.Type)
	if _, fits := before.Extension.Joined(now.Extension); fits {
		before.Extension = now.Extension
	}
	before.Type = now.Type
	return ok && reflect.DeepEqual(before, now)
}

// playDerivations finds the types that derived columns have here, and keeps the columns that are measured or required
// what they are where they are renamed.
func (w actionWork) playDerivations(ctx context.Context) error {
	snapshot.FollowNames(w.head.Schema, w.schema, &w.properties)
	err := w.deriveTypes(ctx)
	if err == nil {
		err = w.checkExclusion(ctx)
	}
	var u *underived
	if kind := fault.KindOf(err); errors.As(err, &u) && (kind == fault.Invalid || kind == fault.Conflict) {
		return onVariable(u.column.Name, "%s", Explain(err).Detail)
	}
	return err
}

// narrowColumns takes away what an action took away that was not about variables, columns and the width of columns,
// where they are as the action found them and no record here may need them.
func (w actionWork) narrowColumns() {
	if w.did.explicit || len(w.opened) > 0 {
		return // records written anew have all columns
	}
	after, put := w.leaves(), columnSet{}
	for _, id := range changedColumns(w.did.before.Schema, w.did.after.Schema) {
		before, was := w.did.before.Schema.ByID(id)
		now, have := w.schema.ByID(id)
		if !was || !have || !reflect.DeepEqual(before, now) || put.leavesDerived(w.schema, id) {
			continue
		}
		next, is := w.did.after.Schema.ByID(id)
		if slices.ContainsFunc(after.Data, func(f *catalog.File) bool {
			c, has := after.SchemaOf(f).ByID(id)
			return has && !(is && next.Type.Holds(c.Type))
		}) {
			continue
		}
		put.set(w.did, next, is, id)
	}
	w.setColumns(put)
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

// set makes a column what it is after the action, or takes it away. A column that people dropped is remembered as
// dropped; one that went with its records may come back under its id.
func (s *columnSet) set(did *action, c schema.Column, is bool, id int) {
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

// setColumns makes columns what they become. The ids of those that went are not given again (After).
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
func (w actionWork) settleNames() error {
	shared := sharedNames(w.schema)
	for _, id := range changedColumns(w.did.before.Schema, w.did.after.Schema) {
		c, here := w.schema.ByID(id)
		if _, is := w.did.after.Schema.ByID(id); !is || !here || !shared[schema.Fold(c.Name)] {
			continue
		}
		i := slices.IndexFunc(w.schema.Columns, func(o schema.Column) bool {
			return o.ID != id && schema.SameName(o.Name, c.Name)
		})
		if i < 0 {
			continue
		}
		other := w.schema.Columns[i]
		if !w.leavesIdle(other) {
			return anotherVariable(c, other)
		}
		gone := columnSet{}
		gone.set(w.did, other, false, other.ID)
		w.setColumns(gone)
	}
	return nil
}

// leavesIdle reports whether an action took a column away that was not about variables, and no record here has it then.
func (w actionWork) leavesIdle(c schema.Column) bool {
	before, was := w.did.before.Schema.ByID(c.ID)
	_, is := w.did.after.Schema.ByID(c.ID)
	if w.did.explicit || !was || is || !reflect.DeepEqual(before, c) || len(w.schema.DerivedFrom(c.ID)) > 0 ||
		!w.canLink() {
		return false
	}
	linked := w.clone()
	linked.links(w.did)
	after := linked.leaves()
	return !slices.ContainsFunc(after.Data, func(f *catalog.File) bool {
		_, has := after.SchemaOf(f).ByID(c.ID)
		return has
	})
}

// addColumns adds columns, or puts them in the place of those with their ids.
func (d *draft) addColumns(columns ...schema.Column) error {
	names, _ := d.schema.Names()
	for _, c := range columns {
		if other, taken := names[schema.Fold(c.Name)]; taken && other.ID != c.ID {
			return anotherVariable(c, other)
		}
		names[schema.Fold(c.Name)] = c
	}
	d.putColumns(columns...)
	return nil
}

// putColumns adds columns, or puts them in the place of those with their ids. A dropped one that comes back is dropped
// no more.
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
func (w actionWork) coverValues(ctx context.Context, f *catalog.File) error {
	columns, err := w.lacking(ctx, f)
	if err != nil {
		return err
	}
	var lacking []covering
	for _, c := range columns {
		now, have := w.schema.ByID(c.ID)
		if !have {
			now = w.did.latest(c)
		}
		if typ, ok := schema.Widen(now.Type, c.Type); ok && len(now.Earlier) == len(c.Earlier) {
			now.Type = typ
		}
		lacking = append(lacking, covering{c, now})
	}
	from := w.did.after.ReadFiles([]*catalog.File{f})
	for some := range slices.Chunk(lacking, partColumns) {
		if err := w.cover(ctx, some, from); err != nil {
			return err
		}
	}
	return nil
}

// covering is a column of a file, and what it has to be here.
type covering struct{ own, now schema.Column }

// cover makes room for the values that some columns have in files.
func (w actionWork) cover(ctx context.Context, lacking []covering, from string) error {
	values, fit := make([]int64, len(lacking)), make([]int64, len(lacking))
	var list []string
	var dest []any
	for i, l := range lacking {
		v := duck.Ident(l.own.Name)
		count := duck.Fill(countFitting, duck.Parts{"value": v, "becomes": becomes(v, l.own.Type, l.now.Type)})
		list, dest = append(list, count), append(dest, &values[i], &fit[i])
	}
	if err := w.conn.Row(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+from, dest...); err != nil {
		return err
	}
	var gained []schema.Column
	for i, l := range lacking {
		if fit[i] < values[i] {
			return onVariable(l.now.Name, "Variable %q is %s here, and the records have values that are %s.",
				l.now.Name, l.now.Type, l.own.Type)
		}
		if values[i] == 0 {
			continue
		}
		gained = append(gained, l.now)
	}
	return w.addColumns(gained...)
}

// countFitting is the SQL of how many values a column has, and how many of them are of another type too.
const countFitting = "count({value}), count(CASE WHEN {becomes} THEN {value} END)"

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
func (w actionWork) checkWidened(ctx context.Context) error {
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
		return onVariable(c.Name,
			"Variable %q would become %s, which does not hold all the values that it has, or had, here.", c.Name, c.Type)
	}
	return err
}
