package catalog

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/rowback/rowback/storage/schema"
)

// Dataset is a dataset's row. Head is its newest commit, 0 before the first. SchemaID and PropertiesID are those it was
// created with, which is its state at commit 0.
type Dataset struct {
	ID           string
	FamilyID     string
	ProjectID    int64
	Name         string
	Head         int64
	SchemaID     string
	PropertiesID string
	CreatedAt    time.Time
	DeletedAt    time.Time // zero: not deleted
	UpstreamID   string    // of a fork: the dataset it was forked from; else empty
	ForkCommit   int64     // of a fork: the last commit inherited from upstream
	IsNamesake   bool      // another dataset of the project has its name: found by id only
	VacuumedAt   time.Time `json:",omitzero"` // of a deleted one: when it was removed for good; zero: it was not
	Bytes        int64     `json:"-"`         // of the files that it wrote, those of past states included

	// Era grows when what is known of its family's files is not so any more: rows were removed for ever, or there are
	// other compacted files.
	Era int64 `json:"-"`
}

// IsFork reports whether the dataset was forked from another.
func (d Dataset) IsFork() bool { return d.UpstreamID != "" }

// Metadata is what users record about a dataset. Numbers keep the digits they were written with.
type Metadata map[string]any

// UnmarshalJSON reads numbers as json.Number.
func (m *Metadata) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode((*map[string]any)(m))
}

// Properties are what users record about a dataset, as of one commit.
type Properties struct {
	Name           string   `json:"name"`
	Description    string   `json:"description"`
	Metadata       Metadata `json:"metadata"`
	QualityColumn  string   `json:"quality_column,omitempty"`  // empty: quality_score, where there is one
	CategoryColumn string   `json:"category_column,omitempty"` // empty: category, where there is one
	Required       []string `json:"required,omitempty"`        // names of columns that have a value in every record
	Notes          string   `json:"notes,omitempty"`
	Archived       bool     `json:"archived,omitempty"` // no one works on it; it can be used as before
	Unpublished    bool     `json:"draft,omitempty"`    // people are told so, it hides nothing

	MergeGranularity Granularity `json:"merge_granularity,omitempty"` // empty: row, as it was before there was another
	Exclusion        *Exclusion  `json:"exclusion,omitempty"`         // records that Crunch clients don't see; nil: none
	Retention        *Retention  `json:"retention,omitempty"`         // which states vacuum keeps; nil: all
	Gates            []Gate      `json:"gates,omitempty"`             // what its changes must pass
}

// Retention is which states of a dataset vacuum keeps, besides the head. One that any of its members keeps is kept.
type Retention struct {
	Commits    *int64 `json:"commits,omitempty"` // the last changes, each with the states before and after it; nil: none
	Days       *int64 `json:"days,omitempty"`    // those of the last days; nil: none
	Versions   bool   `json:"versions"`          // what versions name
	Savepoints bool   `json:"savepoints"`
	Tags       bool   `json:"tags"`
}

// IsLimited reports whether it lets any state go: by itself, what names states does not say that the others may.
func (r *Retention) IsLimited() bool { return r != nil && (r.Commits != nil || r.Days != nil) }

// Granularity is what two sides of a merge must not both have changed.
type Granularity string

// The granularities.
const (
	ByRow    Granularity = "row"    // a record
	ByColumn Granularity = "column" // a value: changes of different columns of one record both stand
)

// Granularity is how merges into the dataset treat records that both sides changed.
func (p Properties) Granularity() Granularity { return cmp.Or(p.MergeGranularity, ByRow) }

// Exclusion is a condition on records, in both texts with schema.Reference in place of columns.
type Exclusion struct {
	Expression string `json:"expression"` // as Crunch clients write it
	Condition  string `json:"condition"`  // as SQL
}

const datasetColumns = `id, family_id, project_id, name, head, schema_id, properties_id, created_at, deleted_at,
	upstream_id, fork_commit, is_namesake`

// datasetRow are the columns of a dataset as it is read.
const datasetRow = datasetColumns + `, vacuumed_at,
	COALESCE((SELECT byte_count FROM usage WHERE usage.dataset_id = datasets.id), 0),
	COALESCE((SELECT era FROM families WHERE families.id = datasets.family_id), 0)`

func scanDataset(s scanner) (d Dataset, err error) {
	var created int64
	var deleted, vacuumed sql.NullInt64
	var upstream sql.NullString
	err = s.Scan(&d.ID, &d.FamilyID, &d.ProjectID, &d.Name, &d.Head, &d.SchemaID, &d.PropertiesID, &created, &deleted,
		&upstream, &d.ForkCommit, &d.IsNamesake, &vacuumed, &d.Bytes, &d.Era)
	d.CreatedAt, d.UpstreamID = moment(created), upstream.String
	if deleted.Valid {
		d.DeletedAt = moment(deleted.Int64)
	}
	if vacuumed.Valid {
		d.VacuumedAt = moment(vacuumed.Int64)
	}
	return d, err
}

// Dataset returns the dataset with that id, deleted or not.
func (tx Tx) Dataset(id string) (Dataset, error) {
	return get(tx, scanDataset, `SELECT `+datasetRow+` FROM datasets WHERE id = $1`, id)
}

// DatasetByName returns the dataset of that name in a project, unless it is deleted. It does not find namesakes.
func (tx Tx) DatasetByName(project int64, name string) (Dataset, error) {
	return get(tx, scanDataset, `SELECT `+datasetRow+` FROM datasets
		WHERE project_id = $1 AND name = $2 AND deleted_at IS NULL AND NOT is_namesake`, project, name)
}

// DatasetFilter selects datasets for Datasets.
type DatasetFilter struct {
	Project int64  // 0: all
	Deleted bool   // deleted datasets instead of the others
	After   string // only ids after this one
	Limit   int

	Vacuumed bool // of deleted ones, also those that can't be brought back
}

// Datasets lists datasets by id, which is the order in which they were created.
func (tx Tx) Datasets(f DatasetFilter) ([]Dataset, error) {
	return list(tx, scanDataset, `SELECT `+datasetRow+` FROM datasets
		WHERE ($1 = 0 OR project_id = $1) AND (deleted_at IS NOT NULL) = $2
		AND ($3 OR vacuumed_at IS NULL) AND id > $4
		ORDER BY id LIMIT $5`, f.Project, f.Deleted, f.Vacuumed, f.After, f.Limit)
}

// Forks lists the forks of a dataset that are not deleted, in the order in which they were made: by their first own
// commits. Their ids begin with the time of the server that made them, and clocks differ.
func (tx Tx) Forks(upstream string) ([]Dataset, error) {
	return list(tx, scanDataset, `SELECT `+datasetRow+` FROM datasets
		WHERE upstream_id = $1 AND deleted_at IS NULL
		ORDER BY (SELECT MIN(c.id) FROM commits c WHERE c.dataset_id = datasets.id), id`, upstream)
}

// CountForks returns how many forks a dataset has ever had, deleted ones included.
func (tx Tx) CountForks(upstream string) (int64, error) {
	return get(tx, scanInt, `SELECT count(*) FROM datasets WHERE upstream_id = $1`, upstream)
}

// AddFamily adds a fork family, unless it exists.
func (tx Tx) AddFamily(id string) error {
	return tx.exec(`INSERT INTO families (id, last_row, last_field) VALUES ($1, 0, 0) ON CONFLICT (id) DO NOTHING`, id)
}

// Family returns the last row id and the last field id that were assigned in a family.
func (tx Tx) Family(id string) (row, field int64, err error) {
	err = tx.row(`SELECT last_row, last_field FROM families WHERE id = $1`, []any{id}, &row, &field)
	return row, field, err
}

// nextEra begins a new era of a family.
func (tx Tx) nextEra(family string) error {
	return tx.exec(`UPDATE families SET era = era + 1 WHERE id = $1`, family)
}

// AdvanceFamily records the last row id and field id assigned in a family. It never lowers them.
func (tx Tx) AdvanceFamily(id string, row, field int64) error {
	if _, err := tx.holds(FamilyLock(id), false); err != nil {
		return err
	}
	return tx.later(`UPDATE families SET last_row = CASE WHEN last_row < $1 THEN $1 ELSE last_row END,
		last_field = CASE WHEN last_field < $2 THEN $2 ELSE last_field END
		WHERE id = $3 AND (last_row < $1 OR last_field < $2)`, row, field, id)
}

// AddDataset adds a dataset's row. From then on a fork has the commits of its upstream up to the fork commit, and
// none of them is undone in it: the caller records what was undone by then, with SetRollback.
func (tx Tx) AddDataset(d Dataset) error {
	var deleted any
	if !d.DeletedAt.IsZero() {
		deleted = micros(d.DeletedAt)
	}
	var upstream any
	if d.UpstreamID != "" {
		upstream = d.UpstreamID
	}
	if err := tx.exec(
		`INSERT INTO datasets (`+datasetColumns+`, vacuumed_at, changed)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, `+nextChange+`)`,
		d.ID, d.FamilyID, d.ProjectID, d.Name, d.Head, d.SchemaID, d.PropertiesID, micros(d.CreatedAt), deleted, upstream,
		d.ForkCommit, d.IsNamesake, timeOrNull(d.VacuumedAt),
	); err != nil {
		return err
	}
	return tx.addLineage(d)
}

// MoveHead sets a dataset's head and name if its head is still from. Otherwise it returns ErrMoved.
func (tx Tx) MoveHead(id string, from, to int64, name string) error {
	// A head that moved while the lock was lost is found below. A removal does not move it, and changes the files that the
	// commit has places in.
	retaken, err := tx.holds(id, true)
	if err != nil {
		return err
	}
	if retaken {
		last, err := get(tx, scanInt, `SELECT COALESCE(MAX(r.id), 0) FROM removals r
			JOIN datasets d ON d.family_id = r.family_id WHERE d.id = $1`, id)
		if err != nil {
			return err
		}
		if last > to { // which is not tried again
			return ErrMoved
		}
	}
	return tx.oneLater(ErrMoved, `UPDATE datasets SET head = $1, name = $2, changed = `+nextChange+`
		WHERE id = $3 AND head = $4`, to, name, id, from)
}

// SetDeleted marks a dataset as deleted at that time, or, with a zero time, as not deleted.
func (tx Tx) SetDeleted(id string, at time.Time) error {
	var deleted any
	if !at.IsZero() {
		deleted = micros(at)
	}
	return tx.one(ErrNotFound, `UPDATE datasets SET deleted_at = $1 WHERE id = $2`, deleted, id)
}

// ParkNames marks all datasets as deleted at that time, which frees their names until the caller sets each one's again.
func (tx Tx) ParkNames(at time.Time) error {
	return tx.exec(`UPDATE datasets SET deleted_at = $1 WHERE deleted_at IS NULL`, micros(at))
}

// SetNamesake marks a dataset whose name another one has: from then on it is found by its id only.
func (tx Tx) SetNamesake(id string) error {
	return tx.one(ErrNotFound, `UPDATE datasets SET is_namesake = TRUE WHERE id = $1`, id)
}

// DocumentID returns the id of v as a document: the SHA-256 of its JSON, in hexadecimal.
func DocumentID(v any) (string, error) {
	id, _, err := encode(v)
	return id, err
}

func encode(v any) (id, body string, err error) {
	text, err := json.Marshal(v)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), string(text), err
}

// AddDocument stores v as JSON and returns its id. The same document is stored once.
func (tx Tx) AddDocument(v any) (id string, err error) {
	id, body, err := encode(v)
	if err != nil {
		return "", err
	}
	return id, tx.later(`INSERT INTO documents (id, body) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, id, body)
}

func document[T any](tx Tx, id string) (v T, err error) {
	var body string
	if err := tx.row(`SELECT body FROM documents WHERE id = $1`, []any{id}, &body); err != nil {
		return v, err
	}
	return v, json.Unmarshal([]byte(body), &v)
}

// Schema reads a schema document.
func (tx Tx) Schema(id string) (schema.Schema, error) { return document[schema.Schema](tx, id) }

// Properties reads a properties document.
func (tx Tx) Properties(id string) (Properties, error) { return document[Properties](tx, id) }

// Founder returns the user of a dataset's first commit after the given one; empty if there is none.
func (tx Tx) Founder(dataset string, after int64) (user string, err error) {
	err = tx.row(`SELECT user_name FROM commits WHERE dataset_id = $1 AND id > $2 ORDER BY id LIMIT 1`,
		[]any{dataset, after}, &user)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return user, err
}
