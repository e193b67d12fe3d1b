package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// Receipt asks that the answer to a request be kept in the transaction that does the work. T is the result of that.
type Receipt[T any] struct {
	Slot
	Answer func(T) (json.RawMessage, error) // makes the answer
}

// Slot is where an answer is kept: under a key, so that the work is done once, or with the job that was promised.
type Slot struct {
	Job         string // id; where this is set, nothing is kept under a key
	Key         string
	Fingerprint string // of what was asked: another one under the same key is refused
}

// slot makes every Receipt an AnyReceipt.
func (s Slot) slot() Slot { return s }

// AnyReceipt is a Receipt of a result of any type.
type AnyReceipt interface{ slot() Slot }

// For is a request that asks for the answer of a T, made for work whose result is a U.
func For[U, T any](r Request, of func(U) T) Request {
	if receipt, ok := r.Receipt.(*Receipt[T]); ok {
		r.Receipt = &Receipt[U]{receipt.Slot, func(u U) (json.RawMessage, error) { return receipt.Answer(of(u)) }}
	}
	return r
}

// answers are the answers to requests, as commit.json and labels keep them beside what was done.
type answers struct {
	Receipts []catalog.Receipt `json:"receipts,omitempty"`
	Job      *catalog.Job      `json:"job,omitempty"` // the work that it was done by, as done
}

// isEmpty reports whether there is nothing to keep.
func (a answers) isEmpty() bool { return len(a.Receipts) == 0 && a.Job == nil }

// Requests keeps the answers to requests, and the jobs: work that was answered before it was done.
type Requests struct{ *journal }

// answer is the answer to a request, if it asked for that to be kept.
func answer[T any](q *Requests, tx catalog.Tx, r Request, result T) (a answers, err error) {
	if r.Receipt == nil {
		return a, nil
	}
	// A face that asks for the answer of another type is a mistake in the program, which its first test shows.
	receipt, ok := r.Receipt.(*Receipt[T])
	if !ok {
		return a, fmt.Errorf("the result of a request is a %T, and its receipt a %T", result, r.Receipt)
	}
	told, err := receipt.Answer(result)
	if err != nil {
		return a, err
	}
	if receipt.Job != "" {
		return q.jobDone(tx, receipt.Job, told)
	}
	if err := isUnanswered(tx, r.User, receipt.Key); err != nil {
		return a, err
	}
	a.Receipts = []catalog.Receipt{{
		User: r.User, Key: receipt.Key, Fingerprint: receipt.Fingerprint, Answer: told, CreatedAt: q.now(),
	}}
	return a, nil
}

// errAnswered is for work that was done already under its key: by another server, while this one was cut off and its
// lock on the key was lost.
var errAnswered = fault.Errorf(fault.Conflict, "already_done",
	"Another server has done this request meanwhile. Send it again with the same Idempotency-Key: you get the answer.")

// isUnanswered refuses to do the work of a key twice.
func isUnanswered(tx catalog.Tx, user, key string) error {
	_, err := tx.Receipt(user, key)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return nil
	case err == nil:
		return errAnswered
	}
	return err
}

// answerTo is answer, in a transaction of its own.
func answerTo[T any](ctx context.Context, q *Requests, r Request, result T) (a answers, err error) {
	if r.Receipt == nil {
		return a, nil
	}
	err = q.catalog.Read(ctx, func(tx catalog.Tx) error {
		a, err = answer(q, tx, r, result)
		return err
	})
	return a, err
}

// record keeps answers in the catalog. What is there stays.
func (a answers) record(tx catalog.Tx) error {
	for _, r := range a.Receipts {
		if err := tx.AddReceipt(r); err != nil {
			return err
		}
	}
	if a.Job == nil {
		return nil
	}
	return tx.PutJob(*a.Job)
}

// Once lets at most one request of a user's key go on at a time, until done is called, and returns the answer that the
// key was given before; ok is false where there is none. A key that was used for another request is refused.
func (q *Requests) Once(
	ctx context.Context, user, key, fingerprint string,
) (answer json.RawMessage, ok bool, done func(), err error) {
	// The second of two that are sent at once waits, and then finds the answer of the first.
	done, err = q.catalog.Lock(ctx, "request\x00"+user+"\x00"+key)
	if err != nil {
		return nil, false, nil, err
	}
	answer, ok, err = q.Answered(ctx, user, key, fingerprint)
	if err != nil {
		done()
	}
	return answer, ok, done, err
}

// Answered looks for the answer to a key; ok is false where there is none. The same key with another request is a
// mistake of the client's, which it must learn of: an answer to the wrong request would pass for done.
func (q *Requests) Answered(
	ctx context.Context, user, key, fingerprint string,
) (answer json.RawMessage, ok bool, err error) {
	err = q.catalog.Look(ctx, func(tx catalog.Tx) error {
		r, err := tx.Receipt(user, key)
		if errors.Is(err, catalog.ErrNotFound) {
			return nil
		}
		if err == nil && r.Fingerprint != fingerprint {
			err = fault.Errorf(fault.Invalid, "idempotency_key_reused",
				"This Idempotency-Key was used for another request. Use a new key for a new request.")
		}
		answer, ok = r.Answer, err == nil
		return err
	})
	return answer, ok, err
}

// KeepAnswer keeps the answer of a request, if it asked for that and no transaction has kept it: it wrote nothing else.
func KeepAnswer[T any](ctx context.Context, q *Requests, r Request, result T) error {
	if r.Receipt == nil {
		return nil
	}
	kept, err := q.isKept(ctx, r.User, r.Receipt.slot())
	if kept || err != nil {
		return err
	}
	err = q.write(ctx, func(tx catalog.Tx) error {
		a, err := answer(q, tx, r, result)
		if err != nil {
			return err
		}
		return a.record(tx)
	})
	if errors.Is(err, errAnswered) { // it changed nothing: either answer is right
		err = nil
	}
	return err
}

// isKept reports whether the answer is kept already: of a job, whether that is done.
func (q *Requests) isKept(ctx context.Context, user string, s Slot) (kept bool, err error) {
	if s.Job != "" {
		j, err := q.Job(ctx, s.Job)
		return j.Progress == catalog.JobDone, err
	}
	_, kept, err = q.Answered(ctx, user, s.Key, s.Fingerprint)
	return kept, err
}

// receiptsKept is how long the answer to an Idempotency-Key is kept at least: the start forgets older ones.
const receiptsKept = 30 * 24 * time.Hour

// jobDone is a job as it is once its work is done, with what its request was told when it was promised: both are kept
// with the work, so that the same request does nothing twice where the catalog is lost.
func (q *Requests) jobDone(tx catalog.Tx, id string, answer json.RawMessage) (a answers, err error) {
	j, err := tx.Job(id)
	if err == nil && j.Progress == catalog.JobFailed {
		err = errJobFailed
	}
	if err != nil {
		return a, err
	}
	j.Progress, j.Message, j.Answer, j.UpdatedAt = catalog.JobDone, "Done.", answer, q.now()
	a.Receipts, j.Promised = j.Promised, nil
	a.Job = &j
	return a, nil
}
