package catalog

import (
	"encoding/json"
	"errors"

	"github.com/rowback/rowback/storage/schema"
)

// File is one immutable Parquet file.
type File struct {
	ID        int64           `json:"id"`
	DatasetID string          `json:"dataset_id"` // the dataset that wrote it
	CommitID  int64           `json:"commit_id"`
	Kind      schema.Kind     `json:"kind"`
	Key       string          `json:"key"`
	Rows      int64           `json:"rows"`
	Bytes     int64           `json:"bytes"`
	Checksum  string          `json:"checksum"` // SHA-256, hexadecimal
	SchemaID  string          `json:"schema_id"`
	Bounds    *Bounds         `json:"key_bounds,omitempty"`
	Targets   map[int64]int64 `json:"targets,omitempty"` // of a rollback file: rows displaced from each file, by file id
	Stats     map[int]Stats   `json:"stats,omitempty"`   // by field id
}

// Bounds are the least and the greatest value of the first key column in a file, as text that DuckDB can cast back.
type Bounds struct {
	Least    string `json:"least"`
	Greatest string `json:"greatest"`
}

// Stats summarise a quality or category column of a file. A version's averages and counts are sums over its files, data
// files counting positively and rollback files negatively, so that the column need not be read.
type Stats struct {
	Count      int64            `json:"count"` // values that are not null
	Sum        float64          `json:"sum,omitempty"`
	Least      *float64         `json:"least,omitempty"` // of the values that were summed; nil: not known
	Greatest   *float64         `json:"greatest,omitempty"`
	Categories map[string]int64 `json:"categories,omitempty"`
	TooMany    bool             `json:"too_many,omitempty"`  // more categories than are kept: read the column
	ScoresOf   int              `json:"scores_of,omitempty"` // field id of the quality column; 0: not measured
	Scores     map[string]Score `json:"scores,omitempty"`    // the quality of each category
}

// Score is how many values there are, and their sum.
type Score struct {
	Count int64   `json:"count"`
	Sum   float64 `json:"sum"`
}

const fileColumns = `id, dataset_id, commit_id, kind, object_key, row_count, byte_count, checksum, schema_id,
	key_bounds, targets, stats`

func scanFile(s scanner) (*File, error) {
	f := &File{}
	var bounds, targets, stats []byte
	if err := s.Scan(&f.ID, &f.DatasetID, &f.CommitID, &f.Kind, &f.Key, &f.Rows, &f.Bytes, &f.Checksum, &f.SchemaID,
		&bounds, &targets, &stats); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(bounds, &f.Bounds); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(targets, &f.Targets); err != nil {
		return nil, err
	}
	return f, json.Unmarshal(stats, &f.Stats)
}

// AddFile adds a file's row.
func (tx Tx) AddFile(f *File) error {
	bounds, err := json.Marshal(f.Bounds)
	if err != nil {
		return err
	}
	targets, err := json.Marshal(f.Targets)
	if err != nil {
		return err
	}
	stats, err := json.Marshal(f.Stats)
	if err != nil {
		return err
	}
	return tx.later(`INSERT INTO files (`+fileColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		f.ID, f.DatasetID, f.CommitID, f.Kind, f.Key, f.Rows, f.Bytes, f.Checksum, f.SchemaID,
		string(bounds), string(targets), string(stats))
}

// Files returns the files that are live in a dataset at a commit, by id, which is the order in which they were written.
func (tx Tx) Files(dataset string, commit int64) ([]*File, error) {
	return list(tx, scanFile, `SELECT `+fileColumns+` FROM files WHERE id IN (`+liveAt+`) ORDER BY id`, dataset, commit)
}

// FileIDs returns the ids of the files that are live in a dataset at a commit.
func (tx Tx) FileIDs(dataset string, commit int64) ([]int64, error) {
	return list(tx, scanInt, liveAt+` ORDER BY e.file_id`, dataset, commit)
}

// Entry says that a file serves a dataset from commit Begin until just before commit End.
type Entry struct{ File, Begin, End int64 }

func scanEntry(s scanner) (e Entry, err error) { return e, s.Scan(&e.File, &e.Begin, &e.End) }

// Entries returns the entries of a dataset that begin with a commit or before it, by file.
func (tx Tx) Entries(dataset string, commit int64) ([]Entry, error) {
	return list(tx, scanEntry,
		`SELECT e.file_id, e.begin_commit, `+endOf+entriesOf+`AND e.begin_commit <= $2 ORDER BY e.file_id, e.begin_commit`,
		dataset, commit)
}

// Begun returns the entries of a dataset that begin with the commits from first to last, by file.
func (tx Tx) Begun(dataset string, first, last int64) ([]Entry, error) {
	return list(tx, scanEntry, `SELECT e.file_id, e.begin_commit, `+endOf+entriesBegun+`
		ORDER BY e.file_id, e.begin_commit`, dataset, first, last)
}

// Ended returns the entries of a dataset that end with the commits from first to last.
func (tx Tx) Ended(dataset string, first, last int64) ([]Entry, error) {
	return list(tx, scanEntry, `SELECT e.file_id, e.begin_commit, e.end_commit`+entriesEnded, dataset, first, last)
}

// AllFiles returns every file that ever served a dataset, by id.
func (tx Tx) AllFiles(dataset string) ([]*File, error) { return tx.FilesSince(dataset, 0) }

// FilesSince returns the files that a dataset opened after a commit, by id.
func (tx Tx) FilesSince(dataset string, after int64) ([]*File, error) {
	return list(tx, scanFile, `SELECT `+fileColumns+` FROM files WHERE id IN (SELECT e.file_id`+entriesBegun+`)
		ORDER BY id`, dataset, after+1, Forever)
}

// FilesAfter returns up to most files with ids greater than id, by id. Those that have lost all rows have no object.
func (tx Tx) FilesAfter(id int64, most int) ([]*File, error) {
	return list(tx, scanFile, `SELECT `+fileColumns+` FROM files WHERE id > $1 AND object_key <> '' ORDER BY id LIMIT $2`,
		id, most)
}

// File returns one file.
func (tx Tx) File(id int64) (*File, error) {
	return get(tx, scanFile, `SELECT `+fileColumns+` FROM files WHERE id = $1`, id)
}

// Opened returns the files that became live in a dataset with the commits from first to last and were still live after
// last.
func (tx Tx) Opened(dataset string, first, last int64) ([]*File, error) {
	return list(tx, scanFile, `SELECT `+fileColumns+` FROM files WHERE id IN (SELECT e.file_id`+entriesBegun+`
		AND `+endOf+` > $3) ORDER BY id`, dataset, first, last)
}

// Closed returns the files that were live in a dataset before first and ceased to be with the commits from first to
// last.
func (tx Tx) Closed(dataset string, first, last int64) ([]*File, error) {
	return list(tx, scanFile, `SELECT `+fileColumns+` FROM files WHERE id IN (SELECT e.file_id`+entriesEnded+`
		AND +e.begin_commit < $2) ORDER BY id`, dataset, first, last)
}

// OpenEntry makes a file live in a dataset from a commit on.
func (tx Tx) OpenEntry(dataset string, file, commit int64) error {
	return tx.later(`INSERT INTO entries (dataset_id, file_id, begin_commit, end_commit) VALUES ($1, $2, $3, $4)`,
		dataset, file, commit, Forever)
}

// CloseEntry makes a file that is live in a dataset cease to be live with a commit. The entry of one that was inherited
// stays as its other datasets have it: this one gets a row of its own.
func (tx Tx) CloseEntry(dataset string, file, commit int64) error {
	own := tx.one(ErrNotFound, `UPDATE entries SET end_commit = $1
		WHERE dataset_id = $2 AND file_id = $3 AND end_commit = $4`, commit, dataset, file, Forever)
	if !errors.Is(own, ErrNotFound) {
		return own
	}
	return tx.one(ErrNotFound, `INSERT INTO entries (dataset_id, file_id, begin_commit, end_commit)
		SELECT $1, e.file_id, e.begin_commit, $2`+entriesOf+`AND l.ancestor_id <> $1 AND e.file_id = $3
		AND `+endOf+` = $4`, dataset, commit, file, Forever)
}
