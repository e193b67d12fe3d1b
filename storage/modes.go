package storage

import (
	"context"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// modeWork is a commit that changes records, as its mode says.
type modeWork struct {
	*work
	strict bool // records must have the columns that the dataset has
}

// apply changes records as the mode of the commit says (design, section 3).
func (w modeWork) apply(ctx context.Context, c Change) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	switch c.Mode {
	case catalog.Append:
		err := w.append(ctx, c.Upload)
		if err == nil {
			w.describeBrought(c.Columns)
		}
		return err
	case catalog.Overwrite, catalog.Upsert:
		return w.put(ctx, c.Upload)
	case catalog.Replace:
		return w.replace(ctx, c.Upload)
	case catalog.Delete:
		return w.delete(ctx, c)
	}
	return fault.Errorf(fault.Invalid, "unknown_mode",
		"There is no mode %q. A mode is append, overwrite, upsert, replace or delete.", fault.Clip(string(c.Mode)))
}

// append adds records (design, section 3). None of their keys may be live. No stored file is read where the key grows
// or the server assigns it: bounds and ids show that the keys are new.
func (w modeWork) append(ctx context.Context, u intake.Upload) error {
	in, err := w.readWithRowIDs(ctx, u)
	if err != nil {
		return err
	}
	defer in.discard(w.staging)
	if batch, ok := in.kept.(keptBatch); ok && w.schema.Keyed() {
		if err := w.keys(in).checkFew(ctx, w.inBatch(batch.RecordBatch)); err != nil {
			return err
		}
	} else if w.schema.Keyed() || in.has(schema.RowID) {
		if table, ok := in.kept.(*keptTable); ok && !w.schema.Keyed() {
			table.firstID = max(w.firstRowID(), in.brought+1)
		}
		if err := w.keys(in).check(ctx); err != nil {
			return err
		}
		if err := w.keys(in).areNew(ctx); err != nil {
			return err
		}
	}
	w.commit.Added = in.rows
	w.giveRowIDs(in)
	return in.add(ctx, w.writer)
}

// add makes all incoming records a data file.
func (in *incoming) add(ctx context.Context, w *recordWriter) error {
	if in.rows == 0 {
		return nil
	}
	return in.kept.add(ctx, &w.fileWriter, in)
}

// readWithRowIDs reads an upload whose records get row ids, if the dataset has any. The lock is taken before the
// upload is read: its rows are written with their ids.
func (w modeWork) readWithRowIDs(ctx context.Context, u intake.Upload) (*incoming, error) {
	if !w.schema.Keyed() {
		if err := w.lockRowIDs(ctx, w.store.catalog, w.head.Dataset.FamilyID); err != nil {
			return nil, err
		}
	}
	return w.read(ctx, u, nil)
}

// giveRowIDs records the row ids that incoming records have.
func (w modeWork) giveRowIDs(in *incoming) {
	switch {
	case w.schema.Keyed() || in.rows == 0:
	case w.commit.Mode == catalog.Append:
		in.firstRow = w.gaveRowIDs(in.rows, in.brought)
	default: // all of them were brought: they are the key
		w.gaveRowIDs(0, in.brought)
	}
}

// readKeyed reads an upload whose records must each have a key of their own: it says which live record they replace.
func (w modeWork) readKeyed(ctx context.Context, u intake.Upload) (*incoming, error) {
	in, err := w.readWithRowIDs(ctx, u)
	if err != nil {
		return nil, err
	}
	if err := w.keys(in).check(ctx); err != nil {
		in.discard(w.staging)
		return nil, err
	}
	w.giveRowIDs(in)
	return in, nil
}

// put overwrites or upserts records (design, section 3). Records that would stay as they are, stay where they are.
func (w modeWork) put(ctx context.Context, u intake.Upload) error {
	in, err := w.readKeyed(ctx, u)
	if err != nil {
		return err
	}
	defer in.discard(w.staging)
	if in.rows == 0 {
		return nil
	}
	live, err := w.liveWith(ctx, in)
	if err != nil {
		return err
	}
	if changes := w.compareHere(in, live); changes != nil {
		defer changes.Release()
		w.store.keys.here.Add(1)
		return w.writer.rewriteFew(ctx, changes, nil)
	}
	// None of the keys can be live, so all records are new.
	if len(live.Data) == 0 && !in.keepsText(w.commit.Mode) {
		w.commit.Added = in.rows
		return in.add(ctx, w.writer)
	}
	if err := in.findFields(ctx, w.conn); err != nil {
		return err
	}
	if w.areFew(in.rows) {
		changes, err := w.writer.fewChanges(ctx, in, live)
		if err != nil {
			return err
		}
		defer changes.Release()
		return w.writer.rewriteFew(ctx, changes, nil)
	}
	return w.writer.rewriteMany(ctx, in, live, nil)
}

// replace makes the dataset's records those of an upload.
func (w modeWork) replace(ctx context.Context, u intake.Upload) error {
	in, err := w.readKeyed(ctx, u)
	if err != nil {
		return err
	}
	defer in.discard(w.staging)
	live := w.liveIn(nil)
	if in.rows == 0 {
		// Before anything is removed.
		if err := w.checkNothing(in, u); err != nil {
			return err
		}
		if err := w.writer.pick(ctx, pickAll, duck.Parts{}, live); err != nil {
			return err
		}
		return w.writer.writePicked(ctx, live)
	}
	if err := w.writer.pick(ctx, pickNotCame, w.picking(in), live); err != nil {
		return err
	}
	if w.areFew(max(in.rows, w.commit.Removed)) {
		return w.writer.replaceFew(ctx, in, live)
	}
	return w.writer.rewriteMany(ctx, in, live, func(columns []schema.Column) string { return w.picked(live, columns) })
}

// replaceFew does so from memory, once the records that go were picked.
func (w *recordWriter) replaceFew(ctx context.Context, in *incoming, live *snapshot.Snapshot) error {
	changes, err := w.fewChanges(ctx, in, live)
	if err != nil {
		return err
	}
	defer changes.Release()
	if w.commit.Removed == 0 {
		return w.rewriteFew(ctx, changes, nil)
	}
	gone, err := w.fewGone(ctx, live)
	if err != nil {
		return err
	}
	defer gone.Release()
	return w.rewriteFew(ctx, changes, gone)
}

// checkNothing makes sure that an upload without records is meant as a dataset without records: one that is not even
// about these columns, such as an error page, is not.
func (d *draft) checkNothing(in *incoming, u intake.Upload) error {
	if u.Format == intake.JSON { // an empty list
		return nil
	}
	known := func(c schema.Column) bool { return in.has(c.ID) }
	if d.schema.Keyed() && !slices.ContainsFunc(d.schema.KeyColumns(), func(c schema.Column) bool { return !known(c) }) {
		return nil
	}
	if !d.schema.Keyed() && slices.ContainsFunc(d.head.Schema.Columns, known) {
		return nil
	}
	return fault.Errorf(fault.Invalid, "no_records",
		"The upload has no records, and not the dataset's columns. "+
			"To remove all records, send [] as JSON, or a file with the columns.")
}

// keys looks at the keys of records that come into the commit.
func (w modeWork) keys(in *incoming) keyCheck {
	shown := shownKeys
	if w.request.collects {
		shown = mostRejected
	}
	return keyCheck{w.conn, w.schema.KeyColumns(), in, w.liveIn, w.store.keys, shown}
}
