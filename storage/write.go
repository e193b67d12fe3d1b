package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// workspace is where a commit's files are written: those of one that is merged, with those of all others that are. Its
// files are under staging until the batch is published, which moves them in one rename.
type workspace struct {
	files     *Files
	staging   *Staging
	batch     *blob.Batch // becomes the commit's directory; nil: it has no id yet
	conn      *duck.Conn  // that its statements run on; nil: none was needed yet
	dry       bool        // it is not going to stand, so its files take no ids
	previewed int64       // how many files of a dry run have been given the id that they would have
}

// connect opens the connection, unless it is open.
func (f *workspace) connect(ctx context.Context) (err error) {
	if f.conn == nil {
		f.conn, err = f.files.Conn(ctx)
	}
	return err
}

// close ends the connection, and removes the files unless they were published.
func (f *workspace) close() {
	if f.conn != nil {
		f.conn.Close()
	}
	if f.batch != nil {
		f.batch.Discard()
	}
}

// fileWriter writes the files of one commit. What it has written is among what the draft opens.
type fileWriter struct {
	*draft
	*workspace
	part  int                   // of a merge: among the commits that it plays; numbers the files
	plain bool                  // values must come back bit by bit (datafile.Spec)
	ids   map[schema.Kind]int64 // that its files have, once they were given
}

// fileName is the name of a commit's file of that kind in its directory. It has at most one of each; those that a merge
// played share its directory.
func (f *fileWriter) fileName(kind schema.Kind) string {
	return fmt.Sprintf("%s-%04d.parquet", kind, f.part)
}

// fileID is the id of the commit's file of that kind, which the file names itself: it is given before that is written.
func (f *fileWriter) fileID(ctx context.Context, kind schema.Kind) (id int64, err error) {
	if id, ok := f.ids[kind]; ok {
		return id, nil
	}
	drawn := int64(1)
	if f.dry {
		drawn = 0 // the next one and those after it, which stay to be drawn
	}
	if id, err = f.files.catalog.Draw(ctx, f.commit.DatasetID, catalog.FileIDs, drawn); err != nil {
		return 0, err
	}
	if drawn == 0 {
		id += f.previewed
		f.previewed++
	}
	if f.ids == nil {
		f.ids = map[schema.Kind]int64{}
	}
	f.ids[kind] = id
	return id, nil
}

// smallRows is up to how many rows are encoded here instead of by DuckDB: about where that becomes the faster.
const smallRows = 500

// spec is what the commit's file of that kind says of itself.
func (f *fileWriter) spec(ctx context.Context, kind schema.Kind) (datafile.Spec, error) {
	id, err := f.fileID(ctx, kind)
	return datafile.Spec{
		Kind: kind, Dataset: f.commit.DatasetID, Commit: f.commit.ID, File: id, Columns: f.schema.Stored(),
		Pages: f.files.pages, Plain: f.plain,
	}, err
}

// writeBatch writes a batch, with the columns of datafile.Spec.All, to a new file of the commit. The rows are in
// memory, so they are measured there; DuckDB measures those of larger files (takeFile), and a test keeps the two equal.
func (f *fileWriter) writeBatch(ctx context.Context, kind schema.Kind, batch arrow.RecordBatch) error {
	spec, err := f.spec(ctx, kind)
	if err != nil {
		return err
	}
	data, err := datafile.Encode(batch, spec)
	if err != nil {
		return err
	}
	if err := f.batch.Write(f.fileName(kind), data); err != nil {
		return err
	}
	file := f.newFile(kind, batch.NumRows())
	after := f.state()
	after.MeasureBatch(file, batch)
	file.Checksum, file.Bytes, err = datafile.Checksum(bytes.NewReader(data))
	f.opened = append(f.opened, file)
	return err
}

// sendWhile has the file at path, which is to become the commit's of that kind, go to the bucket while it is written,
// if the objects are in one.
func (f *fileWriter) sendWhile(kind schema.Kind, path string, write func() error) error {
	if f.dry {
		return write()
	}
	name := f.fileName(kind)
	f.batch.Send(name, path, descriptionFile)
	err := write()
	if err != nil {
		f.batch.Unsend(name)
		return err
	}
	f.batch.Sent(name)
	return nil
}

// takeFile makes a file that lies at path, in the batch, one of the commit's. Its bounds may be known. It is read for
// its checksum while DuckDB measures it.
func (f *fileWriter) takeFile(
	ctx context.Context, kind schema.Kind, path string, rows int64, bounds *catalog.Bounds, read <-chan fileSum,
) error {
	file := f.newFile(kind, rows)
	file.Bounds = bounds
	if read == nil {
		read = f.staging.sumFile(path)
	}
	after := f.state()
	// While the checksum is computed beside it: the file is in the system's memory for both.
	err := after.Measure(ctx, f.conn, file, path)
	sum := <-read
	file.Checksum, file.Bytes = sum.checksum, sum.size
	f.opened = append(f.opened, file)
	return errors.Join(err, sum.err)
}

// newFile is what the catalog has of a file, but for what is measured.
func (f *fileWriter) newFile(kind schema.Kind, rows int64) *catalog.File {
	return &catalog.File{
		ID: f.ids[kind], DatasetID: f.commit.DatasetID, CommitID: f.commit.ID, Kind: kind,
		Key: f.batch.Key(f.fileName(kind)), Rows: rows,
	}
}
