package storage

import (
	"context"

	"rowback/storage/catalog"
)

// Merge is a request to play the actions of one dataset on another of its family (design, section 6).
type Merge struct {
	Source       string       // id of the dataset whose actions are played
	Autorollback bool         // true: any conflict, and nothing changes; false: what comes before the conflict stands
	Filter       *MergeFilter // nil: all actions
	Remember     bool         // what the filter skips is not played by later merges, unless they name it
	DryRun       bool         // only tell what would happen
}

// MergeFilter selects actions by key or by hash.
type MergeFilter struct {
	Keys   []string
	Hashes []string
}

// Merged is what a merge did, or would do.
type Merged struct {
	Commit    catalog.Commit   // the merge; ID 0 where there was nothing to do, or on a dry run
	Played    []catalog.Commit // on a dry run, as they are in the source
	Skipped   []catalog.Commit // of the source, that a filter left out
	Conflicts []MergeConflict
}

// MergeConflict is why an action can't be played.
type MergeConflict struct {
	Action   catalog.Commit // of the source
	Key      string         // of the action
	Detail   string
	Variable string           // of a conflict of variables: its name
	Count    int64            // of a conflict of records: how many
	Records  []RecordConflict // the first of them
}

// RecordConflict is one record that both sides changed. Records are JSON objects, or null where there is none.
type RecordConflict struct {
	Before []byte // as the source had it before the action
	After  []byte // as the source had it after
	Now    []byte // as the target has it
}

// Merge plays the source's actions on the target, as one entry of its log. A conflict is an error of kind Conflict with
// fields conflicts ([]MergeConflict) and played ([]catalog.Commit, those that stand: none with Autorollback); what was
// done is returned beside it. A dry run returns conflicts without an error.
func (s *Store) Merge(ctx context.Context, target string, m Merge, r Request) (Merged, error) {
	return Merged{}, failf(Invalid, "not_yet", "not yet")
}

// Played lists the commits that a merge played, oldest first.
func (s *Store) Played(ctx context.Context, dataset string, merge int64) ([]catalog.Commit, error) {
	return nil, failf(Invalid, "not_yet", "not yet")
}
