package storage

import (
	"context"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// Dataset returns the dataset with that id, unless it is deleted. The refusal of a deleted one says when that was, and
// that it can be undeleted.
func (h *History) Dataset(ctx context.Context, id string) (d catalog.Dataset, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error { d, err = activeFor(ctx, tx, id); return err })
	return d, err
}

// Founder is who made a dataset's first commit; of a fork, the first that it does not share with its upstream. It is
// empty where there is none.
func (h *History) Founder(ctx context.Context, d catalog.Dataset) (user string, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error { user, err = tx.Founder(d.ID, d.ForkCommit); return err })
	return user, err
}

// FindDataset returns the dataset that a client names: by id, or by name in a project.
func (h *History) FindDataset(ctx context.Context, project int64, ref string) (d catalog.Dataset, err error) {
	err = h.catalog.Look(ctx, func(tx catalog.Tx) (err error) {
		// CheckName refuses such names, so nothing is both.
		if looksLikeID.MatchString(ref) {
			d, err = activeFor(ctx, tx, ref)
			return err
		}
		if p := permitOf(ctx); p != nil && !p.Sees(project) {
			err = catalog.ErrNotFound
		} else if d, err = tx.DatasetByName(project, ref); err == nil {
			err = permitted(ctx, d, ref)
		}
		return orNotFound(err, "dataset_not_found", "Dataset '%s' not found in project %d", fault.Clip(ref), project)
	})
	return d, err
}

// Datasets lists datasets, as of their heads, oldest first. Their records are not read: a state is the
// catalog's rows alone.
func (h *History) Datasets(ctx context.Context, f catalog.DatasetFilter) (list []snapshot.State, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		datasets, err := datasetsFor(ctx, tx, f)
		if err != nil {
			return err
		}
		list, err = statesOf(tx, datasets)
		return err
	})
	return list, err
}

// datasetsFor lists datasets that the client of a request may use, up to the filter's limit.
func datasetsFor(ctx context.Context, tx catalog.Tx, f catalog.DatasetFilter) (out []catalog.Dataset, err error) {
	for limit := f.Limit; ; {
		page, err := tx.Datasets(f)
		if err != nil || len(page) == 0 {
			return out, err
		}
		full, last := len(page) == f.Limit, page[len(page)-1].ID
		seen, err := seenBy(ctx, tx, page)
		if err != nil {
			return nil, err
		}
		out = append(out, seen...)
		if !full || len(out) >= limit {
			return out[:min(len(out), limit)], nil
		}
		f.After = last
	}
}

// statesOf returns the states of datasets at their heads.
func statesOf(tx catalog.Tx, datasets []catalog.Dataset) (list []snapshot.State, err error) {
	for _, d := range datasets {
		state, err := snapshot.At(tx, d, d.Head)
		if err != nil {
			return nil, err
		}
		list = append(list, state)
	}
	return list, nil
}

// DeleteDataset marks a dataset as deleted. Its files and its history stay, so that UndeleteDataset brings it back,
// and for its forks, which refer to them.
func (s *Store) DeleteDataset(ctx context.Context, id string, r Request) error {
	unlock, err := s.catalog.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	return s.label(ctx, r, func(tx catalog.Tx, l *labels) error {
		d, err := activeDataset(tx, id)
		if err != nil {
			return err
		}
		if err := r.expects(d); err != nil {
			return err
		}
		now := s.now()
		if err := tx.SetDeleted(id, now); err != nil {
			return err
		}
		// A label is replaced as a whole: the answers that it has must be written again with it.
		kept, err := s.kept(id, deletedLabel)
		if err != nil {
			return err
		}
		return l.put(id, deletedLabel, deletion{now, kept})
	})
}

// UndeleteDataset brings a deleted dataset back, as it was. It is refused where another dataset has taken the name.
func (s *Store) UndeleteDataset(ctx context.Context, id string, r Request) (state snapshot.State, err error) {
	d, err := s.anyDataset(ctx, id)
	if err == nil {
		err = permitted(ctx, d, id)
	}
	if err != nil {
		return state, err
	}
	// Vacuum may be about to remove it for good.
	unlock, err := s.lock(ctx, id, r)
	if err != nil {
		return state, err
	}
	defer unlock()
	// Someone may be making a dataset of this name, which was free as long as this one was deleted.
	unlockName, err := s.catalog.Lock(ctx, nameLock(d.ProjectID, d.Name))
	if err != nil {
		return state, err
	}
	defer unlockName()
	leave, err := s.takeUndeleted(ctx, id)
	defer leave()
	if err != nil {
		return state, err
	}
	err = s.label(ctx, r, func(tx catalog.Tx, l *labels) error {
		d, err := tx.Dataset(id)
		if err != nil {
			return err
		}
		if !d.VacuumedAt.IsZero() {
			_, err := activeDataset(tx, id)
			return err
		}
		if err := r.expects(d); err != nil {
			return err
		}
		if err := tx.SetDeleted(id, time.Time{}); err != nil {
			return nameTaken(err, d.Name)
		}
		d.DeletedAt = time.Time{}
		if state, err = snapshot.At(tx, d, d.Head); err != nil {
			return err
		}
		a, err := answer(s.Requests, tx, r, state)
		if err != nil {
			return err
		}
		if err := a.record(tx); err != nil {
			return err
		}
		kept, err := s.kept(id, deletedLabel)
		if err != nil {
			return err
		}
		a.Receipts = append(kept.Receipts, a.Receipts...)
		return l.put(id, deletedLabel, deletion{answers: a})
	})
	return state, err
}

// anyDataset returns the dataset with that id, deleted or not.
func (h *History) anyDataset(ctx context.Context, id string) (d catalog.Dataset, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err = tx.Dataset(id)
		return orNotFound(err, "dataset_not_found", "Dataset '%s' not found", fault.Clip(id))
	})
	return d, err
}
