package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
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

// sliceColumns is how many columns of the upload are written at once. A statement on a Parquet file reads its own columns
// only, and takes time quadratic in their number. Other formats are read as a whole for each slice, so that they have as
// few slices as there is memory for.
func (a arriving) sliceColumns() int {
	if a.in.upload.Format == intake.Parquet {
		return min(a.store.Readers.uploadColumns(), intake.ParquetPart)
	}
	return a.store.Readers.uploadColumns()
}

// isWide reports whether the records have more columns than are written at once.
func (a arriving) isWide() bool { return len(a.schema.Columns) > a.sliceColumns() }

// copyIn writes the records to a file, and returns how many they were. Each thread holds a row group of the upload, and
// so do those that wait to be written in their order: where that is too much, one thread reads some columns at a time.
func (a arriving) copyIn(ctx context.Context, spec datafile.Spec, path string) (rows int64, err error) {
	readers := a.store.Readers
	rows, err = a.copySlices(ctx, spec, path, a.sliceColumns())
	if duck.CauseOf(err) != duck.OutOfMemory || !a.records.conn.Remote() {
		return rows, err
	}
	if _, failed := a.records.conn.Exec(ctx, "SET threads = 1"); failed != nil { // the process did not survive it
		return rows, err
	}
	rows, err = a.copySlices(ctx, spec, path, max(len(spec.All())/slicesIfShort, 1))
	// The process serves other uploads after this one, with all threads.
	_, failed := a.records.conn.Exec(context.WithoutCancel(ctx), fmt.Sprintf("SET threads = %d", readers.limits().Threads))
	return rows, errors.Join(err, failed)
}

// slicesIfShort is into how many slices records are divided that were too much for the memory.
const slicesIfShort = 4

// copySlices writes the records to a file, at most so many columns at a time. Slices are joined by copying their pages,
// without decoding them (datafile.Join).
func (a arriving) copySlices(
	ctx context.Context, spec datafile.Spec, path string, width int,
) (rows int64, err error) {
	all := spec.All()
	if len(all) <= width {
		if a.commit.Mode != catalog.Append { // only then does it become a file of the commit
			return a.copySlice(ctx, spec, all, path)
		}
		err = a.writer.sendWhile(schema.Data, path, func() (err error) {
			rows, err = a.copySlice(ctx, spec, all, path)
			return err
		})
		return rows, err
	}
	var paths []string
	defer func() {
		for _, path := range paths {
			a.store.removeWritten(path)
		}
	}()
	// The upload is read once a slice: more time, and never more memory.
	for columns := range slices.Chunk(all, width) {
		slice := a.store.blobs.Scratch("slice.parquet")
		paths = append(paths, slice)
		if rows, err = a.copySlice(ctx, spec, columns, slice); err != nil {
			return 0, err
		}
	}
	return rows, datafile.Join(path, paths)
}

// copySlice writes some columns of the records to a file.
func (a arriving) copySlice(
	ctx context.Context, spec datafile.Spec, columns []schema.Column, path string,
) (rows int64, err error) {
	list := make([]string, len(columns))
	makes := map[int]bool{}
	for i, c := range columns {
		list[i], makes[c.ID] = a.column(c), true
	}
	want := a.in.wantOf(func(id int) bool { return makes[id] })
	want.Text = makes[textID]
	from, release, err := a.records.Relation(ctx, a.records.conn, want)
	if err != nil {
		return 0, err
	}
	defer release()
	query := fmt.Sprintf("SELECT %s FROM (%s)", strings.Join(list, ", "), from)
	return datafile.CopySome(ctx, a.records.conn, query, path, spec, columns)
}
