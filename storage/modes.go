package storage

import (
	"context"
	"slices"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/fault"
	"rowback/storage/intake"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// append adds records (design, section 3). None of their keys may be live.
func (w *work) append(ctx context.Context, u intake.Upload) error {
	if err := w.lockRows(ctx); err != nil {
		return err
	}
	in, err := w.read(ctx, u, nil)
	if err != nil {
		return err
	}
	defer w.discard(in)
	if batch, ok := in.kept.(keptBatch); ok && w.schema.Keyed() {
		if err := w.keys(in).checkFew(ctx, w.inBatch(batch.RecordBatch)); err != nil {
			return err
		}
	} else if w.schema.Keyed() || in.has(schema.RowID) {
		if table, ok := in.kept.(*keptTable); ok && !w.schema.Keyed() {
			table.firstID = max(w.firstRow(), in.brought+1)
		}
		if err := w.keys(in).check(ctx); err != nil {
			return err
		}
		if err := w.keys(in).areNew(ctx); err != nil {
			return err
		}
	}
	w.commit.Added = in.rows
	w.gaveRows(in)
	return w.add(ctx, in)
}

// gaveRows records the row numbers that this commit's records have, given or brought.
func (w *work) gaveRows(in *incoming) {
	if w.schema.Keyed() || in.rows == 0 {
		return
	}
	last := max(w.firstRow()-1, in.brought)
	if w.commit.Mode == catalog.Append {
		last += in.rows
	}
	w.family.lastRow.Store(last)
	in.firstRow = last - in.rows + 1
}

// add makes all incoming records a data file.
func (w *work) add(ctx context.Context, in *incoming) error {
	if in.rows == 0 {
		return nil
	}
	return in.kept.add(ctx, &w.writer.fileWriter, in)
}

// put overwrites or upserts records (design, section 3). Records that would stay as they are, stay where they are.
func (w *work) put(ctx context.Context, u intake.Upload) error {
	if err := w.lockRows(ctx); err != nil {
		return err
	}
	in, err := w.read(ctx, u, nil)
	if err != nil {
		return err
	}
	defer w.discard(in)
	if err := w.keys(in).check(ctx); err != nil {
		return err
	}
	w.gaveRows(in)
	if in.rows == 0 {
		return nil
	}
	live := w.liveIn(in.bounds)
	if len(live.Data) == 0 && !in.keepsText(w.commit.Mode) {
		w.commit.Added = in.rows
		return w.add(ctx, in)
	}
	if err := w.findFields(ctx, in); err != nil {
		return err
	}
	if in.rows <= smallRows && !w.isSliced() {
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
func (w *work) replace(ctx context.Context, u intake.Upload) error {
	if err := w.lockRows(ctx); err != nil {
		return err
	}
	in, err := w.read(ctx, u, nil)
	if err != nil {
		return err
	}
	defer w.discard(in)
	if err := w.keys(in).check(ctx); err != nil {
		return err
	}
	w.gaveRows(in)
	live := w.liveIn(nil)
	if in.rows == 0 {
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
	if max(in.rows, w.commit.Removed) <= smallRows && !w.isSliced() {
		return w.replaceFew(ctx, in, live)
	}
	return w.writer.rewriteMany(ctx, in, live, func(columns []schema.Column) string { return w.picked(live, columns) })
}

// replaceFew does so from memory, once the records that go were picked.
func (w *work) replaceFew(ctx context.Context, in *incoming, live *snapshot.Snapshot) error {
	changes, err := w.writer.fewChanges(ctx, in, live)
	if err != nil {
		return err
	}
	defer changes.Release()
	if w.commit.Removed == 0 {
		return w.writer.rewriteFew(ctx, changes, nil)
	}
	gone, err := w.conn.Batch(ctx, displaced("picked", w.schema.Stored())+" ORDER BY _file, _pos")
	if err != nil {
		return err
	}
	defer gone.Release()
	return w.writer.rewriteFew(ctx, changes, gone)
}

// checkNothing makes sure that an upload without records is meant as a dataset without records: one that is not even
// about these columns, such as an error page, is not.
func (w *work) checkNothing(in *incoming, u intake.Upload) error {
	if u.Format == intake.JSON { // an empty list
		return nil
	}
	known := func(c schema.Column) bool { return in.has(c.ID) }
	if w.schema.Keyed() && !slices.ContainsFunc(w.schema.KeyColumns(), func(c schema.Column) bool { return !known(c) }) {
		return nil
	}
	if !w.schema.Keyed() && slices.ContainsFunc(w.head.Schema.Columns, known) {
		return nil
	}
	return fault.Errorf(fault.Invalid, "no_records",
		"The upload has no records, and not the dataset's columns. "+
			"To remove all records, send [] as JSON, or a file with the columns.")
}
