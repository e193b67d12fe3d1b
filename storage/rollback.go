package storage

import (
	"context"
	"errors"
	"math"
	"slices"

	"rowback/storage/catalog"
	"rowback/storage/clientsql"
	"rowback/storage/fault"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// CanRollback tells whether a commit can be undone under a policy. It changes nothing.
func (s *Store) CanRollback(ctx context.Context, dataset string, commit int64, p Policy) (Rollbackable, error) {
	head, err := s.Snapshot(ctx, dataset, "head")
	if err != nil {
		return Rollbackable{}, err
	}
	trial := &work{held: &held{store: s}, publication: publication{draft: draftOn(head)}}
	trial.commit.ID = math.MaxInt64
	defer trial.end()
	answer, err := trial.undo(ctx, commit, p)
	if fault.KindOf(err) == fault.Conflict || errors.Is(err, clientsql.ErrUnderived) {
		return Rollbackable{Blocked: true, Detail: Explain(err).Detail, Policy: p}, nil
	}
	return answer, err
}

// Rollback undoes a commit with a new one: what it opened is closed, what it closed is open again, where it lies
// (design, section 1). The cost does not grow with the rows.
func (s *Store) Rollback(ctx context.Context, dataset string, commit int64, p Policy, r Request) (catalog.Commit, error) {
	w, err := s.begin(ctx, dataset, r, catalog.Rollback)
	if err != nil {
		return catalog.Commit{}, err
	}
	defer w.end()
	answer, err := w.undo(ctx, commit, p)
	if err != nil {
		return catalog.Commit{}, err
	}
	if answer.Blocked {
		return catalog.Commit{}, answer.refusal()
	}
	return publish(ctx, w, asCommit)
}

// undo makes the work the inverse of a commit, unless that is blocked.
func (w *work) undo(ctx context.Context, commit int64, p Policy) (Rollbackable, error) {
	undone, followed, answer, err := w.store.blockers(ctx, w.head, commit, p)
	if err != nil || answer.Blocked {
		return answer, err
	}
	w.invert(undone)
	w.properties = withFields(w.properties, undone.propertiesBefore, undone.fields)
	if err := w.undoSchema(undone, followed); err != nil {
		return answer, err
	}
	if err := w.checkReadable(ctx); err != nil {
		return answer, err
	}
	if err := w.deriveTypes(ctx); err != nil {
		return answer, err
	}
	return answer, w.store.catalog.Read(ctx, func(tx catalog.Tx) error { return flip(tx, w.marks, undone.commit, w.commit.ID) })
}

// invert closes what the commit opened and reopens what it closed.
func (w *work) invert(undone sets) {
	c := undone.commit
	w.commit.ParentCommitID = c.ID
	w.commit.Added, w.commit.Removed, w.commit.Modified = c.Removed, c.Added, c.Modified
	w.closed, w.reopened, w.back = undone.opened, undone.closed, undone.schemas
}

// undoSchema undoes what a commit did to the schema. Where no later commit stands, the schema is what it was before.
// Where one does, columns that the commit took away come back, and those that it added stay: later records may have
// values in them. Whatever rows come back, their columns do.
func (w *work) undoSchema(undone sets, followed bool) (err error) {
	if !followed {
		if len(undone.columns) > 0 {
			w.schema = undone.schemaBefore.After(w.schema)
		}
		return nil
	}
	for _, id := range undone.columns {
		w.schema = undoColumn(w.schema, undone, id)
	}
	for _, id := range undone.columns { // once all are back: they may have exchanged their names
		c, _ := w.schema.ByID(id)
		if slices.ContainsFunc(w.schema.Columns, func(o schema.Column) bool { return o.ID != id && schema.SameName(o.Name, c.Name) }) {
			return columnTaken(undone.commit.ID, c.Name)
		}
	}
	for _, f := range snapshot.OfKind(undone.closed, schema.Data) {
		for _, c := range undone.schemas[f.SchemaID].Columns {
			if c.Derived() || slices.Contains(w.schema.Dropped, c.ID) {
				continue
			}
			if w.schema, err = cover(w.schema, c, undone.commit.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// undoColumn undoes what a commit, with others after it, did to one column.
func undoColumn(now schema.Schema, undone sets, id int) schema.Schema {
	explicit := undone.explicit
	old, was := undone.schemaBefore.ByID(id)
	_, is := now.ByID(id)
	switch {
	case was && is && explicit:
		return now.With(old)
	case was && !explicit && slices.Contains(now.Dropped, id):
		return now
	case was:
		return bring(now, old)
	case is && explicit && slices.Contains(undone.schemaBefore.Dropped, id):
		return now.Drop(id)
	case is && explicit:
		return now.Without(id).After(now)
	}
	return now
}

// cover returns the schema with room for the values of a column that was there before: with the column, and with a type
// that takes both.
func cover(now schema.Schema, old schema.Column, commit int64) (schema.Schema, error) {
	if c, taken := now.ByName(old.Name); taken && c.ID != old.ID {
		if _, is := now.ByID(old.ID); !is {
			return now, columnTaken(commit, old.Name)
		}
	}
	return bring(now, old), nil
}

// bring is cover, whatever the names of other columns are.
func bring(now schema.Schema, old schema.Column) schema.Schema {
	if c, is := now.ByID(old.ID); is {
		if typ, ok := schema.Widen(c.Type, old.Type); ok {
			c.Type = typ
		}
		return now.With(c)
	}
	now.Dropped = slices.DeleteFunc(slices.Clone(now.Dropped), func(id int) bool { return id == old.ID })
	return now.With(old)
}

func columnTaken(commit int64, name string) error {
	return fault.Errorf(fault.Conflict, "column_taken", "Commit %d can't be rolled back: column %q would come back, and there is another of that name since. Undo what added that one first.", commit, name)
}
