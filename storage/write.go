package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"rowback/storage/catalog"
	"rowback/storage/datafile"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// describe is the commit as commit.json: enough to record it again where the catalog is lost.
func (w *work) describe() manifest {
	m := manifest{
		Commit: w.commit, Schema: w.schema, Properties: w.properties,
		Opened: w.opened, Reopened: ids(w.reopened), Closed: ids(w.closed), Marks: w.marks,
		LastRow: w.family.lastRow.Load(), LastField: w.family.lastField.Load(), Creates: w.creation != nil,
		Savepoints: w.savepoints, Activates: w.activates, answers: w.answers,
	}
	if w.creation != nil {
		m.Birth = &birth{Dataset: w.creation.Dataset, Schema: w.creation.Schema, Properties: w.creation.Properties}
	}
	for _, p := range w.played {
		m.Played = append(m.Played, p.describe())
	}
	return m
}

// manifest is commit.json.
type manifest struct {
	Commit     catalog.Commit     `json:"commit"`
	Schema     schema.Schema      `json:"schema"`
	Properties catalog.Properties `json:"properties"`
	Opened     []*catalog.File    `json:"opened"`   // written by this commit, and live from it on
	Reopened   []int64            `json:"reopened"` // files of other commits, live from it on
	Closed     []int64            `json:"closed"`   // files that are live no more
	Marks      map[int64]int64    `json:"marks"`    // rollback_commit_id of earlier commits; 0: none any more
	LastRow    int64              `json:"last_row"`
	LastField  int64              `json:"last_field"`
	Creates    bool               `json:"creates,omitempty"` // the dataset was made with it
	Played     []manifest         `json:"played,omitempty"`  // of a merge: the commits that come before it

	Birth      *birth              `json:"birth,omitempty"` // the dataset that was made with it
	Savepoints []catalog.Savepoint `json:"savepoints,omitempty"`
	Activates  int64               `json:"activates,omitempty"` // the version that it made active, and later ones not
	answers
}

const descriptionFile = "commit.json"

// madeOn is the head that the commit, or the first that it played, was made on.
func (m manifest) madeOn() int64 {
	if len(m.Played) > 0 {
		return m.Played[0].Commit.Previous
	}
	return m.Commit.Previous
}

// checkSchemas reports whether the schemas of the description can be stored and read back.
func (m manifest) checkSchemas() error {
	var err error
	for _, p := range append(m.Played, m) {
		err = errors.Join(err, checkSchema(p.Schema))
	}
	if m.Birth != nil {
		err = errors.Join(err, checkSchema(m.Birth.Schema))
	}
	return err
}

func checkSchema(s schema.Schema) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &s)
}

func ids(files []*catalog.File) []int64 {
	out := make([]int64, len(files))
	for i, f := range files {
		out[i] = f.ID
	}
	return out
}

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
	w.leaves().MeasureBatch(f, batch)
	f.Checksum, f.Bytes, err = datafile.Checksum(bytes.NewReader(data))
	w.opened = append(w.opened, f)
	return err
}

// takeFile makes a file that lies at path, in the batch, one of the commit's. Its bounds may be known. It is read for its
// checksum while DuckDB measures it.
func (w *work) takeFile(ctx context.Context, kind schema.Kind, path string, rows int64, bounds *catalog.Bounds, read <-chan fileSum) error {
	f := w.newFile(kind, rows)
	f.Bounds = bounds
	if read == nil {
		read = sumFile(path)
	}
	err := w.leaves().Measure(ctx, w.conn, f, path)
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

// leaves is the state that the commit leaves, as its files are measured in it.
func (w *work) leaves() *snapshot.State {
	return &snapshot.State{Schema: w.schema, Properties: w.properties}
}

func (w *work) newFile(kind schema.Kind, rows int64) *catalog.File {
	return &catalog.File{
		ID: w.fileID(kind), DatasetID: w.commit.DatasetID, CommitID: w.commit.ID, Kind: kind,
		Key: w.batch.Key(w.fileName(kind)), Rows: rows,
	}
}

// nextFiles returns the files of a kind that are live after the commit.
func (w *work) nextFiles(kind schema.Kind, gone map[int64]bool) []*catalog.File {
	before := w.head.Data
	if kind == schema.Rollback {
		before = w.head.Rollbacks
	}
	out := slices.DeleteFunc(slices.Clone(before), func(f *catalog.File) bool { return gone[f.ID] })
	for _, f := range slices.Concat(w.reopened, w.opened) {
		if f.Kind == kind {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(f, g *catalog.File) int { return int(f.ID - g.ID) })
	return out
}

// nextSchemas returns the schemas of the files that are live after the commit, and perhaps of some that are not.
func (w *work) nextSchemas() map[string]schema.Schema {
	out := maps.Clone(w.head.Schemas)
	maps.Copy(out, w.back)
	out[w.commit.SchemaID] = w.schema
	return out
}
