// Package snapshot describes a dataset as of one commit, and what two such states do not share. A Snapshot has the
// commit, schema and properties of a state and the files that are live in it. Making one reads no rows. It yields the
// SQL of its rows (relation.go), of the rows that two snapshots do not share (Difference), and averages and counts,
// which are sums over the statistics of its files (measure.go). Statements may open compacted files in place of those
// of the state (compacted.go). Bounds of keys save opening files that can't hold a key. Statistics are computed in SQL
// for files that DuckDB writes and in Arrow for small ones, with the same result (TestFilesAreMeasuredAlike). The
// package knows the catalog's rows and DuckDB's SQL, but no Store: its callers find the live files and their paths. The
// random histories prove it (storage/models).
package snapshot

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// State describes a dataset as of one commit, without its records.
type State struct {
	Dataset    catalog.Dataset
	Commit     catalog.Commit // ID 0: before the first commit
	Schema     schema.Schema
	Properties catalog.Properties
}

// Total returns the number of records.
func (s *State) Total() int64 { return s.Commit.Total }

// Snapshot is a dataset as of one commit: its state and the live files. It is immutable, and all that a reader needs.
type Snapshot struct {
	State
	Data      []*catalog.File // data files, oldest first
	Rollbacks []*catalog.File // rollback files, with the positions that are not live

	Schemas map[string]schema.Schema // of the files, by document id

	path      func(*catalog.File) string
	compacted *Compacted
	known     *Blocks   // nil: none are kept
	reader    Reader    // of few records of many columns; nil: statements read them
	whole     *Snapshot // of which this is a part; nil: it is whole
	isPicked  bool      // of its rows it has only the picked ones (Picked)
	picked    []Found
	strip     int // the most columns of a scan of few values (readSome); 0: stripColumns
}

// New returns a snapshot of a state without files. path returns the path of a file.
func New(s State, path func(*catalog.File) string) *Snapshot {
	return &Snapshot{State: s, Schemas: map[string]schema.Schema{}, path: path}
}

// Files returns all files of the snapshot.
func (s *Snapshot) Files() []*catalog.File { return slices.Concat(s.Data, s.Rollbacks) }

// SchemaOf returns the schema that a file was written with. A missing one is a bug and panics, since without its schema
// a file would seem to have no columns.
func (s *Snapshot) SchemaOf(f *catalog.File) schema.Schema {
	fs, ok := s.Schemas[f.SchemaID]
	if !ok {
		panic(fmt.Sprintf("snapshot of commit %d without the schema of file %d", s.Commit.ID, f.ID))
	}
	return fs
}

// Paths returns the paths of the files that statements on the snapshot's rows open.
func (s *Snapshot) Paths() []string { return s.pathsOf(s.Opens()) }

// Opens returns the files that reading the snapshot's rows opens, which is what it costs.
func (s *Snapshot) Opens() (files []*catalog.File) {
	if s.isPicked {
		return s.pickedFiles()
	}
	for _, b := range s.branches() {
		files = append(append(files, b.files()...), filesOf(s.positionParts(b.rollbacks))...)
	}
	return distinct(files)
}

// At reads the state of a dataset at a commit; 0 is the state before the first one.
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

// ReadCommit reads the row of a commit into the state; 0 leaves it empty.
func (s *State) ReadCommit(tx catalog.Tx, commit int64) (err error) {
	if commit > 0 {
		s.Commit, err = tx.Commit(s.Dataset.ID, commit)
	}
	return err
}

// SchemaID returns the id of the schema's document.
func (s *State) SchemaID() string {
	if s.Commit.ID == 0 {
		return s.Dataset.SchemaID
	}
	return s.Commit.SchemaID
}

// PropertiesID returns the id of the properties' document.
func (s *State) PropertiesID() string {
	if s.Commit.ID == 0 {
		return s.Dataset.PropertiesID
	}
	return s.Commit.PropertiesID
}

// Adopt sets the files of the snapshot, and reads the schemas that they were written with.
func (s *Snapshot) Adopt(tx catalog.Tx, files []*catalog.File) (err error) {
	s.Data, s.Rollbacks = OfKind(files, schema.Data), OfKind(files, schema.Rollback)
	s.Schemas, err = SchemasOf(tx, files)
	return err
}

// isGone reports whether all rows of a data file are displaced, by the rollback files with positions in it. No position
// is displaced twice in a state, so they are counted, not read; check makes sure of that.
func isGone(f *catalog.File, displacers []*catalog.File) bool {
	var displaced int64
	for _, r := range displacers {
		displaced += r.Targets[f.ID]
	}
	return displaced == f.Rows
}

// Within returns the snapshot with only the files that may hold keys within bounds; nil bounds keep all.
func (s *Snapshot) Within(bounds *catalog.Bounds) *Snapshot {
	if bounds == nil {
		return s
	}
	order := OrderOf(s.Schema.KeyColumns()[0].Type)
	overlaps := order.overlaps(bounds)
	// Blocks of files that can't hold such keys are passed over as a whole: a new greatest key looks at none.
	keep := func(blocks []*block) (out []*catalog.File) {
		for _, b := range blocks {
			if b.mayHold(order, bounds) {
				out = append(out, filter(b.files, func(f *catalog.File) bool { return overlaps(f.Bounds) })...)
			}
		}
		return out
	}
	part := *s
	if part.whole == nil {
		part.whole = s
	}
	part.Data, part.Rollbacks = keep(s.blocks(s.Data, false)), keep(s.blocks(s.Rollbacks, true))
	return &part
}

// But returns the snapshot without some data files, by id.
func (s *Snapshot) But(absent map[int64]bool) *Snapshot {
	if len(absent) == 0 {
		return s
	}
	part := *s
	if part.whole == nil {
		part.whole = s
	}
	part.Data = filter(s.Data, func(f *catalog.File) bool { return !absent[f.ID] })
	return &part
}

// Next returns the snapshot after a commit: its state, with the files that it opens and without those that it closes.
// schemas are those of the opened files, by document id.
func (s *Snapshot) Next(state State, opened, closed []*catalog.File, schemas map[string]schema.Schema) *Snapshot {
	out := *s
	out.State, out.whole, out.isPicked, out.picked = state, nil, false, nil
	out.Schemas = maps.Clone(s.Schemas)
	maps.Copy(out.Schemas, schemas)
	out.Data = next(s.Data, OfKind(opened, schema.Data), closed)
	out.Rollbacks = next(s.Rollbacks, OfKind(opened, schema.Rollback), closed)
	return &out
}

// next returns files, which are in the order of their ids, with those that are opened and without those that are
// closed. Most commits only open new files: then the others are copied at once, however many there are.
func next(files, opened, closed []*catalog.File) []*catalog.File {
	if len(closed) > 0 {
		files = withoutFew(files, closed)
	}
	if len(opened) == 0 {
		return files
	}
	out := slices.Concat(files, opened)
	if !slices.IsSortedFunc(out[max(len(files)-1, 0):], byID) {
		slices.SortFunc(out, byID)
	}
	return out
}

func byID(f, g *catalog.File) int { return cmp.Compare(f.ID, g.ID) }
