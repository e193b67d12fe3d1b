package api

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/view"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// commitView is a commit as clients see it.
type commitView = view.Commit

// viewCommit returns a commit as clients see it.
func viewCommit(c catalog.Commit) commitView { return view.Of(c) }

// tellCommit makes the answer of a new commit.
func tellCommit(c catalog.Commit) (calls.Answer, error) {
	return say(201, fmt.Sprintf("/api/v1/datasets/%s/commits/%d", c.DatasetID, c.ID), viewCommit(c))
}

// datasetView is a dataset as clients see it, as of its head.
type datasetView struct {
	ID             string           `json:"id"`
	Name           string           `json:"name"`
	ProjectID      int64            `json:"project_id"`
	Key            []string         `json:"key" description:"The declared key; empty where the server assigns _id."`
	Description    string           `json:"description"`
	Metadata       catalog.Metadata `json:"metadata"`
	QualityColumn  *string          `json:"quality_column"`
	CategoryColumn *string          `json:"category_column"`
	Required       []string         `json:"required" description:"Columns that have a value in every record."`
	Archived       bool             `json:"archived" description:"No one works on it any more."`
	Warnings       []string         `json:"warnings" description:"${dataset.warnings}"`

	MergeGranularity catalog.Granularity `json:"merge_granularity" enum:"row,column" description:"${merge_granularity}"`

	Retention *retention `json:"retention" description:"${retention}"`

	Exclusion    string     `json:"exclusion,omitempty" description:"${dataset.exclusion}"`
	Head         int64      `json:"head" description:"The newest commit; 0 before the first."`
	RecordsTotal int64      `json:"records_total"`
	Bytes        int64      `json:"bytes" description:"${dataset.bytes}"`
	CreatedAt    time.Time  `json:"created_at"`
	ModifiedAt   time.Time  `json:"modified_at"`
	DeletedAt    *time.Time `json:"deleted_at"`
	UpstreamID   *string    `json:"upstream_id" description:"Of a fork: the dataset that it was forked from."`
	ForkCommit   *int64     `json:"fork_commit" description:"Of a fork: the last commit that it shares with the upstream."`
}

// viewDataset returns a dataset as clients see it. Its times are those of its creation and of its newest commit.
func viewDataset(s snapshot.State) datasetView {
	v := datasetView{
		ID: s.Dataset.ID, Name: s.Properties.Name, ProjectID: s.Dataset.ProjectID, Key: []string{},
		Description: s.Properties.Description, Metadata: s.Properties.Metadata, Head: s.Commit.ID, RecordsTotal: s.Total(),
		Bytes:     s.Dataset.Bytes,
		CreatedAt: s.Dataset.CreatedAt, ModifiedAt: s.Dataset.CreatedAt,
		Required: append([]string{}, s.Properties.Required...), Archived: s.Properties.Archived, Warnings: s.Warnings(),
		MergeGranularity: s.Properties.Granularity(), Retention: viewRetention(s.Properties.Retention),
	}
	// A dataset without commits was last modified when it was created.
	if s.Commit.ID > 0 {
		v.ModifiedAt = s.Commit.CreatedAt
	}
	if !s.Dataset.DeletedAt.IsZero() {
		v.DeletedAt = &s.Dataset.DeletedAt
	}
	if e := s.Properties.Exclusion; e != nil {
		v.Exclusion = s.Schema.WithNames(e.Condition)
	}
	if s.Dataset.IsFork() {
		v.UpstreamID, v.ForkCommit = &s.Dataset.UpstreamID, &s.Dataset.ForkCommit
	}
	if s.Schema.Keyed() {
		for _, c := range s.Schema.KeyColumns() {
			v.Key = append(v.Key, c.Name)
		}
	}
	if c, ok := s.QualityColumn(); ok {
		v.QualityColumn = &c.Name
	}
	if c, ok := s.CategoryColumn(); ok {
		v.CategoryColumn = &c.Name
	}
	return v
}

// schemaView is the columns of a dataset at a ref.
type schemaView struct {
	Ref     string       `json:"ref"`
	Commit  int64        `json:"commit"`
	Key     []string     `json:"key"`
	Columns []columnView `json:"columns"`
}

// columnView is a column as clients see it.
type columnView struct {
	Name string `json:"name"`
	Type string `json:"type" description:"In DuckDB's notation; NULL if the column has had no value yet."`
	Key  bool   `json:"key"`
	ID   int    `json:"id" description:"The Parquet field id."`

	Title       string            `json:"title,omitempty" description:"What people see in place of the name."`
	Description string            `json:"description,omitempty"`
	Derivation  string            `json:"derivation,omitempty" description:"${column.derivation}"`
	Categories  []schema.Category `json:"categories,omitempty" description:"Of a categorical variable."`
	Extension   *schema.Extension `json:"extension,omitempty" description:"${column.extension}"`
}

// viewSchema returns the columns of a state, with _id first if the server assigns it.
func viewSchema(ref string, s snapshot.State) schemaView {
	v := schemaView{Ref: ref, Commit: s.Commit.ID, Key: viewDataset(s).Key, Columns: []columnView{}}
	columns := s.Schema.Columns
	if !s.Schema.Keyed() {
		// The key that the server assigns is not among the schema's columns, and is in every answer with records.
		columns = append(s.Schema.KeyColumns(), columns...)
	}
	for _, c := range columns {
		v.Columns = append(v.Columns, columnView{
			Name: c.Name, Type: c.Type.String(), Key: s.Schema.IsKey(c.ID), ID: c.ID,
			Title: c.Title, Description: c.Description, Derivation: s.Schema.DerivationText(c), Categories: c.Categories,
			Extension: c.Extension,
		})
	}
	return v
}

// progress is work that was answered with 202.
type progress struct {
	ID        string    `json:"id"`
	Progress  int       `json:"progress" description:"0 to 100; -1: it failed."`
	Message   string    `json:"message"`
	Result    *Answer   `json:"result" description:"The answer that the request would have had; null while the work runs."`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// progressView returns a job as clients see it. The answer of finished work has its own status and location.
func progressView(j catalog.Job) progress {
	p := progress{ID: j.ID, Progress: j.Progress, Message: j.Message, CreatedAt: j.CreatedAt, UpdatedAt: j.UpdatedAt}
	var told Answer
	// Status 0: the work runs, or a restart ended it before it had an answer.
	if json.Unmarshal(j.Answer, &told) == nil && told.Status != 0 {
		p.Result = &told
	}
	return p
}

// savepointView is a savepoint as clients see it.
type savepointView struct {
	ID          string    `json:"id"`
	Version     string    `json:"version" description:"Its name, which is a ref."`
	CommitID    int64     `json:"commit_id"`
	Description string    `json:"description"`
	User        string    `json:"user"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`

	VacuumedAt *time.Time `json:"vacuumed_at,omitempty" description:"${commit.vacuumed_at}"`
}

// viewSavepoint returns a savepoint as clients see it. Its name is a ref wherever one is taken.
func viewSavepoint(p catalog.Savepoint) savepointView {
	return savepointView{
		ID: p.ID, Version: storage.SavepointName(p.Number), CommitID: p.CommitID, Description: p.Description, User: p.User,
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, VacuumedAt: orNone(p.VacuumedAt),
	}
}

// orNone returns a time; nil for the zero time.
func orNone(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// versionView is a version in full; the routes of seed 000 show less.
type versionView struct {
	VersionID   int64     `json:"version_id"`
	Version     string    `json:"version"`
	CommitID    int64     `json:"commit_id"`
	Entries     int64     `json:"total_entries"`
	IsActive    bool      `json:"is_active"`
	Description string    `json:"description"`
	User        string    `json:"user"`
	CreatedAt   time.Time `json:"created_at"`

	Metadata json.RawMessage `json:"metadata,omitempty" description:"What the version was given."`
	Digest   string          `json:"digest,omitempty" description:"${digest.known}"`
	ErasedAt *time.Time      `json:"erased_at,omitempty" description:"${erased_at}"`

	VacuumedAt *time.Time `json:"vacuumed_at,omitempty" description:"${commit.vacuumed_at}"`
}

// viewVersion returns a version as clients see it.
func viewVersion(v catalog.Version) versionView {
	return versionView{
		VersionID: v.ID, Version: storage.VersionNumber(v), CommitID: v.CommitID, Entries: v.Total, IsActive: v.IsActive,
		Description: v.Description, User: v.User, CreatedAt: v.CreatedAt, Metadata: v.Metadata,
		ErasedAt: orNone(v.ErasedAt), VacuumedAt: orNone(v.VacuumedAt),
	}
}

// tagView is a tag as clients see it.
type tagView struct {
	Name        string    `json:"name" description:"A ref."`
	CommitID    int64     `json:"commit_id"`
	Description string    `json:"description"`
	User        string    `json:"user" description:"Who made it, or moved it last."`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`

	VacuumedAt *time.Time `json:"vacuumed_at,omitempty" description:"${commit.vacuumed_at}"`
}

// viewTag returns a tag as clients see it.
func viewTag(t catalog.Tag) tagView {
	return tagView{t.Name, t.CommitID, t.Description, t.User, t.CreatedAt, t.UpdatedAt, orNone(t.VacuumedAt)}
}

// ViewFact returns a field of an error as clients see it. Errors carry domain values; every face that answers with
// problem+json shows them as it shows the same things elsewhere. Values that need no translation are returned as they
// are.
func ViewFact(fact any) any {
	switch fact := fact.(type) {
	case []storage.Blocker:
		return viewBlockers(fact)
	case []storage.MergeConflict:
		return viewConflicts(fact)
	case []catalog.Commit:
		return viewActions(fact)
	}
	return fact
}
