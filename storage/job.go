package storage

import (
	"context"
	"encoding/json"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// StartJob records work that is answered before it is done.
func (q *Requests) StartJob(ctx context.Context, message string, r Request) (j catalog.Job, err error) {
	now := q.now()
	j = catalog.Job{
		ID: q.newID(), Message: message, Answer: json.RawMessage("null"), CreatedAt: now, UpdatedAt: now,
	}
	var a answers
	err = q.write(ctx, func(tx catalog.Tx) error {
		if err := tx.AddJob(j); err != nil {
			return err
		}
		if a, err = answer(q, tx, r, j); err != nil {
			return err
		}
		return a.record(tx)
	})
	if err == nil {
		// In memory until the work ends: they are written again with what it did, so that they survive a lost catalog.
		q.promises.Store(j.ID, a.Receipts)
	}
	return j, err
}

// FailJob records that the work failed, and why. A job that has ended stays as it is: what it did stands.
func (q *Requests) FailJob(ctx context.Context, j catalog.Job, message string, answer json.RawMessage) error {
	q.promises.Delete(j.ID)
	return q.write(ctx, func(tx catalog.Tx) error {
		j, err := tx.Job(j.ID)
		// A failure that comes after the work stands, as of sending its answer, must not hide it.
		if err != nil || j.Progress == catalog.JobFailed || j.Progress == catalog.JobDone {
			return err
		}
		j.Progress, j.Message, j.Answer, j.UpdatedAt = catalog.JobFailed, message, answer, q.now()
		return tx.SetJob(j)
	})
}

// Job returns work that was answered before it was done.
func (q *Requests) Job(ctx context.Context, id string) (j catalog.Job, err error) {
	err = q.catalog.Read(ctx, func(tx catalog.Tx) error {
		j, err = tx.Job(id)
		return orNotFound(err, "progress_not_found", "Progress '%s' not found", fault.Clip(id))
	})
	return j, err
}

// ReportJob records how far work has got: 0 to 99 percent. What has ended stays as it is. 100 is only for work that
// stands.
func (q *Requests) ReportJob(ctx context.Context, id string, percent int, message string) error {
	return q.write(ctx, func(tx catalog.Tx) error {
		j, err := tx.Job(id)
		if err != nil || j.Progress == catalog.JobFailed || j.Progress == catalog.JobDone {
			return err
		}
		j.Progress, j.Message, j.UpdatedAt = min(max(percent, 0), catalog.JobDone-1), message, q.now()
		return tx.SetJob(j)
	})
}
