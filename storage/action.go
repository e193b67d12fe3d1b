package storage

import (
	"context"
	"time"

	"rowback/storage/catalog"
)

// ActionKey is what a commit is called as an action, Noun.verb: Dataset.append, Variable.create, …
func ActionKey(c catalog.Commit) string { return "Dataset." + string(c.Mode) }

// ActionFilter selects and orders actions. Zero values select all, newest first.
type ActionFilter struct {
	User         string
	Keys         []string
	Since, Until time.Time // both included
	Sort         string    // datetime, -datetime, user or -user; empty: -datetime
	Limit        int       // 0: all
	Offset       int
}

// Actions lists a dataset's actions: its commits, those that merges played too.
func (s *Store) Actions(ctx context.Context, dataset string, f ActionFilter) ([]catalog.Commit, error) {
	return nil, failf(Invalid, "not_yet", "not yet")
}
