package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"rowback/storage/catalog"
	"rowback/storage/datafile"
	"rowback/storage/duck"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
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
	if id, err = w.store.catalog.Draw(ctx, catalog.FileIDs, 1); err != nil {
		return 0, err
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
	if kind == schema.Rollback && err == nil {
		at := w.inBatch(batch)
		err = w.noteLost(func(absent []schema.Column) ([]bool, error) {
			have := make([]bool, len(absent))
			for i, c := range absent {
				have[i] = int64(at(c.ID).NullN()) < batch.NumRows()
			}
			return have, nil
		})
	}
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
	if err := errors.Join(err, sum.err); err != nil || kind != schema.Rollback {
		return err
	}
	return w.noteLost(func(absent []schema.Column) ([]bool, error) { return w.haveValues(ctx, path, absent) })
}

// haveValues reports which columns have values in a file.
func (w *work) haveValues(ctx context.Context, path string, columns []schema.Column) (have []bool, err error) {
	for some := range slices.Chunk(columns, snapshot.SliceColumns) {
		list, dest, found := make([]string, len(some)), make([]any, len(some)), make([]bool, len(some))
		for i, c := range some {
			list[i], dest[i] = "count("+duck.Ident(c.Name)+") > 0", &found[i]
		}
		query := duck.Fill(hasValues, duck.Parts{"columns": strings.Join(list, ", "), "path": duck.Text(path)})
		if err := w.conn.Row(ctx, query, dest...); err != nil {
			return nil, err
		}
		have = append(have, found...)
	}
	return have, nil
}

const hasValues = `SELECT {columns} FROM read_parquet({path}, hive_partitioning = false)`

func (w *work) newFile(kind schema.Kind, rows int64) *catalog.File {
	return &catalog.File{
		ID: w.fileIDs[kind], DatasetID: w.commit.DatasetID, CommitID: w.commit.ID, Kind: kind,
		Key: w.batch.Key(w.fileName(kind)), Rows: rows,
	}
}
