package storage

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"rowback/storage/catalog"
	"rowback/storage/fault"
)

// Receipt keeps the answer in the transaction that does the work: under a key, so that it happens once, or with the job
// that was promised.
type Receipt struct {
	Job         string // id; where this is set, nothing is kept under a key
	Key         string
	Fingerprint string                                    // of what was asked: another one under the same key is refused
	Answer      func(result any) (json.RawMessage, error) // the answer to keep
}

// answers are what requests were told, as commit.json and labels keep them beside what was done.
type answers struct {
	Receipts []catalog.Receipt `json:"receipts,omitempty"`
	Job      *catalog.Job      `json:"job,omitempty"` // the work that it was done by, as done
}

func (a answers) isEmpty() bool { return len(a.Receipts) == 0 && a.Job == nil }

// answer is what a request is told, if it asked for that to be kept.
func (s *Store) answer(tx catalog.Tx, r Request, result any) (a answers, err error) {
	if r.Receipt == nil {
		return a, nil
	}
	told, err := r.Receipt.Answer(result)
	if err != nil {
		return a, err
	}
	if r.Receipt.Job != "" {
		return s.jobDone(tx, r.Receipt.Job, told)
	}
	a.Receipts = []catalog.Receipt{{
		User: r.User, Key: r.Receipt.Key, Fingerprint: r.Receipt.Fingerprint, Answer: told, CreatedAt: s.now(),
	}}
	return a, nil
}

// answerTo is answer, in a transaction of its own.
func (s *Store) answerTo(ctx context.Context, r Request, result any) (a answers, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error {
		a, err = s.answer(tx, r, result)
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

// receipt keeps the answer to a request in the catalog alone: it wrote nothing that could be lost.
func (s *Store) receipt(tx catalog.Tx, r Request, result any) error {
	a, err := s.answer(tx, r, result)
	if err != nil {
		return err
	}
	return a.record(tx)
}

// Once lets at most one request of a user's key go on at a time, until done is called, and returns the answer that the
// key was given before; ok is false where there is none. A key that was used for another request is refused.
func (s *Store) Once(
	ctx context.Context, user, key, fingerprint string,
) (answer json.RawMessage, ok bool, done func(), err error) {
	done, err = s.catalog.Lock(ctx, "request\x00"+user+"\x00"+key)
	if err != nil {
		return nil, false, nil, err
	}
	answer, ok, err = s.answered(ctx, user, key, fingerprint)
	if err != nil {
		done()
	}
	return answer, ok, done, err
}

func (s *Store) answered(
	ctx context.Context, user, key, fingerprint string,
) (answer json.RawMessage, ok bool, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error {
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
func (s *Store) KeepAnswer(ctx context.Context, r Request, result any) error {
	if r.Receipt == nil {
		return nil
	}
	kept, err := s.isKept(ctx, r)
	if kept || err != nil {
		return err
	}
	return s.write(ctx, func(tx catalog.Tx) error { return s.receipt(tx, r, result) })
}

func (s *Store) isKept(ctx context.Context, r Request) (kept bool, err error) {
	if r.Receipt.Job != "" {
		j, err := s.Job(ctx, r.Receipt.Job)
		return j.Progress == catalog.JobDone, err
	}
	_, kept, err = s.answered(ctx, r.User, r.Receipt.Key, r.Receipt.Fingerprint)
	return kept, err
}

// receiptsKept is how long the answer to an Idempotency-Key is kept at least: the start forgets older ones.
const receiptsKept = 30 * 24 * time.Hour

// jobDone is a job as it is once its work is done, with what its request was told when it was promised: both are kept
// with the work, so that the same request does nothing twice where the catalog is lost.
func (s *Store) jobDone(tx catalog.Tx, id string, answer json.RawMessage) (a answers, err error) {
	j, err := tx.Job(id)
	if err != nil {
		return a, err
	}
	j.Progress, j.Message, j.Answer, j.UpdatedAt = catalog.JobDone, "Done.", answer, s.now()
	if promised, ok := s.promises.LoadAndDelete(id); ok {
		a.Receipts = promised.([]catalog.Receipt)
	}
	a.Job = &j
	return a, nil
}
