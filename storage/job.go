package storage

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// StartJob records work that is answered before it is done.
func (q *Requests) StartJob(ctx context.Context, message string, r Request) (j catalog.Job, err error) {
	now := q.now()
	j = catalog.Job{
		ID: q.newID(), Message: message, Answer: json.RawMessage("null"), CreatedAt: now, UpdatedAt: now,
		Server: q.catalog.Server(),
	}
	err = q.write(ctx, func(tx catalog.Tx) error {
		a, err := answer(q, tx, r, j)
		if err != nil {
			return err
		}
		// With the job until the work ends: they are written again with what it did, so that they survive a lost catalog.
		j.Promised = a.Receipts
		if err := tx.AddJob(j); err != nil {
			return err
		}
		return a.record(tx)
	})
	return j, err
}

// FailJob records that the work failed, and why. A job that has ended stays as it is: what it did stands.
func (q *Requests) FailJob(ctx context.Context, j catalog.Job, message string, answer json.RawMessage) error {
	return q.write(ctx, func(tx catalog.Tx) error {
		j, err := tx.Job(j.ID)
		// A failure that comes after the work stands, as of sending its answer, must not hide it.
		if err != nil || j.Progress == catalog.JobFailed || j.Progress == catalog.JobDone {
			return err
		}
		j.Progress, j.Message, j.Answer, j.UpdatedAt = catalog.JobFailed, message, answer, q.now()
		return tx.PutJob(j)
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

// errJobFailed is for work that was given up before it could be recorded: its client was told that it failed.
var errJobFailed = fault.Errorf(fault.Unavailable, "job_given_up",
	"The server could not reach the catalog's database for a while, and the job was taken for failed. "+
		"Nothing was changed. Send the request again.")

// goOn refuses to record work whose job was given up, or whose key was answered, after the answers were made.
func (a answers) goOn(tx catalog.Tx) error {
	if a.Job == nil {
		for _, r := range a.Receipts {
			if err := isUnanswered(tx, r.User, r.Key); err != nil {
				return err
			}
		}
		return nil
	}
	j, err := tx.Job(a.Job.ID)
	if err == nil && j.Progress == catalog.JobFailed {
		err = errJobFailed
	}
	return err
}

// GiveUpJobs marks the unfinished jobs of servers that are gone as failed. since has when each was first found missing:
// one that is cut off for less than patience comes back, and its jobs go on.
func (q *Requests) GiveUpJobs(ctx context.Context, since map[int64]time.Time, patience time.Duration) error {
	var of []int64
	if err := q.catalog.Read(ctx, func(tx catalog.Tx) (err error) { of, err = tx.JobServers(); return err }); err != nil {
		return err
	}
	// In this order: a server that is not among them now has ended, whenever its jobs began.
	alive, err := q.catalog.Servers(ctx)
	if err != nil {
		return err
	}
	for _, server := range of {
		if slices.ContainsFunc(alive, func(s catalog.Server) bool { return s.ID == server }) {
			delete(since, server)
			continue
		}
		first, isKnown := since[server]
		if !isKnown {
			first = time.Now()
			since[server] = first
		}
		if time.Since(first) < patience {
			continue
		}
		if err := q.write(ctx, func(tx catalog.Tx) error {
			return tx.FailJobs(server, "The server ended before this was done.", q.now())
		}); err != nil {
			return err
		}
	}
	return nil
}
