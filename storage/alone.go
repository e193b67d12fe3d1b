package storage

import "context"

// Alone makes several changes of a dataset with no other between them. They are made with the request that do gets: its
// dataset's lock is held. Readers do not wait. What fails within it does not undo what came before: each change is a
// commit of its own.
func (s *Store) Alone(ctx context.Context, dataset string, r Request, do func(r Request) error) error {
	unlock, err := s.lock(ctx, dataset, r)
	if err != nil {
		return err
	}
	defer unlock()
	r.alone = dataset
	return do(r)
}

// lock takes the dataset's lock, unless it is held for the request already.
func (s *Store) lock(ctx context.Context, dataset string, r Request) (unlock func(), err error) {
	if r.alone == dataset {
		return func() {}, nil
	}
	return s.catalog.Lock(ctx, dataset)
}
