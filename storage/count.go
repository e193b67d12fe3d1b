package storage

import (
	"context"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// countDifference counts the records that differ between the head and what the work leaves. It reads what differs
// between the two states, and nothing that they share.
func (w *recordWriter) countDifference(ctx context.Context) error {
	return w.count(ctx, snapshot.Diff(w.head, w.leaves()))
}

// count makes the commit's counts those of a difference, and notes what became of the values of its records.
func (w *recordWriter) count(ctx context.Context, d *snapshot.Difference) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	counts, err := d.Count(ctx, w.conn)
	if err != nil {
		return err
	}
	w.commit.Added, w.commit.Removed, w.commit.Modified = counts.Added, counts.Removed, counts.Modified
	if cleared, filled, ok := counts.Noted(); ok {
		w.noted.cleared, w.noted.filled = append(w.noted.cleared, cleared...), append(w.noted.filled, filled...)
		return nil
	}
	return w.noted.difference(ctx, w.conn, d, counts.Columns)
}

// countAgain counts anew what the commit modified, where it takes its counts from another one whose files have columns
// that were dropped since: there may be nothing left of what differed.
func (w *recordWriter) countAgain(ctx context.Context, files []*catalog.File, schemas map[string]schema.Schema) error {
	hasDropped := func(f *catalog.File) bool {
		return slices.ContainsFunc(schemas[f.SchemaID].Columns, func(c schema.Column) bool {
			return slices.Contains(w.schema.Dropped, c.ID)
		})
	}
	if w.commit.Modified == 0 || !slices.ContainsFunc(files, hasDropped) {
		return nil
	}
	return w.countDifference(ctx)
}

// addUp reports whether the counts of commits, one after the other, add up to what they did in all: no two of them can
// have touched the same record where all only added records, or all only removed some. Where they do, a merge's counts
// cost no reading.
func addUp(list []draft) bool {
	var sum snapshot.Counts
	for _, one := range list {
		sum.Added, sum.Removed = sum.Added+one.commit.Added, sum.Removed+one.commit.Removed
		sum.Modified += one.commit.Modified
	}
	return len(list) < 2 || sum.Modified == 0 && (sum.Added == 0 || sum.Removed == 0)
}
