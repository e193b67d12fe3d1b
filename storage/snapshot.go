package storage

import (
	"fmt"
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

// newSnapshot makes a snapshot without files, of a state. path is where a file can be read.
func newSnapshot(s State, path func(*catalog.File) string) *Snapshot {
	return &Snapshot{State: s, Schemas: map[string]schema.Schema{}, path: path}
}

// Files returns all files of the snapshot.
func (s *Snapshot) Files() []*catalog.File { return slices.Concat(s.Data, s.Rollbacks) }

// schemaOf returns the schema that a file was written with. A snapshot has those of all of its files: reading one
// without its schema would find nothing in it.
func (s *Snapshot) schemaOf(f *catalog.File) schema.Schema {
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

func stateAt(tx catalog.Tx, d catalog.Dataset, commit int64) (out State, err error) {
	out.Dataset = d
	if err := out.readCommit(tx, commit); err != nil {
		return out, err
	}
	if out.Schema, err = tx.Schema(out.schemaID()); err != nil {
		return out, err
	}
	out.Properties, err = tx.Properties(out.propertiesID())
	return out, err
}

// readCommit reads the row of the state's commit.
func (s *State) readCommit(tx catalog.Tx, commit int64) (err error) {
	if commit > 0 {
		s.Commit, err = tx.Commit(s.Dataset.ID, commit)
	}
	return err
}

// schemaID and propertiesID name the documents of the state.
func (s *State) schemaID() string {
	if s.Commit.ID == 0 {
		return s.Dataset.SchemaID
	}
	return s.Commit.SchemaID
}

func (s *State) propertiesID() string {
	if s.Commit.ID == 0 {
		return s.Dataset.PropertiesID
	}
	return s.Commit.PropertiesID
}

// adopt takes the files as the snapshot's, and reads the schemas they were written with.
func (s *Snapshot) adopt(tx catalog.Tx, files []*catalog.File) (err error) {
	s.Data, s.Rollbacks = ofKind(files, schema.Data), ofKind(files, schema.Rollback)
	s.Schemas, err = schemasOf(tx, files)
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

// within returns the snapshot with only the files that may hold keys inside bounds; nil bounds leave all.
func (s *Snapshot) within(bounds *catalog.Bounds) *Snapshot {
	if bounds == nil {
		return s
	}
	order := orderOf(s.Schema.KeyColumns()[0].Type)
	keep := func(files []*catalog.File) (out []*catalog.File) {
		for _, f := range files {
			if order.overlap(f.Bounds, bounds) {
				out = append(out, f)
			}
		}
		return out
	}
	part := *s
	part.Data, part.Rollbacks = keep(s.Data), keep(s.Rollbacks)
	return &part
}
