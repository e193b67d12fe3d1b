package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

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
func (w *work) fileID(kind schema.Kind) int64 {
	if w.fileIDs == nil {
		w.fileIDs = map[schema.Kind]int64{}
	}
	if w.fileIDs[kind] == 0 {
		w.fileIDs[kind] = w.store.fileIDs.Add(1)
	}
	return w.fileIDs[kind]
}

// smallRows is up to how many rows are encoded here instead of by DuckDB: about where that becomes the faster.
const smallRows = 500

// write writes the rows of a query to a new file of the commit. The query has the columns of w.schema.Stored() and
// _commit; then _file and _pos for a rollback file. rows is how many there will be.
func (w *work) write(ctx context.Context, kind schema.Kind, query string, rows int64) error {
	if rows <= smallRows {
		batch, err := w.conn.Batch(ctx, query)
		if err != nil {
			return err
		}
		defer batch.Release()
		return w.writeBatch(kind, batch)
	}
	path := w.batch.Path(w.fileName(kind))
	if _, err := datafile.Copy(ctx, w.conn, query, path, w.spec(kind)); err != nil {
		return err
	}
	return w.takeFile(ctx, kind, path, rows, nil, nil)
}

func (w *work) spec(kind schema.Kind) datafile.Spec {
	return datafile.Spec{Kind: kind, Dataset: w.commit.DatasetID, Commit: w.commit.ID, File: w.fileID(kind), Columns: w.schema.Stored()}
}

// writeBatch writes a batch, with the columns that write asks of a query, to a new file of the commit.
func (w *work) writeBatch(kind schema.Kind, batch arrow.RecordBatch) error {
	data, err := datafile.Encode(batch, w.spec(kind))
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
func (w *work) takeFile(ctx context.Context, kind schema.Kind, path string, rows int64, bounds *catalog.Bounds, read <-chan fileSum) error {
	f := w.newFile(kind, rows)
	f.Bounds = bounds
	if read == nil {
		read = sumFile(path)
	}
	after := w.state()
	err := after.Measure(ctx, w.conn, f, path)
	sum := <-read
	f.Checksum, f.Bytes = sum.checksum, sum.size
	w.opened = append(w.opened, f)
	return errors.Join(err, sum.err)
}

// fileSum is the checksum of a file that is on the disk.
type fileSum struct {
	checksum string
	size     int64
	err      error
}

// sumFile sends a file to the disk and reads it for its checksum, while others read it too.
func sumFile(path string) <-chan fileSum {
	out := make(chan fileSum, 1)
	in, err := os.Open(path)
	if err != nil {
		out <- fileSum{err: err}
		return out
	}
	go func() {
		defer in.Close()
		var s fileSum
		if s.err = in.Sync(); s.err == nil {
			s.checksum, s.size, s.err = datafile.Checksum(in)
		}
		out <- s
	}()
	return out
}

func (w *work) newFile(kind schema.Kind, rows int64) *catalog.File {
	return &catalog.File{
		ID: w.fileID(kind), DatasetID: w.commit.DatasetID, CommitID: w.commit.ID, Kind: kind,
		Key: w.batch.Key(w.fileName(kind)), Rows: rows,
	}
}
