package catalog

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"time"
)

// Version is a semantic version that names a commit.
type Version struct {
	ID                  int64
	DatasetID           string
	Major, Minor, Patch int64
	CommitID            int64
	Description         string
	IsActive            bool
	User                string
	CreatedAt           time.Time
	Total               int64           // records at that commit
	Metadata            json.RawMessage `json:",omitempty"` // nil: none was given
	Warnings            []string        `json:",omitempty"` // of the gates that it did not pass, when it is made
	ErasedAt            time.Time       `json:"-"`          // when records of its state were last erased; zero: never
	VacuumedAt          time.Time       `json:"-"`          // when its state was removed by vacuum; zero: it can be read
}

const versionColumns = `v.id, v.dataset_id, major, minor, patch, commit_id, description, is_active, v.user_name,
	v.created_at, COALESCE((SELECT c.records_total` + commitNamed + `), 0), v.metadata,
	(SELECT c.erased_at` + commitNamed + `), (SELECT c.vacuumed_at` + commitNamed + `)`

// commitNamed is the commit that a row v of versions, savepoints or tags names.
const commitNamed = ` FROM lineage l CROSS JOIN commits c
	WHERE l.dataset_id = v.dataset_id AND v.commit_id > l.after_commit AND v.commit_id <= l.until_commit
	AND c.dataset_id = l.ancestor_id AND c.id = v.commit_id`

func scanVersion(s scanner) (v Version, err error) {
	var created int64
	var metadata string
	var erased, vacuumed sql.NullInt64
	err = s.Scan(&v.ID, &v.DatasetID, &v.Major, &v.Minor, &v.Patch, &v.CommitID, &v.Description, &v.IsActive, &v.User,
		&created, &v.Total, &metadata, &erased, &vacuumed)
	v.CreatedAt = moment(created)
	if erased.Valid {
		v.ErasedAt = moment(erased.Int64)
	}
	if vacuumed.Valid {
		v.VacuumedAt = moment(vacuumed.Int64)
	}
	if metadata != "{}" {
		v.Metadata = json.RawMessage(metadata)
	}
	return v, err
}

// AddVersion adds a version's row.
func (tx Tx) AddVersion(v Version) error {
	err := tx.exec(`INSERT INTO versions
		(id, dataset_id, major, minor, patch, commit_id, description, is_active, user_name, created_at, metadata)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		v.ID, v.DatasetID, v.Major, v.Minor, v.Patch, v.CommitID, v.Description, v.IsActive, v.User, micros(v.CreatedAt),
		cmp.Or(string(v.Metadata), "{}"))
	if err != nil {
		return err
	}
	return tx.addTerms(v.DatasetID, v.CommitID, v.ID, v.Metadata)
}

// Versions lists a dataset's versions, the lowest number first.
func (tx Tx) Versions(dataset string) ([]Version, error) {
	return list(tx, scanVersion, `SELECT `+versionColumns+` FROM versions v
		WHERE v.dataset_id = $1 ORDER BY major, minor, patch`, dataset)
}

// ActiveVersions lists up to limit active versions of a dataset that name earlier commits than before, the highest
// number first. They are read in that order: the plus sign keeps SQLite from looking for commits.
func (tx Tx) ActiveVersions(dataset string, before int64, limit int) ([]Version, error) {
	return list(tx, scanVersion, `SELECT `+versionColumns+` FROM versions v
		WHERE v.dataset_id = $1 AND is_active AND +commit_id < $2
		ORDER BY major DESC, minor DESC, patch DESC LIMIT $3`, dataset, before, limit)
}

// VersionsAfter lists up to limit versions of all datasets with ids above after, by id.
func (tx Tx) VersionsAfter(after int64, limit int) ([]Version, error) {
	return list(tx, scanVersion, `SELECT `+versionColumns+` FROM versions v WHERE v.id > $1 ORDER BY v.id LIMIT $2`,
		after, limit)
}

// HighestVersion returns a dataset's version with the highest number.
func (tx Tx) HighestVersion(dataset string) (Version, error) {
	return get(tx, scanVersion, `SELECT `+versionColumns+` FROM versions v
		WHERE v.dataset_id = $1 ORDER BY major DESC, minor DESC, patch DESC LIMIT 1`, dataset)
}

// VersionNaming returns the highest active version that names a commit.
func (tx Tx) VersionNaming(dataset string, commit int64) (Version, error) {
	return get(tx, scanVersion, `SELECT `+versionColumns+` FROM versions v
		WHERE v.dataset_id = $1 AND commit_id = $2 AND is_active
		ORDER BY +major DESC, minor DESC, patch DESC LIMIT 1`, dataset, commit)
}

// Version returns one version of a dataset.
func (tx Tx) Version(dataset string, major, minor, patch int64) (Version, error) {
	return get(tx, scanVersion, `SELECT `+versionColumns+` FROM versions v
		WHERE v.dataset_id = $1 AND major = $2 AND minor = $3 AND patch = $4`, dataset, major, minor, patch)
}

// SetActive makes a version active or not.
func (tx Tx) SetActive(id int64, active bool) error {
	return tx.one(ErrNotFound, `UPDATE versions SET is_active = $1 WHERE id = $2`, active, id)
}

// Savepoint is a described bookmark of a commit.
type Savepoint struct {
	ID          string    `json:"id"`
	DatasetID   string    `json:"dataset_id"`
	Number      int64     `json:"number"`
	CommitID    int64     `json:"commit_id"`
	Description string    `json:"description"`
	User        string    `json:"user"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	VacuumedAt  time.Time `json:"-"` // when its state was removed by vacuum; zero: it can be read
}

const savepointColumns = `id, dataset_id, number, commit_id, description, user_name, created_at, updated_at`

const savepointRow = savepointColumns + `, (SELECT c.vacuumed_at` + commitNamed + `)`

func scanSavepoint(s scanner) (p Savepoint, err error) {
	var created, updated int64
	var vacuumed sql.NullInt64
	err = s.Scan(&p.ID, &p.DatasetID, &p.Number, &p.CommitID, &p.Description, &p.User, &created, &updated, &vacuumed)
	p.CreatedAt, p.UpdatedAt = moment(created), moment(updated)
	if vacuumed.Valid {
		p.VacuumedAt = moment(vacuumed.Int64)
	}
	return p, err
}

// AddSavepoint adds a savepoint's row.
func (tx Tx) AddSavepoint(p Savepoint) error {
	return tx.later(`INSERT INTO savepoints (`+savepointColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		p.ID, p.DatasetID, p.Number, p.CommitID, p.Description, p.User, micros(p.CreatedAt), micros(p.UpdatedAt))
}

// SetSavepoint updates a savepoint's description.
func (tx Tx) SetSavepoint(p Savepoint) error {
	return tx.one(ErrNotFound, `UPDATE savepoints SET description = $1, updated_at = $2 WHERE id = $3`,
		p.Description, micros(p.UpdatedAt), p.ID)
}

// Savepoints lists a dataset's savepoints, newest first.
func (tx Tx) Savepoints(dataset string) ([]Savepoint, error) {
	return list(tx, scanSavepoint, `SELECT `+savepointRow+` FROM savepoints v
		WHERE dataset_id = $1 ORDER BY number DESC`, dataset)
}
