package storage

import (
	"context"

	"rowback/storage/catalog"
)

// CreateSavepoint bookmarks the head. Where nothing has changed since the last savepoint, that one is returned, and
// made is false.
func (s *Store) CreateSavepoint(ctx context.Context, dataset, description string, r Request) (p catalog.Savepoint, made bool, err error) {
	return p, false, failf(Invalid, "not_yet", "not yet")
}

// FindSavepoint returns a savepoint of a dataset by its id or its name (master__000003).
func (s *Store) FindSavepoint(ctx context.Context, dataset, ref string) (catalog.Savepoint, error) {
	return catalog.Savepoint{}, failf(Invalid, "not_yet", "not yet")
}

// DescribeSavepoint changes a savepoint's description.
func (s *Store) DescribeSavepoint(ctx context.Context, dataset, ref, description string) (catalog.Savepoint, error) {
	return catalog.Savepoint{}, failf(Invalid, "not_yet", "not yet")
}

// Revert restores the dataset to a savepoint, as one commit. Later savepoints leave the list. While another commit is
// being made it is refused (Conflict, busy).
func (s *Store) Revert(ctx context.Context, dataset, ref string, r Request) (catalog.Commit, error) {
	return catalog.Commit{}, failf(Invalid, "not_yet", "not yet")
}
