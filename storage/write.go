package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"rowback/storage/catalog"
	"rowback/storage/datafile"
	"rowback/storage/schema"
)

// describe writes the commit as commit.json: enough to record it again where the catalog is lost.
func (w *work) describe() ([]byte, error) {
	m := manifest{
		Commit: w.commit, Schema: w.schema, Properties: w.properties,
		Opened: w.opened, Reopened: ids(w.reopened), Closed: ids(w.closed), Marks: w.marks,
		LastRow: w.family.lastRow, LastField: w.family.lastField,
	}
	return json.MarshalIndent(m, "", "  ")
}

// manifest is commit.json.
type manifest struct {
	Commit     catalog.Commit     `json:"commit"`
	Schema     schema.Schema      `json:"schema"`
	Properties catalog.Properties `json:"properties"`
	Opened     []*catalog.File    `json:"opened"`   // written by this commit, and live from it on
	Reopened   []int64            `json:"reopened"` // files of earlier commits, live again
	Closed     []int64            `json:"closed"`   // files that are live no more
	Marks      map[int64]int64    `json:"marks"`    // rollback_commit_id of earlier commits; 0: none any more
	LastRow    int64              `json:"last_row"`
	LastField  int64              `json:"last_field"`
}

func ids(files []*catalog.File) []int64 {
	out := make([]int64, len(files))
	for i, f := range files {
		out[i] = f.ID
	}
	return out
}

// fileName is the name of the n-th file of a kind in a commit's folder.
func fileName(kind schema.Kind, n int) string { return fmt.Sprintf("%s-%04d.parquet", kind, n) }

// write writes the rows of a query to a new file of the commit. The query has the columns of w.schema.Stored() and
// _commit; then _file and _pos for a rollback file. expect is how many rows there will be; -1: not known.
func (w *work) write(ctx context.Context, kind schema.Kind, query string, expect int64) (*catalog.File, error) {
	path := w.batch.Path(fileName(kind, 0))
	rows, err := datafile.Write(ctx, w.conn, query, path, expect, w.spec(kind))
	if err != nil {
		return nil, err
	}
	return w.open(ctx, kind, path, rows)
}

func (w *work) spec(kind schema.Kind) datafile.Spec {
	return datafile.Spec{Kind: kind, Dataset: w.commit.DatasetID, Commit: w.commit.ID, Columns: w.schema.Stored()}
}

// open makes a file that has been written to path one of the commit's.
func (w *work) open(ctx context.Context, kind schema.Kind, path string, rows int64) (*catalog.File, error) {
	f := &catalog.File{
		ID: w.store.fileIDs.Add(1), DatasetID: w.commit.DatasetID, CommitID: w.commit.ID, Kind: kind,
		Key: w.batch.Key(fileName(kind, 0)), Rows: rows,
	}
	if err := w.measure(ctx, f, path); err != nil {
		return nil, err
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if f.Checksum, f.Bytes, err = datafile.Checksum(in); err != nil {
		return nil, err
	}
	w.opened = append(w.opened, f)
	return f, nil
}

// nextFiles returns the files of a kind that are live after the commit.
func (w *work) nextFiles(kind schema.Kind, gone map[int64]bool) []*catalog.File {
	before := w.head.Data
	if kind == schema.Rollback {
		before = w.head.Rollbacks
	}
	out := filter(before, func(f *catalog.File) bool { return !gone[f.ID] })
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
	out := maps.Clone(w.head.schemas)
	maps.Copy(out, w.back)
	out[w.commit.SchemaID] = w.schema
	return out
}
