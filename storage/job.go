package storage

import (
	"context"
	"encoding/json"

	"rowback/storage/catalog"
	"rowback/storage/fault"
)

// StartJob records work that is answered before it is done.
func (s *Store) StartJob(ctx context.Context, message string, r Request) (j catalog.Job, err error) {
	now := s.now()
	j = catalog.Job{
		ID: s.newID(), Message: message, Answer: json.RawMessage("null"), CreatedAt: now, UpdatedAt: now,
	}
	var a answers
	err = s.write(ctx, func(tx catalog.Tx) error {
		if err := tx.AddJob(j); err != nil {
			return err
		}
		if a, err = s.answer(tx, r, j); err != nil {
			return err
		}
		return a.record(tx)
	})
	if err == nil {
		s.promises.Store(j.ID, a.Receipts)
	}
	return j, err
}

// FailJob records that the work failed, and why. A job that has ended stays as it is: what it did stands.
func (s *Store) FailJob(ctx context.Context, j catalog.Job, message string, answer json.RawMessage) error {
	s.promises.Delete(j.ID)
	return s.write(ctx, func(tx catalog.Tx) error {
		j, err := tx.Job(j.ID)
		if err != nil || j.Progress == catalog.JobFailed || j.Progress == catalog.JobDone {
			return err
		}
		j.Progress, j.Message, j.Answer, j.UpdatedAt = catalog.JobFailed, message, answer, s.now()
		return tx.SetJob(j)
	})
}

// Job returns work that was answered before it was done.
func (s *Store) Job(ctx context.Context, id string) (j catalog.Job, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error {
		j, err = tx.Job(id)
		return known(err, "progress_not_found", "Progress '%s' not found", fault.Clip(id))
	})
	return j, err
}

// ReportJob records how far work has got: 0 to 99 percent. What has ended stays as it is.
func (s *Store) ReportJob(ctx context.Context, id string, percent int, message string) error {
	return s.write(ctx, func(tx catalog.Tx) error {
		j, err := tx.Job(id)
		if err != nil || j.Progress == catalog.JobFailed || j.Progress == catalog.JobDone {
			return err
		}
		j.Progress, j.Message, j.UpdatedAt = min(max(percent, 0), catalog.JobDone-1), message, s.now()
		return tx.SetJob(j)
	})
}
