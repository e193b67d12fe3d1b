// Package snapshot is what a dataset is as of one commit, and what two such states do not share.
//
// A Snapshot is a state's commit, schema and properties with the files that are live in it; no row has been read to
// make it. From that follow the SQL of its rows (relation.go), of the rows that two snapshots do not share
// (Difference), and its averages and counts, which are sums over its files (measure.go). Bounds of keys keep files that
// can't hold a key unopened.
//
// Files are measured in SQL where DuckDB writes them and in Arrow where they are small: the two give the same
// (TestFilesAreMeasuredAlike). The package knows rows of the catalog and the SQL of DuckDB, and no store: that finds
// which files are live, and where they can be read. The random histories of package storage (history_test.go,
// family_test.go) prove it.
package snapshot

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"rowback/storage/catalog"
	"rowback/storage/schema"
)

// State is what a dataset is as of one commit, but for its records.
type State struct {
	Dataset    catalog.Dataset
	Commit     catalog.Commit // ID 0: before the first commit
	Schema     schema.Schema
	Properties catalog.Properties
}

// Total is how many records there are.
func (s *State) Total() int64 { return s.Commit.Total }

// Snapshot is a dataset as of one commit: its state, and which files are live. It is immutable, and all that a reader
// needs: no row has been read to make it (design, section 2).
type Snapshot struct {
	State
	Data      []*catalog.File // data files, oldest first
	Rollbacks []*catalog.File // rollback files: the positions that are not live

	Schemas map[string]schema.Schema // of the files, by document id

	path func(*catalog.File) string
}

// New makes a snapshot without files, of a state. path is where a file can be read.
func New(s State, path func(*catalog.File) string) *Snapshot {
	return &Snapshot{State: s, Schemas: map[string]schema.Schema{}, path: path}
}

// Files returns all files of the snapshot.
func (s *Snapshot) Files() []*catalog.File { return slices.Concat(s.Data, s.Rollbacks) }

// SchemaOf returns the schema that a file was written with. A snapshot has those of all of its files: reading one
// Without its schema would find nothing in it.
func (s *Snapshot) SchemaOf(f *catalog.File) schema.Schema {
	fs, ok := s.Schemas[f.SchemaID]
	if !ok {
		panic(fmt.Sprintf("snapshot of commit %d without the schema of file %d", s.Commit.ID, f.ID))
	}
	return fs
}

// Paths returns where the files can be read.
func (s *Snapshot) Paths() []string {
	paths := make([]string, 0, len(s.Data)+len(s.Rollbacks))
	for _, f := range s.Files() {
		paths = append(paths, s.path(f))
	}
	return paths
}

func At(tx catalog.Tx, d catalog.Dataset, commit int64) (out State, err error) {
	out.Dataset = d
	if err := out.ReadCommit(tx, commit); err != nil {
		return out, err
	}
	if out.Schema, err = tx.Schema(out.SchemaID()); err != nil {
		return out, err
	}
	out.Properties, err = tx.Properties(out.PropertiesID())
	return out, err
}

// ReadCommit reads the row of the state's commit.
func (s *State) ReadCommit(tx catalog.Tx, commit int64) (err error) {
	if commit > 0 {
		s.Commit, err = tx.Commit(s.Dataset.ID, commit)
	}
	return err
}

// SchemaID and propertiesID name the documents of the state.
func (s *State) SchemaID() string {
	if s.Commit.ID == 0 {
		return s.Dataset.SchemaID
	}
	return s.Commit.SchemaID
}

func (s *State) PropertiesID() string {
	if s.Commit.ID == 0 {
		return s.Dataset.PropertiesID
	}
	return s.Commit.PropertiesID
}

// Adopt takes the files as the snapshot's, and reads the schemas they were written with.
func (s *Snapshot) Adopt(tx catalog.Tx, files []*catalog.File) (err error) {
	s.Data, s.Rollbacks = OfKind(files, schema.Data), OfKind(files, schema.Rollback)
	s.Schemas, err = SchemasOf(tx, files)
	return err
}

// displacers returns for each data file the rollback files that hold positions of it.
func (s *Snapshot) displacers() map[int64][]*catalog.File {
	out := map[int64][]*catalog.File{}
	for _, r := range s.Rollbacks {
		for target := range r.Targets {
			out[target] = append(out[target], r)
		}
	}
	return out
}

// Within returns the snapshot with only the files that may hold keys inside bounds; nil bounds leave all.
func (s *Snapshot) Within(bounds *catalog.Bounds) *Snapshot {
	if bounds == nil {
		return s
	}
	order := OrderOf(s.Schema.KeyColumns()[0].Type)
	keep := func(files []*catalog.File) (out []*catalog.File) {
		for _, f := range files {
			if order.Overlap(f.Bounds, bounds) {
				out = append(out, f)
			}
		}
		return out
	}
	part := *s
	part.Data, part.Rollbacks = keep(s.Data), keep(s.Rollbacks)
	return &part
}

// Next returns the snapshot that a commit leaves: its state, with the files that it opens and without those that it
// closes. schemas are those of the opened files, by document id.
func (s *Snapshot) Next(state State, opened, closed []*catalog.File, schemas map[string]schema.Schema) *Snapshot {
	out := *s
	out.State = state
	out.Schemas = maps.Clone(s.Schemas)
	maps.Copy(out.Schemas, schemas)
	out.Data = append(Without(s.Data, closed), OfKind(opened, schema.Data)...)
	out.Rollbacks = append(Without(s.Rollbacks, closed), OfKind(opened, schema.Rollback)...)
	slices.SortFunc(out.Data, byID)
	slices.SortFunc(out.Rollbacks, byID)
	return &out
}

func byID(f, g *catalog.File) int { return cmp.Compare(f.ID, g.ID) }
