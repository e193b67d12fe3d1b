package storage

import (
	"context"

	"rowback/storage/catalog"
)

// NewFork is what a fork is made with.
type NewFork struct {
	ID          string  // of the fork; empty: a new one
	Name        string  // empty: "FORK #n of" and the upstream's
	Description *string // nil: the upstream's
	ProjectID   int64   // 0: the upstream's
	Ref         string  // of the upstream; empty: head
}

// NewID returns an id that no dataset has.
func (s *Store) NewID() string { return s.options.NewID() }

// Fork makes a dataset that shares the history of another up to a ref. No data is copied.
func (s *Store) Fork(ctx context.Context, upstream string, n NewFork, r Request) (State, error) {
	return State{}, failf(Invalid, "not_yet", "not yet")
}

// Forks lists the forks of a dataset that are not deleted, as of their heads, in the order they were made.
func (s *Store) Forks(ctx context.Context, upstream string) ([]State, error) {
	return nil, failf(Invalid, "not_yet", "not yet")
}

// Delta is the actions that one of a fork and its upstream has and the other lacks, oldest first.
type Delta struct {
	Dataset  State // the fork
	Upstream State
	Actions  []catalog.Commit
}

// SinceForking is what was done on a fork and is not in its upstream.
func (s *Store) SinceForking(ctx context.Context, fork string) (Delta, error) {
	return Delta{}, failf(Invalid, "not_yet", "not yet")
}

// UpstreamDelta is what was done on the upstream and is not in the fork.
func (s *Store) UpstreamDelta(ctx context.Context, fork string) (Delta, error) {
	return Delta{}, failf(Invalid, "not_yet", "not yet")
}
