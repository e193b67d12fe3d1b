package storage

import (
	"context"
	"errors"

	"rowback/storage/catalog"
	"rowback/storage/fault"
)

// halt stops all writing until the next start: the disk has failed in the one moment where it is not known what it
// holds. What the request did may stand or not; the start finds out, since it reads what the objects tell.
func (s *Store) halt(cause error) error {
	s.options.Log.Error("a change may stand or not: nothing is written until the next start, which finds out",
		"error", cause)
	s.stopped.Store(&cause)
	return fault.Errorf(fault.Unavailable, "outcome_unknown",
		"The server's disk failed while this was recorded: whether it stands is known after the server's next start. "+
			"Restart it, then look before you send this again, or use the same Idempotency-Key.").Because(cause)
}

// halted refuses writes after halt.
func (s *Store) halted() error {
	cause := s.stopped.Load()
	if cause == nil {
		return nil
	}
	return fault.Errorf(fault.Unavailable, "restart_needed",
		"The server's disk failed, and nothing is written until the server is restarted. Restart it, then send this again.").
		Because(*cause)
}

// write runs a transaction of the catalog alone.
func (s *Store) write(ctx context.Context, f func(catalog.Tx) error) error {
	if err := s.halted(); err != nil {
		return err
	}
	err := s.catalog.Write(ctx, f)
	if errors.Is(err, catalog.ErrUncertain) {
		return s.halt(err)
	}
	return err
}
