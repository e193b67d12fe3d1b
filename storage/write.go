package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"rowback/storage/catalog"
	"rowback/storage/datafile"
	"rowback/storage/schema"
)

// fileName is the name of a commit's file of that kind in its folder. It has at most one of each; those that a merge
// played share its folder.
func (w *work) fileName(kind schema.Kind) string {
	return fmt.Sprintf("%s-%04d.parquet", kind, w.part)
}

// fileID is the id of the commit's file of that kind, which the file names itself: it is given before that is written.
func (w *work) fileID(ctx context.Context, kind schema.Kind) (id int64, err error) {
	if id, ok := w.fileIDs[kind]; ok {
		return id, nil
	}
	drawn := int64(1)
	if w.request.Preview != nil {
		drawn = 0 // the next one and those after it, which stay to be drawn
	}
	if id, err = w.store.catalog.Draw(ctx, catalog.FileIDs, drawn); err != nil {
		return 0, err
	}
	if drawn == 0 {
		id += w.previewedFiles
		w.previewedFiles++
	}
	if w.fileIDs == nil {
		w.fileIDs = map[schema.Kind]int64{}
	}
	w.fileIDs[kind] = id
	return id, nil
}

// smallRows is up to how many rows are encoded here instead of by DuckDB: about where that becomes the faster.
const smallRows = 500

// spec is what the commit's file of that kind says of itself.
func (w *work) spec(ctx context.Context, kind schema.Kind) (datafile.Spec, error) {
	id, err := w.fileID(ctx, kind)
	return datafile.Spec{
		Kind: kind, Dataset: w.commit.DatasetID, Commit: w.commit.ID, File: id, Columns: w.schema.Stored(),
	}, err
}

// writeBatch writes a batch, with the columns of datafile.Spec.All, to a new file of the commit.
func (w *work) writeBatch(ctx context.Context, kind schema.Kind, batch arrow.RecordBatch) error {
	spec, err := w.spec(ctx, kind)
	if err != nil {
		return err
	}
	data, err := datafile.Encode(batch, spec)
	if err != nil {
		return err
	}
	if err := w.batch.Write(w.fileName(kind), data); err != nil {
		return err
	}
	f := w.newFile(kind, batch.NumRows())
	after := w.state()
	after.MeasureBatch(f, batch)
	f.Checksum, f.Bytes, err = datafile.Checksum(bytes.NewReader(data))
	w.opened = append(w.opened, f)
	return err
}

// takeFile makes a file that lies at path, in the batch, one of the commit's. Its bounds may be known. It is read for
// its checksum while DuckDB measures it.
func (w *work) takeFile(
	ctx context.Context, kind schema.Kind, path string, rows int64, bounds *catalog.Bounds, read <-chan fileSum,
) error {
	f := w.newFile(kind, rows)
	f.Bounds = bounds
	if read == nil {
		read = w.store.sumFile(path)
	}
	after := w.state()
	// While the checksum is computed beside it: the file is in the system's memory for both.
	err := after.Measure(ctx, w.conn, f, path)
	sum := <-read
	f.Checksum, f.Bytes = sum.checksum, sum.size
	w.opened = append(w.opened, f)
	return errors.Join(err, sum.err)
}

func (w *work) newFile(kind schema.Kind, rows int64) *catalog.File {
	return &catalog.File{
		ID: w.fileIDs[kind], DatasetID: w.commit.DatasetID, CommitID: w.commit.ID, Kind: kind,
		Key: w.batch.Key(w.fileName(kind)), Rows: rows,
	}
}
