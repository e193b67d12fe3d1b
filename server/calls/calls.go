// Package calls carries out requests: at most once for each Idempotency-Key, at once or as a job whose progress can be
// followed, and stores the answer together with the change. Every face uses it.
package calls

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// Call is a request that changes something. T is the result in the domain. Tell has no effects: it may be called twice,
// within the transaction that makes the change and for the client.
type Call[T any] struct {
	Request storage.Request
	Key     string // the Idempotency-Key; empty: none
	// of the request: a different request with the same key is refused
	Fingerprint string
	// makes the change. It may be called again after a refusal (Repeat)
	Do   func(context.Context, storage.Request) (T, error)
	Tell func(T) (json.RawMessage, error) // makes the answer, as it is stored
	// frees what Do needed, whether it ran or not; may be nil
	After func()
}

// slot is where the answer is stored: under the key.
func (c *Call[T]) slot() storage.Slot { return storage.Slot{Key: c.Key, Fingerprint: c.Fingerprint} }

// after runs After, if there is one.
func (c *Call[T]) after() {
	if c.After != nil {
		c.After()
	}
}

// Now makes the change, unless its key has been used before, and returns the answer.
func Now[T any](
	ctx context.Context, store *storage.Store, c Call[T],
) (answer json.RawMessage, replayed bool, err error) {
	defer c.after()
	if c.Key != "" {
		answer, found, done, err := store.Requests.Once(ctx, c.Request.User, c.Key, c.Fingerprint)
		if err != nil {
			return nil, false, err
		}
		// Held until the answer is stored: a repeated request waits, and then finds it.
		defer done()
		if found {
			return answer, true, nil
		}
		c.Request.Receipt = &storage.Receipt[T]{Slot: c.slot(), Answer: c.Tell}
	}
	result, err := Repeat(ctx, store, func() (T, error) { return c.Do(ctx, c.Request) })
	if err != nil {
		return c.again(ctx, store, err)
	}
	Note(ctx, result)
	if answer, err = c.Tell(result); err != nil {
		return nil, false, err
	}
	// The change may have been none, without a transaction to store the answer in. The client's leaving must not
	// prevent it: the change stands.
	return answer, false, storage.KeepAnswer(context.WithoutCancel(ctx), store.Requests, c.Request, result)
}

// again returns the answer to a call that was refused, if another server has meanwhile done the call under the same
// key, which may be why it was refused. Otherwise the refusal stands.
func (c *Call[T]) again(
	ctx context.Context, store *storage.Store, refusal error,
) (answer json.RawMessage, replayed bool, err error) {
	if c.Key == "" || !store.IsShared() {
		return nil, false, refusal
	}
	answer, found, err := store.Requests.Answered(ctx, c.Request.User, c.Key, c.Fingerprint)
	if err != nil || !found {
		return nil, false, refusal
	}
	return answer, true, nil
}

// Jobs are calls that continue even if their clients disconnect. The store has their state, so that another request or
// a later process can ask for it.
type Jobs struct {
	Store *storage.Store
	Log   *slog.Logger
	// Background runs work to its end. Its context ends when the server has to stop.
	Background func(work func(ctx context.Context) error, ended func(error))
	// Problem returns the answer to the client of a failed job.
	Problem func(err error, job string) (status int, fields map[string]any)
}

// Start starts a call as a job, unless its key has been used before, and waits for its end up to a time limit. It
// returns the answer that promise makes for the job, which is stored under the key for repeated requests.
func Start[T any](
	ctx context.Context, j Jobs, about string, c Call[T], wait time.Duration,
	promise func(catalog.Job) (json.RawMessage, error),
) (answer json.RawMessage, replayed bool, err error) {
	start := storage.Request{User: c.Request.User}
	if c.Key != "" {
		answer, found, done, err := j.Store.Requests.Once(ctx, c.Request.User, c.Key, c.Fingerprint)
		if err != nil {
			c.after()
			return nil, false, err
		}
		defer done()
		if found {
			c.after()
			return answer, true, nil
		}
		// The promise is stored with the job, in one transaction: a repeated request finds the same job.
		start.Receipt = &storage.Receipt[catalog.Job]{Slot: c.slot(), Answer: promise}
	}
	job, err := j.Store.Requests.StartJob(ctx, about, start)
	if err != nil {
		c.after()
		return c.again(ctx, j.Store, err)
	}
	ended := make(chan struct{})
	audit.Of(ctx).Started(job.ID)
	request := ctx // the job's context is not the request's
	j.Background(func(ctx context.Context) error {
		return run(Carry(ctx, request), j, job, c)
	}, func(err error) {
		defer close(ended)
		c.after()
		j.finish(request, job, err)
	})
	select { // the key stays locked, so that a request which is repeated meanwhile waits too
	case <-ended:
	case <-time.After(wait):
	case <-ctx.Done():
	}
	answer, err = promise(job)
	return answer, false, err
}

// run makes the change of a job. The transaction of the change also records that the job is done.
func run[T any](ctx context.Context, j Jobs, job catalog.Job, c Call[T]) error {
	r := c.Request
	r.Report = j.reporter(ctx, job.ID)
	r.Receipt = &storage.Receipt[T]{Slot: storage.Slot{Job: job.ID}, Answer: c.Tell}
	result, err := Repeat(ctx, j.Store, func() (T, error) { return c.Do(ctx, r) })
	if err != nil {
		return err
	}
	Note(ctx, result)
	// The change stands: a server that stops now must not record that it failed.
	return storage.KeepAnswer(context.WithoutCancel(ctx), j.Store.Requests, r, result)
}

// reportEvery is the shortest time between two records of a job's progress.
const reportEvery = 200 * time.Millisecond

// reporter returns a function that records a job's progress, at most once in reportEvery. Work reports often; each
// record is a transaction.
func (j Jobs) reporter(ctx context.Context, job string) func(percent int, message string) {
	var last time.Time
	return func(percent int, message string) {
		if time.Since(last) < reportEvery {
			return
		}
		last = time.Now()
		// Progress is for people to watch: the work goes on without it.
		if err := j.Store.Requests.ReportJob(ctx, job, percent, message); err != nil {
			j.Log.Error("the progress of a job could not be recorded", "progress", job, "error", err)
		}
	}
}

// finish records how a job ended: in the audit log and, if it failed, with the job.
func (j Jobs) finish(request context.Context, job catalog.Job, err error) {
	if err == nil {
		audit.Of(request).Ended(http.StatusOK, "")
		return
	}
	// The answer of a failed job is what the request would have been answered with, so that a client handles both alike.
	status, fields := j.Problem(err, job.ID)
	body, written := json.Marshal(fields)
	if written != nil {
		j.Log.Error("a job's error could not be written as JSON", "progress", job.ID, "error", written)
	}
	kept, _ := Answer{Status: status, Body: body}.Keep() // it is valid JSON by now
	code, _ := fields["code"].(string)
	audit.Of(request).Ended(status, code)
	ctx := context.Background() // not the job's: the server may be stopping, and this must still be recorded
	if err := j.Store.Requests.FailJob(ctx, job, storage.Explain(err).Detail, kept); err != nil {
		j.Log.Error("the end of a job could not be recorded", "progress", job.ID, "error", err)
	}
}
