// Package calls carries out requests: at most once for each Idempotency-Key, at once or as a job whose progress can be
// followed, and stores the answer together with the change. Every face uses it.
package calls

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"rowback/storage"
	"rowback/storage/catalog"
)

// Call is a request that changes something. T is the result in the domain.
type Call[T any] struct {
	Request storage.Request
	Key     string // the Idempotency-Key; empty: none
	// of the request: a different request with the same key is refused
	Fingerprint string
	Do          func(context.Context, storage.Request) (T, error) // makes the change
	Tell        func(T) (json.RawMessage, error)                  // makes the answer, as it is stored
	// frees what Do needed, whether it ran or not; may be nil
	After func()
}

func (c *Call[T]) after() {
	if c.After != nil {
		c.After()
	}
}

// kept is Tell for the domain, which passes results of any type.
func (c *Call[T]) kept(result any) (json.RawMessage, error) {
	value, ok := result.(T)
	if !ok && result != nil {
		return nil, fmt.Errorf("the result of a call is a %T, not a %T", result, value)
	}
	return c.Tell(value)
}

// Now makes the change, unless its key has been used before, and returns the answer.
func Now[T any](ctx context.Context, store *storage.Store, c Call[T]) (told json.RawMessage, replayed bool, err error) {
	defer c.after()
	if c.Key != "" {
		told, found, done, err := store.Once(ctx, c.Request.User, c.Key, c.Fingerprint)
		if err != nil {
			return nil, false, err
		}
		defer done()
		if found {
			return told, true, nil
		}
		c.Request.Receipt = &storage.Receipt{Key: c.Key, Fingerprint: c.Fingerprint, Answer: c.kept}
	}
	result, err := c.Do(ctx, c.Request)
	if err != nil {
		return nil, false, err
	}
	if told, err = c.Tell(result); err != nil {
		return nil, false, err
	}
	return told, false, store.KeepAnswer(context.WithoutCancel(ctx), c.Request, result)
}

// Jobs are calls that continue even if their clients disconnect.
type Jobs struct {
	Store *storage.Store
	Log   *slog.Logger
	// Background runs work to its end. Its context ends when the server has to stop.
	Background func(work func(ctx context.Context) error, ended func(error))
	// Fail makes the answer of a failed job, as it is stored.
	Fail func(err error, job string) json.RawMessage
}

// Start starts a call as a job, unless its key has been used before, and waits for its end up to a time limit. It
// returns the answer that promise makes for the job, which is stored under the key for repeated requests.
func Start[T any](
	ctx context.Context, j Jobs, about string, c Call[T], wait time.Duration,
	promise func(catalog.Job) (json.RawMessage, error),
) (told json.RawMessage, replayed bool, err error) {
	start := storage.Request{User: c.Request.User}
	if c.Key != "" {
		told, found, done, err := j.Store.Once(ctx, c.Request.User, c.Key, c.Fingerprint)
		if err != nil {
			c.after()
			return nil, false, err
		}
		defer done()
		if found {
			c.after()
			return told, true, nil
		}
		start.Receipt = &storage.Receipt{Key: c.Key, Fingerprint: c.Fingerprint,
			Answer: func(job any) (json.RawMessage, error) {
				return promise(job.(catalog.Job))
			}}
	}
	job, err := j.Store.StartJob(ctx, about, start)
	if err != nil {
		c.after()
		return nil, false, err
	}
	ended := make(chan struct{})
	j.Background(func(ctx context.Context) error {
		return j.run(ctx, job, c.Request, c.kept, func(r storage.Request) (any, error) { return c.Do(ctx, r) })
	}, func(err error) {
		defer close(ended)
		c.after()
		j.finish(job, err)
	})
	select { // the key stays locked, so that a request which is repeated meanwhile waits too
	case <-ended:
	case <-time.After(wait):
	case <-ctx.Done():
	}
	told, err = promise(job)
	return told, false, err
}

// run makes the change of a job. The transaction of the change also records that the job is done.
func (j Jobs) run(
	ctx context.Context, job catalog.Job, r storage.Request, kept func(any) (json.RawMessage, error),
	do func(storage.Request) (any, error),
) error {
	r.Report = j.reporter(ctx, job.ID)
	r.Receipt = &storage.Receipt{Job: job.ID, Answer: kept}
	result, err := do(r)
	if err != nil {
		return err
	}
	// The change stands: a server that stops now must not record that it failed.
	return j.Store.KeepAnswer(context.WithoutCancel(ctx), r, result)
}

// reportEvery is the shortest time between two records of a job's progress.
const reportEvery = 200 * time.Millisecond

// reporter returns a function that records a job's progress, at most once in reportEvery.
func (j Jobs) reporter(ctx context.Context, job string) func(percent int, message string) {
	var last time.Time
	return func(percent int, message string) {
		if time.Since(last) < reportEvery {
			return
		}
		last = time.Now()
		if err := j.Store.ReportJob(ctx, job, percent, message); err != nil {
			j.Log.Error("the progress of a job could not be recorded", "progress", job, "error", err)
		}
	}
}

// finish records the error of a job, if it failed.
func (j Jobs) finish(job catalog.Job, err error) {
	if err == nil {
		return
	}
	ctx := context.Background() // not the job's: the server may be stopping, and this must still be recorded
	if err := j.Store.FailJob(ctx, job, storage.Explain(err).Detail, j.Fail(err, job.ID)); err != nil {
		j.Log.Error("the end of a job could not be recorded", "progress", job.ID, "error", err)
	}
}
