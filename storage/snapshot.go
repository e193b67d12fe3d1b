package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"rowback/storage/catalog"
	"rowback/storage/fault"
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

	schemas map[string]schema.Schema // of the files, by document id
	store   *Store
}

// Files returns all files of the snapshot.
func (s *Snapshot) Files() []*catalog.File { return slices.Concat(s.Data, s.Rollbacks) }

// schemaOf returns the schema that a file was written with. A snapshot has those of all of its files: reading one
// without its schema would find nothing in it.
func (s *Snapshot) schemaOf(f *catalog.File) schema.Schema {
	fs, ok := s.schemas[f.SchemaID]
	if !ok {
		panic(fmt.Sprintf("snapshot of commit %d without the schema of file %d", s.Commit.ID, f.ID))
	}
	return fs
}

// Paths returns where the files can be read.
func (s *Snapshot) Paths() []string {
	paths := make([]string, 0, len(s.Data)+len(s.Rollbacks))
	for _, f := range s.Files() {
		paths = append(paths, s.store.pathOf(f))
	}
	return paths
}

// Snapshot returns the dataset as of a ref: head, a commit id, a version, a savepoint, or a time.
func (s *Store) Snapshot(ctx context.Context, dataset, ref string) (*Snapshot, error) {
	var out *Snapshot
	err := s.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := s.dataset(tx, dataset)
		if err != nil {
			return err
		}
		commit, err := resolve(tx, d, ref)
		if err != nil {
			return err
		}
		out, err = s.snapshot(tx, d, commit)
		return err
	})
	return out, err
}

// Resolve returns the id of the commit that a ref names; 0 is the dataset before its first commit.
func (s *Store) Resolve(ctx context.Context, dataset, ref string) (id int64, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := s.dataset(tx, dataset)
		if err == nil {
			id, err = resolve(tx, d, ref)
		}
		return err
	})
	return id, err
}

// resolve finds the commit that a ref names.
func resolve(tx catalog.Tx, d catalog.Dataset, ref string) (commit int64, err error) {
	if ref == "" || ref == "head" {
		return d.Head, nil
	}
	if id, err := strconv.ParseInt(ref, 10, 64); err == nil {
		return resolveCommit(tx, d, id)
	}
	if number, ok := ParseVersion(ref); ok {
		v, err := tx.Version(d.ID, number[0], number[1], number[2])
		return v.CommitID, known(err, "version_not_found", "Version %s not found for dataset '%s'", ref, d.Name)
	}
	if number, ok := parseSavepoint(ref); ok {
		p, err := savepoint(tx, d, func(p catalog.Savepoint) bool { return p.Number == number }, ref)
		return p.CommitID, err
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, ref); err == nil {
			return resolveTime(tx, d, t, ref)
		}
	}
	return 0, fault.Errorf(fault.NotFound, "ref_not_found", "%q is no ref of dataset '%s'. A ref is head, a commit id, a version such as 1.0.1, a savepoint such as master__000003, or a time such as 2026-01-31T10:00:00Z.", fault.Clip(ref), d.Name)
}

func resolveCommit(tx catalog.Tx, d catalog.Dataset, id int64) (int64, error) {
	if id == 0 {
		return 0, nil
	}
	c, err := tx.Commit(d.ID, id)
	return c.ID, known(err, "commit_not_found", "Commit %d not found in dataset '%s'", id, d.Name)
}

func resolveTime(tx catalog.Tx, d catalog.Dataset, t time.Time, ref string) (int64, error) {
	c, err := tx.CommitAt(d.ID, t) // of a fork, perhaps one from before it was made
	switch {
	case !errors.Is(err, catalog.ErrNotFound):
		return c.ID, err
	case t.Before(d.CreatedAt):
		return 0, fault.Errorf(fault.NotFound, "ref_not_found", "Dataset '%s' was not there yet at %s; it was made at %s.", d.Name, ref, d.CreatedAt.Format(time.RFC3339Nano))
	}
	return 0, nil // after it was made and before its first commit
}

// known turns a missing row into a sentence.
func known(err error, code, format string, args ...any) error {
	if errors.Is(err, catalog.ErrNotFound) {
		return fault.Errorf(fault.NotFound, code, format, args...)
	}
	return err
}

// snapshot loads a dataset as of a commit.
func (s *Store) snapshot(tx catalog.Tx, d catalog.Dataset, commit int64) (*Snapshot, error) {
	if cached := s.heads.get(d.ID, commit); cached != nil && cached.Dataset == d {
		// A later rollback may have marked this very commit, so the row is read again.
		again := *cached
		return &again, again.readCommit(tx, commit)
	}
	state, err := stateAt(tx, d, commit)
	if err != nil {
		return nil, err
	}
	out := &Snapshot{State: state, store: s}
	files, err := s.liveFiles(tx, d.ID, commit)
	if err != nil {
		return nil, err
	}
	if err := out.adopt(tx, files); err != nil {
		return nil, err
	}
	if commit == d.Head {
		s.heads.put(out)
	}
	return out, nil
}

// State returns the state of a dataset at a ref.
func (s *Store) State(ctx context.Context, dataset, ref string) (out State, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := s.dataset(tx, dataset)
		if err != nil {
			return err
		}
		commit, err := resolve(tx, d, ref)
		if err == nil {
			out, err = stateAt(tx, d, commit)
		}
		return err
	})
	return out, err
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

// liveFiles returns the files that are live at a commit. Files never change, so those that were seen are kept.
func (s *Store) liveFiles(tx catalog.Tx, dataset string, commit int64) ([]*catalog.File, error) {
	ids, err := tx.FileIDs(dataset, commit)
	if err != nil {
		return nil, err
	}
	if files, ok := s.files.all(ids); ok {
		return files, nil
	}
	files, err := tx.Files(dataset, commit)
	s.files.add(files)
	return files, err
}

// adopt takes the files as the snapshot's, and reads the schemas they were written with.
func (s *Snapshot) adopt(tx catalog.Tx, files []*catalog.File) (err error) {
	s.Data, s.Rollbacks = ofKind(files, schema.Data), ofKind(files, schema.Rollback)
	s.schemas, err = schemasOf(tx, files)
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
