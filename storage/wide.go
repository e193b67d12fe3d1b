package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rowback/storage/datafile"
	"rowback/storage/schema"
)

// DuckDB keeps 2,048 values of every column that a statement reads, several times over, however few rows there are. So
// that wide records take no more memory than narrow ones, no statement on an upload reads more than some of its
// columns.

// columnBytes is what a column takes while it is written to a file, for that no more columns are written at once than
// there is memory for.
const columnBytes = 384 << 10

// uploadColumns is how many columns of an upload are written at once.
func (r *Readers) uploadColumns() int {
	return max(int(r.limits().Memory/columnBytes)/partColumns, 1) * partColumns
}

// isWide reports whether the records have more columns than are written at once.
func (w *work) isWide() bool { return len(w.schema.Columns) > w.store.Readers.uploadColumns() }

// copyIn writes the records to a file, and returns how many they were.
func (w *work) copyIn(
	ctx context.Context, in *incoming, records reading, spec datafile.Spec, path string,
) (rows int64, err error) {
	all := spec.All()
	width := w.store.Readers.uploadColumns()
	if len(all) <= width {
		return w.copySlice(ctx, in, records, spec, all, path)
	}
	var paths []string
	defer func() {
		for _, path := range paths {
			w.store.removeWritten(path)
		}
	}()
	// The upload is read once a slice: more time, and never more memory.
	for columns := range slices.Chunk(all, width) {
		slice := w.store.blobs.Scratch("slice.parquet")
		paths = append(paths, slice)
		if rows, err = w.copySlice(ctx, in, records, spec, columns, slice); err != nil {
			return 0, err
		}
	}
	return rows, datafile.Join(path, paths)
}

// copySlice writes some columns of the records to a file.
func (w *work) copySlice(
	ctx context.Context, in *incoming, records reading, spec datafile.Spec, columns []schema.Column, path string,
) (rows int64, err error) {
	list := make([]string, len(columns))
	makes := map[int]bool{}
	for i, c := range columns {
		list[i], makes[c.ID] = w.incomingColumn(in, c), true
	}
	want := in.wantOf(func(id int) bool { return makes[id] })
	want.Text = makes[textID]
	from, release, err := records.Relation(ctx, records.conn, want)
	if err != nil {
		return 0, err
	}
	defer release()
	query := fmt.Sprintf("SELECT %s FROM (%s)", strings.Join(list, ", "), from)
	return datafile.CopySome(ctx, records.conn, query, path, spec, columns)
}
