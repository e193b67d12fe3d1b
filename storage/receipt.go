package storage

import (
	"context"
	"encoding/json"
	"errors"

	"rowback/storage/catalog"
)

// Receipt keeps the answer in the transaction that does the work: under a key, so that it happens once, or with the job
// that was promised.
type Receipt struct {
	Job         string // id; where this is set, nothing is kept under a key
	Key         string
	Fingerprint string                                    // of what was asked: another one under the same key is refused
	Answer      func(result any) (json.RawMessage, error) // the answer to keep
}

// receipt keeps the answer to a request, if it asked for that.
func (s *Store) receipt(tx catalog.Tx, r Request, result any) error {
	if r.Receipt == nil {
		return nil
	}
	answer, err := r.Receipt.Answer(result)
	if err != nil {
		return err
	}
	if r.Receipt.Job != "" {
		return s.endJob(tx, r.Receipt.Job, answer)
	}
	return tx.AddReceipt(catalog.Receipt{User: r.User, Key: r.Receipt.Key, Fingerprint: r.Receipt.Fingerprint, Answer: answer, CreatedAt: s.now()})
}

// Once lets at most one request of a user's key go on at a time, until done is called, and returns the answer that the
// key was given before; ok is false where there is none. A key that was used for another request is refused.
func (s *Store) Once(ctx context.Context, user, key, fingerprint string) (answer json.RawMessage, ok bool, done func(), err error) {
	done, err = s.locks.lock(ctx, "request\x00"+user+"\x00"+key)
	if err != nil {
		return nil, false, nil, err
	}
	answer, ok, err = s.answered(ctx, user, key, fingerprint)
	if err != nil {
		done()
	}
	return answer, ok, done, err
}

func (s *Store) answered(ctx context.Context, user, key, fingerprint string) (answer json.RawMessage, ok bool, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error {
		r, err := tx.Receipt(user, key)
		if errors.Is(err, catalog.ErrNotFound) {
			return nil
		}
		if err == nil && r.Fingerprint != fingerprint {
			err = failf(Invalid, "idempotency_key_reused", "This Idempotency-Key was used for another request. Use a new key for a new request.")
		}
		answer, ok = r.Answer, err == nil
		return err
	})
	return answer, ok, err
}

// KeepAnswer keeps the answer of a request that writes nothing else, if it asked for that.
func (s *Store) KeepAnswer(ctx context.Context, r Request, result any) error {
	if r.Receipt == nil {
		return nil
	}
	return s.catalog.Write(ctx, func(tx catalog.Tx) error { return s.receipt(tx, r, result) })
}
