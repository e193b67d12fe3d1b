// Package calls does what requests ask for: at most once for an Idempotency-Key, now or as a job whose progress can be
// looked at, and keeps what its client is told with what was done. Every face uses it.
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

// Call is a request that changes something. T is what the domain returns of that.
type Call[T any] struct {
	Request     storage.Request
	Key         string                                            // the Idempotency-Key; empty: none
	Fingerprint string                                            // of the request: another one under its key is refused
	Do          func(context.Context, storage.Request) (T, error) // makes the change
	Tell        func(T) (json.RawMessage, error)                  // what the client is told, as it is kept
	After       func()                                            // frees what Do needed, whether it ran or not; nil: nothing
}

func (c *Call[T]) after() {
	if c.After != nil {
		c.After()
	}
}

// kept is how the domain, which knows results of any type, asks for what is to be kept.
func (c *Call[T]) kept(result any) (json.RawMessage, error) {
	value, ok := result.(T)
	if !ok && result != nil {
		return nil, fmt.Errorf("the result of a call is a %T, not a %T", result, value)
	}
	return c.Tell(value)
}

// Now makes the change, unless one with its key was made before, and returns what the client is told.
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
	told, err = c.Tell(result)
	return told, false, err
}

// Jobs are calls that go on whether their clients stay or not.
type Jobs struct {
	Store *storage.Store
	Log   *slog.Logger
	// Background does work to its end. Its context ends when the server has to stop.
	Background func(work func(ctx context.Context) error, ended func(error))
	// Fail is what a client is told, as it is kept, of a job that has failed.
	Fail func(err error, job string) json.RawMessage
}

// Start starts a call as a job, unless one with its key was started before, and waits for its end, up to a time. It
// returns what promise makes of the job, as it is kept under the key: what a client is told that asks again.
func Start[T any](ctx context.Context, j Jobs, about string, c Call[T], wait time.Duration, promise func(catalog.Job) (json.RawMessage, error)) (told json.RawMessage, replayed bool, err error) {
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
		start.Receipt = &storage.Receipt{Key: c.Key, Fingerprint: c.Fingerprint, Answer: func(job any) (json.RawMessage, error) {
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
	select {
	case <-ended:
	case <-time.After(wait):
	}
	told, err = promise(job)
	return told, false, err
}

// run makes the change of a job. That the job is done is recorded in the transaction of the change.
func (j Jobs) run(ctx context.Context, job catalog.Job, r storage.Request, kept func(any) (json.RawMessage, error), do func(storage.Request) (any, error)) error {
	r.Report = j.reporter(ctx, job.ID)
	r.Receipt = &storage.Receipt{Job: job.ID, Answer: kept}
	result, err := do(r)
	if err != nil {
		return err
	}
	now, err := j.Store.Job(ctx, job.ID)
	if err != nil || now.Progress == Done {
		return err
	}
	return j.Store.KeepAnswer(ctx, r, result) // there was nothing to write, so no transaction has recorded it
}

// Done is the progress of a job that has succeeded, Failed of one that has not.
const (
	Done   = 100
	Failed = -1
)

// reportEvery is how often the progress of a job is recorded at most.
const reportEvery = 200 * time.Millisecond

// reporter records how far a job has got, each time that is due.
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

// finish records how a job failed, if it did.
func (j Jobs) finish(job catalog.Job, err error) {
	if err == nil {
		return
	}
	ctx := context.Background() // the server may be stopping: that is when this counts
	if err := j.Store.FailJob(ctx, job, storage.Explain(err).Detail, j.Fail(err, job.ID)); err != nil {
		j.Log.Error("the end of a job could not be recorded", "progress", job.ID, "error", err)
	}
}
