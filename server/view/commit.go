// Package view has the representation of a commit that all faces share.
package view

import (
	"encoding/json"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// Commit is a commit as clients see it.
type Commit struct {
	ID               int64            `json:"id"`
	DatasetID        string           `json:"dataset_id"`
	Mode             string           `json:"mode" enum:"append,overwrite,upsert,replace,delete,rollback,restore,schema,edit,fork,merge"`
	Status           string           `json:"status" enum:"completed,rolled_back"`
	Message          string           `json:"message"`
	User             string           `json:"user"`
	CreatedAt        time.Time        `json:"created_at"`
	ParentCommitID   *int64           `json:"parent_commit_id" description:"Of a rollback: the commit that it undoes."`
	RollbackCommitID *int64           `json:"rollback_commit_id" description:"${commit.rollback_commit_id}"`
	MergeCommitID    *int64           `json:"merge_commit_id" description:"The merge that played this commit."`
	RecordsAdded     int64            `json:"records_added"`
	RecordsRemoved   int64            `json:"records_removed"`
	RecordsModified  int64            `json:"records_modified"`
	RecordsTotal     int64            `json:"records_total" description:"Records after this commit."`
	RecordsNotFound  *int64           `json:"records_not_found,omitempty" description:"${commit.records_not_found}"`
	Hash             string           `json:"hash"`
	SchemaChanges    *[]schema.Change `json:"schema_changes" description:"${commit.schema_changes}"`
	ColumnsCleared   *[]string        `json:"columns_cleared" description:"${commit.columns_cleared}"`
	Warnings         []string         `json:"warnings,omitempty" description:"${commit.warnings}"`
	GatesFailed      []string         `json:"gates_failed,omitempty" description:"${gates_failed}"`
	Metadata         json.RawMessage  `json:"metadata"`
	Params           json.RawMessage  `json:"params"`
	Digest           string           `json:"digest,omitempty" description:"${digest.known}"`
	ErasedAt         *time.Time       `json:"erased_at,omitempty" description:"${erased_at}"`
	VacuumedAt       *time.Time       `json:"vacuumed_at,omitempty" description:"${commit.vacuumed_at}"`
}

// Of returns a commit as clients see it.
func Of(c catalog.Commit) Commit {
	v := Commit{
		ID: c.ID, DatasetID: c.DatasetID, Mode: string(c.Mode), Status: "completed", Message: c.Message, User: c.User,
		CreatedAt: c.CreatedAt, ParentCommitID: some(c.ParentCommitID), RollbackCommitID: some(c.RollbackCommitID),
		MergeCommitID: some(c.MergeCommitID),
		RecordsAdded:  c.Added, RecordsRemoved: c.Removed, RecordsModified: c.Modified, RecordsTotal: c.Total,
		Hash: c.Hash, Metadata: c.Metadata, Params: c.Params,
	}
	if c.Effects != nil {
		v.Warnings, v.GatesFailed = c.Effects.Warnings, c.Effects.GatesFailed
		v.SchemaChanges, v.ColumnsCleared = &c.Effects.SchemaChanges, &c.Effects.ColumnsCleared
	}
	if !c.ErasedAt.IsZero() {
		v.ErasedAt = &c.ErasedAt
	}
	if !c.VacuumedAt.IsZero() {
		v.VacuumedAt = &c.VacuumedAt
	}
	if c.RollbackCommitID != 0 {
		v.Status = "rolled_back"
	}
	var params struct {
		NotFound *int64 `json:"records_not_found"`
	}
	if json.Unmarshal(c.Params, &params) == nil {
		v.RecordsNotFound = params.NotFound
	}
	return v
}

// some returns a pointer to a number, or nil for 0.
func some(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}
