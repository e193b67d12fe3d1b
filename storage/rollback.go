package storage

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// CanRollback reports whether a commit can be undone under a policy. It changes nothing. It tries what Rollback would
// do, without a lock and without an id, so that both have the same reasons to refuse.
func (s *Store) CanRollback(ctx context.Context, dataset string, commit int64, p Policy) (Rollbackable, error) {
	head, err := s.Snapshot(ctx, dataset, "head")
	if err != nil {
		return Rollbackable{}, err
	}
	trial := newWork(s.hold(Request{}))
	trial.draft = draftOn(head)
	// After every commit that there is. No id is drawn, since nothing is going to stand.
	trial.commit.ID = math.MaxInt64
	defer trial.end()
	plan, err := s.blockers(ctx, head, commit, p)
	if err == nil && !plan.answer.Blocked {
		err = undoWork{trial, plan}.undoOne(ctx)
		if err == nil {
			err = trial.conclude()
		}
		if err == nil {
			err = trial.checkRequired(ctx)
		}
	}
	if fault.KindOf(err) == fault.Conflict || errors.Is(err, clientsql.ErrUnderived) || isLacking(err) {
		return Rollbackable{Blocked: true, Detail: Explain(err).Detail, Policy: p}, nil
	}
	return plan.answer, err
}

// Rollback undoes a commit with a new one: what it opened is closed, what it closed is open again, where it lies
// (design, section 1). The cost does not grow with the rows.
func (s *Store) Rollback(
	ctx context.Context, dataset string, commit int64, p Policy, r Request,
) (catalog.Commit, error) {
	w, err := s.beginUndo(ctx, dataset, commit, p, r)
	if err != nil {
		return catalog.Commit{}, err
	}
	defer w.end()
	if w.plan.answer.Blocked {
		return catalog.Commit{}, w.plan.answer.refusal()
	}
	if err := w.undoOne(ctx); err != nil {
		return catalog.Commit{}, err
	}
	return publish(ctx, w.work, asCommit)
}

// undoWork is a commit that undoes others. plan has what was found when it began; nothing else can be committed until
// it ends.
type undoWork struct {
	*work
	plan *undoing
}

// beginUndo begins a commit that undoes another, once it is found what is in the way.
func (s *Store) beginUndo(
	ctx context.Context, dataset string, commit int64, p Policy, r Request,
) (w undoWork, err error) {
	if w.work, err = s.begin(ctx, dataset, r, catalog.Rollback); err != nil {
		return w, err
	}
	w.plan, err = s.blockers(ctx, w.head, commit, p)
	if err == nil {
		err = permittedToUndo(ctx, w.head.Dataset, w.plan.undone)
	}
	if err != nil {
		w.end()
	}
	return w, err
}

// undoOne makes the work the inverse of the commit, which nothing blocks.
func (w undoWork) undoOne(ctx context.Context) error {
	undone := w.plan.undone
	if err := checkGatesStay(undone); err != nil {
		return err
	}
	// Rows first, since which columns are needed follows from the files that are live then.
	w.invert(undone)
	if err := w.noteInverse(ctx, undone.commit); err != nil {
		return err
	}
	w.properties = withFields(w.properties, undone.propertiesBefore, undone.fields)
	if err := w.undoSchema(undone, w.plan.isFollowed(undone.commit.ID)); err != nil {
		return err
	}
	if err := w.undid(ctx, undone); err != nil {
		return err
	}
	return w.writer.countAgain(ctx, undone.touched(), undone.schemas)
}

// noteInverse notes what undoing a commit does to values. Of commits of an older program it is not known.
func (w undoWork) noteInverse(ctx context.Context, c catalog.Commit) error {
	e := c.Effects
	if e == nil || len(e.ColumnsCleared)+len(e.ColumnsFilled) == 0 {
		return nil
	}
	return w.store.catalog.Read(ctx, func(tx catalog.Tx) error {
		s, err := tx.Schema(c.SchemaID)
		w.writer.cleared, w.writer.filled = columnIDs(s, e.ColumnsFilled), columnIDs(s, e.ColumnsCleared)
		return err
	})
}

// undid makes sure that the work can be read, and marks what it undid, the newest first.
func (w undoWork) undid(ctx context.Context, undone ...sets) error {
	if err := w.checkReadable(ctx); err != nil {
		return err
	}
	if err := w.deriveTypes(ctx); err != nil {
		return err
	}
	if err := w.checkExclusion(ctx); err != nil {
		return err
	}
	return w.store.catalog.Read(ctx, func(tx catalog.Tx) error {
		for _, u := range undone {
			if err := flip(tx, w.marks, u.commit, w.commit.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// invert closes what the commit opened and reopens what it closed. A modified record is one that was removed and one
// that was added, so modified stays modified.
func (d *draft) invert(undone sets) {
	c := undone.commit
	d.commit.ParentCommitID = c.ID
	// Nothing is read: a file that the commit opened is closed, one that it closed is opened, whatever they hold. It did
	// the reverse, to values that are still there (countAgain).
	d.commit.Added, d.commit.Removed, d.commit.Modified = c.Removed, c.Added, c.Modified
	d.closed, d.reopened, d.back = undone.opened, undone.closed, undone.schemas
}

// undoSchema undoes what a commit did to the schema. Where no later commit stands, the schema is what it was before.
// Where one does, columns that the commit took away come back, and those that it added stay: later records may have
// values in them. The columns of rows that come back come back too.
func (d *draft) undoSchema(undone sets, followed bool) (err error) {
	if !followed {
		if len(undone.columns) > 0 {
			d.schema = undone.schemaBefore.After(d.schema)
		}
		return nil
	}
	if err := d.checkExtensions(undone); err != nil {
		return err
	}
	d.schema = undoColumns(d.schema, undone)
	shared := sharedNames(d.schema) // once all are back: they may have exchanged their names
	for _, id := range undone.columns {
		if c, _ := d.schema.ByID(id); shared[schema.Fold(c.Name)] {
			return columnTaken(undone.commit.ID, c.Name)
		}
	}
	// Data files that come back may have columns, and values, that the schema has no room for by now.
	for _, group := range snapshot.BySchema(snapshot.OfKind(undone.closed, schema.Data)) {
		if d.schema, err = cover(d.schema, undone.schemas[group[0].SchemaID], undone.commit.ID); err != nil {
			return err
		}
	}
	return nil
}

// sharedNames returns the folded names that more than one column has.
func sharedNames(s schema.Schema) map[string]bool {
	seen, shared := make(map[string]bool, len(s.Columns)), map[string]bool{}
	for _, c := range s.Columns {
		name := schema.Fold(c.Name)
		shared[name] = shared[name] || seen[name]
		seen[name] = true
	}
	return shared
}

// undoColumns undoes what a commit, with others after it, did to columns.
func undoColumns(now schema.Schema, undone sets) schema.Schema {
	var back, covered []schema.Column
	var dropped, gone []int
	for _, id := range undone.columns {
		old, was := undone.schemaBefore.ByID(id)
		_, is := now.ByID(id)
		switch {
		case was && is && undone.explicit:
			back = append(back, old)
		// Someone has dropped the variable since: it stays so.
		case was && !undone.explicit && slices.Contains(now.Dropped, id):
		// Records brought the change, and later ones may need it: the column takes both.
		case was:
			covered = append(covered, old)
		case is && undone.explicit && slices.Contains(undone.schemaBefore.Dropped, id):
			dropped = append(dropped, id)
		case is && undone.explicit:
			gone = append(gone, id)
		}
	}
	now = bring(now.With(back...), covered...).Drop(dropped...)
	if len(gone) == 0 {
		return now
	}
	return now.Without(gone...).After(now)
}

// cover returns the schema with room for the values of files that were written with another: with its columns, and with
// types that take both.
func cover(now, old schema.Schema, commit int64) (schema.Schema, error) {
	names, _ := now.Names()
	var back []schema.Column
	for _, c := range old.Columns {
		own, is := now.ByID(c.ID)
		both, _ := own.Extension.Joined(c.Extension)
		if c.Derived() || slices.Contains(now.Dropped, c.ID) ||
			is && own.Type.Equal(c.Type) && reflect.DeepEqual(own.Extension, both) {
			continue
		}
		if _, taken := names[schema.Fold(c.Name)]; taken && !is {
			return now, columnTaken(commit, c.Name)
		}
		back = append(back, c)
	}
	return bring(now, back...), nil
}

// bring is cover for some columns, whatever the names of others are.
func bring(now schema.Schema, old ...schema.Column) schema.Schema {
	back := make(map[int]bool, len(old))
	for i, o := range old {
		c, is := now.ByID(o.ID)
		if !is {
			back[o.ID] = true
			continue
		}
		if typ, ok := schema.Widen(c.Type, o.Type); ok {
			c.Type = typ
		}
		if both, ok := c.Extension.Joined(o.Extension); ok {
			c.Extension = both
		}
		old[i] = c
	}
	now.Dropped = slices.DeleteFunc(slices.Clone(now.Dropped), func(id int) bool { return back[id] })
	return now.With(old...)
}

// columnTaken is the refusal of a rollback that would give two columns one name.
func columnTaken(commit int64, name string) error {
	return fault.Errorf(fault.Conflict, "column_taken",
		"Commit %d can't be rolled back: column %q would come back, and another column has that name now. "+
			"Undo the commit that added it first.", commit, name)
}
