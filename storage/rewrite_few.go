package storage

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// fewValues is up to how many values of records are changed from memory.
const fewValues = smallRows * snapshot.SliceColumns

// areFew reports whether so many records of the dataset's are changed from memory: without a table, which would be
// filled and read once for each slice of the columns.
func (d *draft) areFew(records int64) bool {
	return records <= smallRows && records*int64(len(d.schema.Stored())) <= fewValues
}

// fewChanges returns the changes that differ, those with a live record first. They come as one batch, so that the files
// are encoded without another statement.
func (w *recordWriter) fewChanges(
	ctx context.Context, in *incoming, live *snapshot.Snapshot,
) (arrow.RecordBatch, error) {
	if w.isSliced() {
		return w.fewWideChanges(ctx, in, live)
	}
	rows, differs := w.changes(in, live, w.schema.Stored())
	query := "SELECT * FROM (" + rows + ") WHERE " + differs
	if in.rows > 1 {
		query += inOrderOfChange
	}
	return w.conn.Batch(ctx, query)
}

const inOrderOfChange = " ORDER BY _pos IS NULL, _n"

// fewWideChanges is fewChanges in slices of the columns. Each says of all records which of them differ in it.
func (w *recordWriter) fewWideChanges(
	ctx context.Context, in *incoming, live *snapshot.Snapshot,
) (arrow.RecordBatch, error) {
	var parts []arrow.RecordBatch
	defer func() {
		for _, p := range parts {
			p.Release()
		}
	}()
	var differ []bool
	for _, columns := range w.slices() {
		rows, differs := w.changes(in, live, columns)
		part, err := w.conn.Batch(ctx, "SELECT *, "+differs+" FROM ("+rows+")"+inOrderOfChange)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		differ = either(differ, part.Column(int(part.NumCols())-1).(*array.Boolean))
	}
	whole := duck.Beside(inChanges(parts))
	defer whole.Release()
	return keptRows(whole, differ)
}

// inChanges returns the columns of slices in the order in which draft.changes has those of whole records: of all as
// they are after the commit, and of all as they were before it. What follows either is the same in each slice.
func inChanges(parts []arrow.RecordBatch) (out []arrow.RecordBatch) {
	add := func(p arrow.RecordBatch, from, to int) {
		some := arrow.NewSchema(p.Schema().Fields()[from:to], nil)
		out = append(out, array.NewRecordBatch(some, p.Columns()[from:to], p.NumRows()))
	}
	last := len(parts) - 1
	for i, p := range parts {
		width := widthOf(p)
		if i == last {
			width++ // a_commit
		}
		add(p, 0, width)
	}
	for i, p := range parts {
		from, to := widthOf(p)+1, 2*widthOf(p)+1
		if i == last {
			to += 4 // b_commit, _file, _pos and _n
		}
		add(p, from, to)
	}
	return out
}

// widthOf returns how many of the dataset's columns a slice of changes has: each twice, and six others.
func widthOf(slice arrow.RecordBatch) int { return (int(slice.NumCols()) - 6) / 2 }

// either is the element-wise "or" of a list and a column without nulls. The list may be nil.
func either(a []bool, b *array.Boolean) []bool {
	if a == nil {
		a = make([]bool, b.Len())
	}
	for i := range a {
		a[i] = a[i] || b.Value(i)
	}
	return a
}

// keptRows returns some rows of a batch, which the caller releases.
func keptRows(batch arrow.RecordBatch, rows []bool) (arrow.RecordBatch, error) {
	if !slices.Contains(rows, false) {
		batch.Retain()
		return batch, nil
	}
	var runs []arrow.RecordBatch
	defer func() {
		for _, r := range runs {
			r.Release()
		}
	}()
	for from := 0; from < len(rows); from++ {
		to := from
		for to < len(rows) && rows[to] {
			to++
		}
		if to > from {
			runs = append(runs, batch.NewSlice(int64(from), int64(to)))
		}
		from = to
	}
	return duck.Concat(batch.Schema(), runs)
}

// rewriteFew writes the new records as a data file and those they displace as a rollback file, from memory: the
// changes, those with a live record first. gone are the picked records; nil: none.
func (w *recordWriter) rewriteFew(ctx context.Context, changes, gone arrow.RecordBatch) error {
	width, rows := len(w.schema.Stored()), changes.NumRows()
	added := int64(changes.Column(2*width + 3).NullN())
	w.commit.Modified, w.commit.Added = rows-added, added
	w.noted.few(w.schema.Stored(), changes, int(w.commit.Modified))
	if rows > 0 {
		after := columnsOf(changes, 0, width+1, rows)
		defer after.Release()
		if err := w.writeBatch(ctx, schema.Data, after); err != nil {
			return err
		}
	}
	var before []arrow.RecordBatch
	if w.commit.Modified > 0 {
		displaced := columnsOf(changes, width+1, 2*width+4, w.commit.Modified)
		defer displaced.Release()
		before = append(before, displaced)
	}
	if gone != nil {
		before = append(before, gone)
	}
	return w.displace(ctx, before)
}

// columnsOf returns some columns of the first rows of a batch.
func columnsOf(batch arrow.RecordBatch, from, to int, rows int64) arrow.RecordBatch {
	fields := arrow.NewSchema(batch.Schema().Fields()[from:to], nil)
	some := array.NewRecordBatch(fields, batch.Columns()[from:to], batch.NumRows())
	defer some.Release()
	return some.NewSlice(0, rows)
}

// displace writes batches of records, as they were, as one rollback file. There is one rollback file for a commit,
// whatever it displaced.
func (w *recordWriter) displace(ctx context.Context, batches []arrow.RecordBatch) error {
	if len(batches) == 0 {
		return nil
	}
	all, err := duck.Concat(batches[0].Schema(), batches)
	if err != nil {
		return err
	}
	defer all.Release()
	return w.writeBatch(ctx, schema.Rollback, all)
}

// fewGone returns the picked records, as they were, as one batch: what a rollback file has of them.
func (w *recordWriter) fewGone(ctx context.Context, live *snapshot.Snapshot) (arrow.RecordBatch, error) {
	var parts []arrow.RecordBatch
	defer func() {
		for _, p := range parts {
			p.Release()
		}
	}()
	spec, err := w.spec(ctx, schema.Rollback)
	if err != nil {
		return nil, err
	}
	all := w.slices()
	for i, columns := range all {
		if i == len(all)-1 {
			columns = slices.Concat(columns, spec.All()[len(spec.Columns):])
		}
		part, err := w.conn.Batch(ctx, w.displacing("c", w.picked(live, columns), w.commit.Removed)(columns))
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return duck.Beside(parts), nil
}
