package storage

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Records of many columns are read and written in slices of the columns (snapshot.InSlices): by the same statement for
// each, which names no columns but those of its slice and of the key.

// slices are the stored columns, as many as a statement reads at a time.
func (d *draft) slices() [][]schema.Column { return snapshot.InSlices(d.schema.Stored()) }

// isSliced reports whether the records have more columns than a slice.
func (d *draft) isSliced() bool { return snapshot.AreSliced(d.schema.Stored()) }

// slicedFile is a file of the commit that is written a slice of its columns after the other. Few rows are kept in
// memory meanwhile; many in a file for each slice.
type slicedFile struct {
	*fileWriter
	kind    schema.Kind
	rows    int64
	written int // columns of the dataset
	few     []arrow.RecordBatch
	many    []string // paths
}

// write writes a new file of the commit. query is the SQL of its rows with some of its columns (datafile.Spec.All): the
// same rows in the same order for each slice. rows is how many there will be.
func (f *fileWriter) write(
	ctx context.Context, kind schema.Kind, rows int64, query func([]schema.Column) string,
) error {
	file := &slicedFile{fileWriter: f, kind: kind, rows: rows}
	defer file.discard()
	for _, columns := range f.slices() {
		if err := file.add(ctx, columns, query); err != nil {
			return err
		}
	}
	return file.finish(ctx)
}

// add writes the next slice. The last one has the columns that the server adds. The slices have to come in the order of
// the columns.
func (f *slicedFile) add(ctx context.Context, columns []schema.Column, query func([]schema.Column) string) error {
	if f.rows == 0 {
		return nil
	}
	spec, err := f.spec(ctx, f.kind)
	if err != nil {
		return err
	}
	if f.written += len(columns); f.written == len(spec.Columns) {
		columns = slices.Concat(columns, spec.All()[f.written:])
	}
	if f.rows <= smallRows {
		batch, err := f.conn.Batch(ctx, query(columns))
		if err == nil {
			f.few = append(f.few, batch)
		}
		return err
	}
	path := f.batch.Path(f.fileName(f.kind))
	if f.isSliced() {
		path = f.files.blobs.Scratch("slice.parquet")
		f.many = append(f.many, path)
	}
	copySome := func() error {
		_, err := datafile.CopySome(ctx, f.conn, query(columns), path, spec, columns)
		return err
	}
	if f.isSliced() {
		return copySome()
	}
	return f.sendWhile(f.kind, path, copySome)
}

// finish makes the slices the file.
func (f *slicedFile) finish(ctx context.Context) error {
	if f.rows == 0 {
		return nil
	}
	if f.rows <= smallRows {
		batch := duck.Beside(f.few)
		defer batch.Release()
		return f.writeBatch(ctx, f.kind, batch)
	}
	path := f.batch.Path(f.fileName(f.kind))
	if f.isSliced() {
		if err := datafile.Join(path, f.many); err != nil {
			return err
		}
	}
	return f.takeFile(ctx, f.kind, path, f.rows, nil, nil)
}

// discard frees what the slices took.
func (f *slicedFile) discard() {
	for _, b := range f.few {
		b.Release()
	}
	for _, path := range f.many {
		f.staging.removeWritten(path)
	}
}
