package storage

import (
	"context"

	"rowback/storage/catalog"
	"rowback/storage/snapshot"
)

// Found makes a dataset with its first records: both stand, or neither. The request's receipt is told a State.
func (s *Store) Found(ctx context.Context, n NewDataset, c Change) (snapshot.State, error) {
	made, err := s.newCreation(ctx, n)
	if err != nil {
		return snapshot.State{}, err
	}
	w, err := s.beginNew(ctx, made, c.Request, catalog.Append)
	if err != nil {
		return snapshot.State{}, err
	}
	defer w.end()
	if err = w.connect(ctx); err == nil {
		err = w.append(ctx, c.Upload)
	}
	if err != nil {
		return snapshot.State{}, err
	}
	if err := w.bookmarkImport(ctx); err != nil {
		return snapshot.State{}, err
	}
	return publish(ctx, w, asState)
}
