package storage

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"rowback/storage/duck"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// Few records of many columns are read in slices of the columns (snapshot.InSlices): by the same statement for each,
// which names no columns but those of its slice and of the key.

// batches runs a statement for each slice of the stored columns. Its rows must be the same for all, in the same order.
// The caller releases the results.
func (w *work) batches(
	ctx context.Context, query func(columns []schema.Column) string,
) (out []arrow.RecordBatch, err error) {
	for _, columns := range snapshot.InSlices(w.schema.Stored()) {
		batch, err := w.conn.Batch(ctx, query(columns))
		if err != nil {
			releaseAll(out)
			return nil, err
		}
		out = append(out, batch)
	}
	return out, nil
}

func releaseAll(batches []arrow.RecordBatch) {
	for _, b := range batches {
		b.Release()
	}
}

// beside returns the columns of batches beside each other: of each, as many as there are in its slice, from the one
// that at returns, and at last some more of the last one. rows is how many rows to take.
func beside(parts []arrow.RecordBatch, sizes []int, at func(size int) int, more int, rows int64) arrow.RecordBatch {
	var fields []arrow.Field
	var columns []arrow.Array
	for i, p := range parts {
		from := at(sizes[i])
		to := from + sizes[i]
		if i == len(parts)-1 {
			to += more
		}
		fields = append(fields, p.Schema().Fields()[from:to]...)
		columns = append(columns, p.Columns()[from:to]...)
	}
	all := array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, parts[0].NumRows())
	defer all.Release()
	return all.NewSlice(0, rows)
}

// writeBeside writes the records after and before a commit, in slices of the columns, to a data and a rollback file.
func (w *work) writeBeside(ctx context.Context, after, before []arrow.RecordBatch) error {
	if err := w.writeSlices(ctx, schema.Data, after, 1); err != nil {
		return err
	}
	return w.writeSlices(ctx, schema.Rollback, before, 3)
}

// writeSlices writes records in slices of the columns, of which the last has some more, to a file of the commit.
func (w *work) writeSlices(ctx context.Context, kind schema.Kind, parts []arrow.RecordBatch, more int) error {
	rows := parts[0].NumRows()
	if rows == 0 {
		return nil
	}
	batch := beside(parts, w.sizes(), fromFirst, more, rows)
	defer batch.Release()
	return w.writeBatch(ctx, kind, batch)
}

// fromFirst is beside's at where the columns of a slice are its first.
func fromFirst(int) int { return 0 }

// isSliced reports whether the records have more columns than a slice.
func (d *draft) isSliced() bool { return len(d.schema.Stored()) > snapshot.SliceColumns }

// sizes is how many of the stored columns each slice has.
func (d *draft) sizes() (out []int) {
	for _, columns := range snapshot.InSlices(d.schema.Stored()) {
		out = append(out, len(columns))
	}
	return out
}

// different returns the rows of batches whose last column, _differs, is true in any of them. It releases the batches.
func different(parts []arrow.RecordBatch) (out []arrow.RecordBatch, err error) {
	defer releaseAll(parts)
	rows := int(parts[0].NumRows())
	differs := func(row int) bool {
		return slices.ContainsFunc(parts, func(p arrow.RecordBatch) bool {
			return p.Column(int(p.NumCols()) - 1).(*array.Boolean).Value(row)
		})
	}
	var runs [][2]int64 // of rows that differ
	for row := range rows {
		switch n := len(runs); {
		case !differs(row):
		case n > 0 && runs[n-1][1] == int64(row):
			runs[n-1][1]++
		default:
			runs = append(runs, [2]int64{int64(row), int64(row) + 1})
		}
	}
	for _, p := range parts {
		kept, err := rowsOf(p, runs)
		if err != nil {
			releaseAll(out)
			return nil, err
		}
		out = append(out, kept)
	}
	return out, nil
}

// rowsOf returns runs of rows of a batch.
func rowsOf(batch arrow.RecordBatch, runs [][2]int64) (arrow.RecordBatch, error) {
	var some []arrow.RecordBatch
	defer func() { releaseAll(some) }()
	for _, r := range runs {
		some = append(some, batch.NewSlice(r[0], r[1]))
	}
	return duck.Concat(batch.Schema(), some)
}
